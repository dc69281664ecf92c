import { postgresStore } from "@p2/budget-postgres"
import type { Pool } from "pg"
import { expect, it } from "vitest"
import { reserveOf, settleOf } from "./support/requests"
import { poolOf, serverForFile } from "./support/server-and-store"

const file = serverForFile()
const MONTH = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 1, 1) }

interface Statement {
  text: string
  values: unknown[]
}

/** A pool of which the statements with parameters are recorded. */
function recording(pool: Pool, statements: Statement[]) {
  return {
    on: () => {},
    listenerCount: () => 1,
    connect: async () => {
      const client = await pool.connect()
      return {
        on: (event: "error", listener: (error: Error) => void) => client.on(event, listener),
        off: (event: "error", listener: (error: Error) => void) => client.off(event, listener),
        release: (destroy: boolean) => client.release(destroy),
        query: (query: { text: string; values?: unknown[] }) => {
          if (query.values !== undefined) statements.push({ text: query.text, values: query.values })
          return client.query(query)
        },
      }
    },
  }
}

/** What the plan scans: "Seq Scan p2_usage", "Index Scan p2_usage_user". */
async function scansOf(pool: Pool, { text, values }: Statement): Promise<string[]> {
  const { rows } = await pool.query(`EXPLAIN (FORMAT JSON) ${text}`, values)
  const scans: string[] = []
  const visit = (plan: Record<string, unknown>) => {
    const name = plan["Index Name"] ?? plan["Relation Name"]
    if (String(plan["Node Type"]).includes("Scan") && /^p2_/.test(String(name)))
      scans.push(`${plan["Node Type"]} ${name}`)
    for (const inner of (plan.Plans ?? []) as Record<string, unknown>[]) visit(inner)
  }
  visit(rows[0]["QUERY PLAN"][0].Plan)
  return scans
}

it("no call reads more than its own rows: every statement but the totals of all entries uses an index", async () => {
  const pool = poolOf(file.server)
  pool.on("error", () => {})
  const statements: Statement[] = []
  const store = postgresStore({ pool: recording(pool, statements), schema: "plans", timeoutMs: 20_000 })
  await store.read({ partition: "main", counters: ["a"] })
  // As the store writes them: 100,000 counters, reservations and entries, of 1,000 users and over a month.
  const rest = '"requestId":"q","attempt":1,"model":"m","status":"succeeded","costNanoUsd":1,"reservedNanoUsd":1'
  const entry = `'{"idempotencyKey":"k' || i || '","at":' || ${MONTH.from} + i * 25920::bigint ||
    ',"revision":0,"state":"settled","charges":{},"tokens":{},${rest}}'`
  await pool.query(`INSERT INTO plans.p2_records SELECT 'main', kind, 'k' || i, ${entry},
      CASE kind WHEN 'reservation' THEN 9000000000000 END, CASE kind WHEN 'counter' THEN 9000000000000 END
    FROM generate_series(1, 100000) i, unnest(ARRAY['counter', 'reservation', 'entry']) kind;
    INSERT INTO plans.p2_usage SELECT 'main', 'k' || i, ${MONTH.from} + i * 25920::bigint, '"q' || i || '"', false,
      '"u' || i % 1000 || '"', NULL, '"m"', NULL, '"succeeded"', '{}', '[]', '{}', 1, 1, 1, 0, false
    FROM generate_series(1, 100000) i;
    ANALYZE plans.p2_records; ANALYZE plans.p2_usage`)
  statements.length = 0
  const ledger = store.ledger!
  await Promise.all(Array.from({ length: 64 }, (_, index) => store.reserve(reserveOf(`r${index}`))))
  await Promise.all(Array.from({ length: 64 }, (_, index) => store.settle(settleOf(`r${index}`))))
  await store.listDue({ partition: "main", limit: 10 })
  await store.listCounters({ partition: "main", cursor: "k5", limit: 100 })
  await ledger.get({ partition: "main", requestId: "q5" })
  const page = { partition: "main", cursor: null, limit: 100, newestFirst: true }
  await ledger.list({ ...page, filter: MONTH })
  await ledger.list({ ...page, filter: { ...MONTH, userId: "u5" } })
  const [user] = await ledger.totals({
    partition: "main",
    filter: { ...MONTH, userId: "u5" },
    groupBy: [],
    buckets: null,
  })
  expect(user).toMatchObject({ attempts: 100, requests: 100 })
  await ledger.prune({ partition: "main", before: MONTH.from + 100_000 })
  expect(statements.length).toBeGreaterThan(8)
  for (const statement of statements)
    expect(
      (await scansOf(pool, statement)).filter((scan) => scan.startsWith("Seq")),
      statement.text,
    ).toEqual([])
  statements.length = 0
  await ledger.totals({ partition: "main", filter: { ...MONTH, userId: "u5" }, groupBy: ["model"], buckets: null })
  for (const statement of statements) expect((await scansOf(pool, statement)).join()).toMatch(/p2_usage_(user|shared)/)
  await store.close!()
})
