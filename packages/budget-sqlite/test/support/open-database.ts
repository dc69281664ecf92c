import { createRequire } from "node:module"
import type { SqliteDatabase } from "@p2/budget-sqlite"

/** A connection as a user would open it: the built-in of this Node, or libsql. */
export function openDatabase(path: string): SqliteDatabase {
  const builtin = process.getBuiltinModule?.("node:sqlite") as
    | { DatabaseSync: new (path: string) => SqliteDatabase }
    | undefined
  const Database =
    builtin?.DatabaseSync ?? (createRequire(import.meta.url)("libsql") as new (path: string) => SqliteDatabase)
  return new Database(path)
}
