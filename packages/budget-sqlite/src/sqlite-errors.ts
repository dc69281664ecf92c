import { StoreError } from "@p2/budget/store"
import { P2Error } from "@p2/core"

// Primary result codes, https://www.sqlite.org/rescode.html
const CODES: Record<string, number> = {
  SQLITE_ERROR: 1,
  SQLITE_PERM: 3,
  SQLITE_BUSY: 5,
  SQLITE_LOCKED: 6,
  SQLITE_READONLY: 8,
  SQLITE_IOERR: 10,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: 14,
  SQLITE_PROTOCOL: 15,
  SQLITE_SCHEMA: 17,
  SQLITE_NOTADB: 26,
}

/** The primary result code of an error of better-sqlite3, libsql or `node:sqlite`; undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || P2Error.isInstance(error)) return undefined
  const { errcode, rawCode, code } = error as { errcode?: unknown; rawCode?: unknown; code?: unknown }
  // The low byte of an extended code is its primary code.
  if (typeof errcode === "number") return errcode & 0xff
  if (typeof rawCode === "number") return rawCode & 0xff
  if (typeof code !== "string") return undefined
  const name = /^SQLITE_[A-Z]+/.exec(code)?.[0]
  return name === undefined ? codeOfFailedConnection(error) : (CODES[name] ?? 1)
}

/**
 * Parses libsql's message, the only place with the code when it cannot open a file: `ConnectionFailed("Unable to open …
 * /x/p2.db: 14")`.
 */
function codeOfFailedConnection(error: object): number | undefined {
  const match = /^ConnectionFailed\(.*: (\d+)"\)$/s.exec((error as { message?: unknown }).message as string)
  return match === null ? undefined : Number(match[1]) & 0xff
}

/** Whether another connection holds the lock now, or the user's own transaction is open on this connection. */
function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  if (code === CODES.SQLITE_BUSY || code === CODES.SQLITE_LOCKED || code === CODES.SQLITE_PROTOCOL) return true
  return error instanceof Error && error.message.includes("within a transaction")
}

/** Converts a SQLite error to a `StoreError`. */
export function toStoreError(error: unknown, applied: "no" | "maybe", doing: string): P2Error {
  if (P2Error.isInstance(error)) return error
  const conflict = isBusy(error)
  const { code, problem } = describeCode(conflict ? CODES.SQLITE_BUSY : sqliteCode(error), error)
  const message = `SQLite failed while ${doing}: ${problem}`
  return new StoreError(message, { code, applied, conflict: conflict && applied === "no", cause: error })
}

function describeCode(code: number | undefined, error: unknown): { code: StoreError["code"]; problem: string } {
  switch (code) {
    case CODES.SQLITE_BUSY:
      return {
        code: "store-unavailable",
        problem: "another connection, or a transaction of your own, holds the lock.",
      }
    case CODES.SQLITE_FULL:
      return { code: "store-unavailable", problem: "the disk or the database is full. Free some space, then retry." }
    case CODES.SQLITE_IOERR:
      return { code: "store-unavailable", problem: "the file could not be read or written." }
    case CODES.SQLITE_READONLY:
    case CODES.SQLITE_PERM:
      return {
        code: "store-misconfigured",
        problem:
          "the file or its folder is read-only. This process needs write access to both, because the log is beside the file.",
      }
    case CODES.SQLITE_CANTOPEN:
      return {
        code: "store-misconfigured",
        problem: "the file cannot be opened. The path must name a file in a folder that exists and is writable.",
      }
    case CODES.SQLITE_NOTADB:
      return {
        code: "store-corrupt",
        problem: "the file is not a SQLite database. Nothing was written. Check the path.",
      }
    case CODES.SQLITE_CORRUPT:
      return { code: "store-corrupt", problem: "the file is damaged. Nothing was written. Restore it from a backup." }
    default:
      return { code: "store-unavailable", problem: error instanceof Error ? error.message : String(error) }
  }
}
