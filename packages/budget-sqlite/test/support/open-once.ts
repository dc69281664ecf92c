import { sqliteStore } from "@p2/budget-sqlite"
import { reserveOf } from "../../../budget/test/adapters/requests"

/** Opens a store at an instant, reserves once and prints the reply. */
const [path, key, start] = process.argv.slice(2) as [string, string, string]
while (Date.now() < Number(start));
const store = sqliteStore(path, { timeoutMs: 10_000 })
const reply = await store.reserve(reserveOf(key))
await store.close!()
// The library that was loaded: libsql's binary is a shared object of the process.
const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] }
const library = sharedObjects.some((path) => path.includes("libsql")) ? "libsql" : "node:sqlite"
console.log(JSON.stringify({ ...reply, library }))
