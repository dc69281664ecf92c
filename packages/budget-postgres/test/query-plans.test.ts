import { type PostgresPool, postgresStore } from "@p2/budget-postgres"
import type { Pool } from "pg"
import { expect, it } from "vitest"
import { reserveOf, settleOf } from "../../budget/test/adapters/requests"
import { poolOf, serverForFile } from "./support/server-and-store"

const file = serverForFile()
const MONTH = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 1, 1) }

interface Statement {
  text: string
  values: unknown[]
  /** The statements at the start of its transaction, which set planner options. */
  begin: string
}

/** A pool that records statements with parameters. */
function recording(pool: Pool, statements: Statement[]) {
  return {
    on: () => {},
    listenerCount: () => 1,
    connect: (callback: Parameters<PostgresPool["connect"]>[0]) =>
      pool.connect((error, client) => {
        if (client === undefined) return callback(error, client)
        let begin = ""
        callback(undefined, {
          on: (event: "error", listener: (error: Error) => void) => client.on(event, listener),
          off: (event: "error", listener: (error: Error) => void) => client.off(event, listener),
          release: (destroy: boolean) => client.release(destroy),
          query: (query: { text: string; values?: unknown[] }) => {
            if (query.text.startsWith("BEGIN")) begin = query.text
            if (query.values !== undefined) statements.push({ text: query.text, values: query.values, begin })
            return client.query(query)
          },
        })
      }),
  }
}

/** The nodes of a plan with the index or table that they scan: "Seq Scan p2_usage", "Index Scan p2_usage_user", "Sort". */
async function nodesOf(pool: Pool, { begin, text, values }: Statement): Promise<string[]> {
  const client = await pool.connect()
  await client.query(begin.replace("REPEATABLE READ, READ ONLY", "READ COMMITTED"))
  const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${text}`, values)
  await client.query("ROLLBACK")
  client.release()
  const nodes: string[] = []
  const visit = (plan: Record<string, unknown>) => {
    nodes.push(`${plan["Node Type"]} ${plan["Index Name"] ?? plan["Relation Name"] ?? ""}`.trim())
    for (const inner of (plan.Plans ?? []) as Record<string, unknown>[]) visit(inner)
  }
  visit(rows[0]["QUERY PLAN"][0].Plan)
  return nodes
}

it("no call reads more than its own rows: every statement but the totals of all entries uses an index", async () => {
  const pool = poolOf(file.server)
  pool.on("error", () => {})
  const statements: Statement[] = []
  const store = postgresStore({ pool: recording(pool, statements), schema: "plans", timeoutMs: 20_000 })
  await store.read({ partition: "main", counters: ["a"] })
  // 100,000 counters, reservations and entries of 1,000 users over a month, as the store would write them.
  const rest = '"requestId":"q","attempt":1,"model":"m","status":"succeeded","costNanoUsd":1,"reservedNanoUsd":1'
  const entry = `'{"idempotencyKey":"k' || i || '","at":' || ${MONTH.from} + i * 25920::bigint ||
    ',"revision":0,"state":"settled","charges":{},"tokens":{},${rest}}'`
  await pool.query(`INSERT INTO plans.p2_records SELECT 'main', kind, 'k' || i, ${entry},
      CASE kind WHEN 'reservation' THEN 9000000000000 END, CASE kind WHEN 'counter' THEN 9000000000000 END
    FROM generate_series(1, 100000) i, unnest(ARRAY['counter', 'reservation', 'entry']) kind;
    INSERT INTO plans.p2_usage (partition, key, at, cost, reserved, shared, input_tokens, other_tokens, status, user_id, model,
      request_id)
    SELECT 'main', 'k' || i, ${MONTH.from} + i * 25920::bigint, 1, 1, i = 5005, 1,
      CASE i WHEN 6005 THEN '{"\\"kind\\"": 1}'::jsonb END, '"succeeded"', '"u' || i % 1000 || '"', '"m' || i / 1000 % 10 || '"',
      '"q' || i || '"' FROM generate_series(1, 100000) i;
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
      (await nodesOf(pool, statement)).filter((node) => node.startsWith("Seq Scan p2_")),
      statement.text,
    ).toEqual([])
  statements.length = 0
  await ledger.totals({ partition: "main", filter: { ...MONTH, userId: "u5" }, groupBy: ["model"], buckets: null })
  for (const statement of statements) expect((await nodesOf(pool, statement)).join()).toMatch(/p2_usage_(user|rare)/)
  // Sorting all entries would spill to disk.
  statements.length = 0
  await ledger.totals({ partition: "main", filter: MONTH, groupBy: ["userId", "model"], buckets: null })
  const sums = statements.find(({ text }) => text.includes("sum(cost"))!
  const sortedEntries = /Sort; [^;]*Scan/
  expect((await nodesOf(pool, sums)).join("; ")).not.toMatch(sortedEntries)
  const withoutMemory = { ...sums, begin: `${sums.begin}; SET LOCAL work_mem = '1MB'` }
  expect((await nodesOf(pool, withoutMemory)).join("; ")).toMatch(sortedEntries)
  await store.close!()
})
