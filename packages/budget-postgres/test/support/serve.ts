import { serveStore } from "@p2/budget/testing"
import { postgresStore } from "@p2/budget-postgres"
import { Pool } from "pg"

const [url, schema] = process.argv.slice(2) as [string, string]
const pool = new Pool({ connectionString: url, max: 4 })
const store = postgresStore({ pool, schema, timeoutMs: 20_000 })
const close = async () => {
  await store.close!()
  await pool.end()
}
serveStore({ ...store, close }, process)
