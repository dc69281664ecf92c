import { sqliteStore } from "@p2/budget-sqlite"

/** Opens a store at an instant, reserves once and prints the answer. */
const [path, id, start] = process.argv.slice(2) as [string, string, string]
while (Date.now() < Number(start));
const store = sqliteStore(path, { timeoutMs: 10_000 })
const answer = await store.reserve({
  root: "main",
  id,
  fingerprint: "f",
  leaseMs: 60_000,
  cells: [{ key: "a", startsAt: null, endsAt: null, keepMs: null, amount: 1, limit: null, onExpire: 0 }],
})
await store.close!()
// What was really loaded: libsql's binary is a shared object of the process.
const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] }
const library = sharedObjects.some((path) => path.includes("libsql")) ? "libsql" : "node:sqlite"
console.log(JSON.stringify({ ...answer, library }))
