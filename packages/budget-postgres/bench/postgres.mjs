// Pairs (reserve of three counters, two of them shared, then settle with a usage entry) per second, on PostgreSQL with
// fsync on, compared with a bare loop of the same statements in the same transactions, with one caller. Rounds are
// interleaved; the ratio of each round is taken, then the median. Then a million users against ten thousand, and the
// totals of a million entries.
//   npm run bench            after `npm run build`; ROUNDS, PAIRS and ENTRIES make it shorter or longer
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { startPostgres } from "@p2/postgres-server"
import pg from "pg"
import { median, pair, pairsPerSecond, readyAndGo, runTogether } from "../../budget/bench/pairs.mjs"
import { postgresStore } from "../dist/index.js"

const PAIRS = Number(process.env.PAIRS ?? 1_000)
const ROUNDS = Number(process.env.ROUNDS ?? 5)
const ENTRIES = Number(process.env.ENTRIES ?? 1_000_000)
const MONTH_START = Date.UTC(2026, 0, 1)
const self = fileURLToPath(import.meta.url)

/** Pairs per second with this many callers, over three counters, two of them shared. */
const rate = (store, { callers, prefix, pairs = PAIRS, users = 1_000 }) =>
  pairsPerSecond({
    ...{ callers, pairs },
    run: (index) => {
      const userId = `u${(index * 7_919) % users}`
      return pair(store, { key: `${prefix}.${index}`, userId, counters: ["total", "team=search", `user=${userId}`] })
    },
  })

/** The statements that the store sends for consecutive pairs, with their values. */
async function recordStatements(url, schema) {
  const client = new pg.Client(url)
  await client.connect()
  const log = []
  const pool = {
    on: () => {},
    listenerCount: () => 1,
    connect: (callback) =>
      callback(undefined, {
        on: () => {},
        off: () => {},
        release: () => {},
        query: ({ text, values }) => {
          log.push({ text, values })
          return client.query({ text, values, types: { getTypeParser: () => (value) => value } })
        },
      }),
  }
  const store = postgresStore({ pool, schema })
  await rate(store, { callers: 1, prefix: "warm", pairs: 20 })
  log.length = 0
  await rate(store, { callers: 1, prefix: "recorded" })
  await store.close()
  await client.end()
  return log
}

/** Runs the recorded statements again, one after another, on tables without the rows of the recording. */
async function bareRate(url, schema, log) {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`DELETE FROM ${schema}.p2_records; DELETE FROM ${schema}.p2_usage`)
  const start = performance.now()
  for (const { text, values } of log) await client.query({ text, values })
  const perSecond = PAIRS / ((performance.now() - start) / 1_000)
  await client.end()
  return perSecond
}

/** Transactions per second that write one row each, sequentially: the cost of a commit on this disk. */
async function commitRate(url) {
  const client = new pg.Client(url)
  await client.connect()
  await client.query("CREATE TABLE IF NOT EXISTS commits (n INT)")
  const start = performance.now()
  for (let index = 0; index < 500; index++) await client.query("INSERT INTO commits VALUES (1)")
  const perSecond = 500 / ((performance.now() - start) / 1_000)
  await client.end()
  return perSecond
}

async function child([url, schema, prefix, pairs]) {
  const pool = new pg.Pool({ connectionString: url })
  const store = postgresStore({ pool, schema, timeoutMs: 30_000 })
  await rate(store, { callers: 8, prefix: `warm.${prefix}`, pairs: 100 })
  await readyAndGo()
  await rate(store, { callers: 8, prefix, pairs: Number(pairs) })
  process.send("done")
  await store.close()
  await pool.end()
  process.disconnect()
}

/** Four processes of eight callers each. */
async function processesRate(url, schema, round) {
  const pairs = Math.floor((PAIRS * 2) / 4)
  const children = [0, 1, 2, 3].map((index) => fork(self, ["child", url, schema, `p${round}.${index}`, String(pairs)]))
  const { seconds } = await runTogether(children)
  return (4 * pairs) / seconds
}

/** Writes a counter for each user with SQL, as the store would write it. */
async function fillUsers(pool, schema, users) {
  await pool.query(`INSERT INTO ${schema}.p2_records (partition, kind, key, value)
    SELECT 'main', 'counter', 'user=u' || i, '{"spent":700,"reserved":0,"granted":0,"peak":700,"forgetAt":null}'
    FROM generate_series(0, ${users - 1}) i ON CONFLICT DO NOTHING`)
  await pool.query(`VACUUM ANALYZE ${schema}.p2_records`)
}

/** Writes a month of entries for a thousand users with ten models each, as the store would write them. */
async function fillEntries(pool, schema) {
  await pool.query(`INSERT INTO ${schema}.p2_usage (partition, key, at, request_id, shared, user_id, client_id, model,
      provider, status, tags, input_tokens, output_tokens, cache_read_tokens, reasoning_tokens, cost, reserved)
    SELECT 'month', 'k' || i, ${MONTH_START} + i * ${Math.floor((30 * 86_400_000) / ENTRIES)}, '"request-' || i - (i % 20 = 0)::int || '"',
      i % 20 IN (0, 19), '"u' || hash % 1000 || '"', '"app"', '"model-' || hash / 1000 % 10 || '"', '"openai"',
      CASE WHEN i % 50 = 7 THEN '"failed"' ELSE '"succeeded"' END, '{"\\"team\\"": "\\"search\\""}', 900, 120,
      CASE i % 4 WHEN 1 THEN 300 END, CASE i % 4 WHEN 3 THEN 77 END, 700, 1000
    FROM generate_series(1, ${ENTRIES}::bigint) i, abs(hashint8(i)) hash`)
  await pool.query(`VACUUM ANALYZE ${schema}.p2_usage`)
}

async function time(call) {
  const start = performance.now()
  const value = await call()
  return { value, ms: Math.round(performance.now() - start) }
}

async function main() {
  const server = await startPostgres({ settings: { fsync: "on" } })
  const pool = new pg.Pool({ connectionString: server.url })
  const storeOf = async (schema) => {
    const store = postgresStore({ pool, schema, timeoutMs: 30_000 })
    await rate(store, { callers: 32, prefix: "warm", pairs: 200 })
    return store
  }
  try {
    const rates = { commit: [], bare: [], one: [], many: [], processes: [] }
    const [one, many] = [await storeOf("one"), await storeOf("many")]
    for (let round = 0; round < ROUNDS; round++) {
      rates.commit.push(await commitRate(server.url))
      const log = await recordStatements(server.url, "bare")
      rates.bare.push(await bareRate(server.url, "bare", log))
      rates.one.push(await rate(one, { callers: 1, prefix: `r${round}` }))
      rates.many.push(await rate(many, { callers: 32, prefix: `r${round}`, pairs: 4 * PAIRS }))
      rates.processes.push(await processesRate(server.url, "many", round))
    }
    const ratio = (name, to) => median(rates[name].map((each, round) => each / rates[to][round])).toFixed(2)
    const line = (what, name, to = "bare") =>
      console.log(`${what}: ${Math.round(median(rates[name]))}/s (${ratio(name, to)} × ${to})`)
    console.log(`Node ${process.versions.node}, fsync on, median of ${ROUNDS} rounds of ${PAIRS} pairs`)
    line("commits of one row", "commit", "commit")
    line("bare transactions, one caller, pairs", "bare")
    line("store, 1 caller, pairs", "one")
    line("store, 32 callers, pairs", "many")
    line("store, 4 processes of 8 callers, pairs", "processes", "many")

    const [few, lots] = [await storeOf("few"), await storeOf("lots")]
    await fillUsers(pool, "few", 10_000)
    await fillUsers(pool, "lots", 1_000_000)
    const byUsers = { few: [], lots: [] }
    for (let round = 0; round < ROUNDS; round++) {
      const more = { callers: 32, prefix: `users${round}`, pairs: 4 * PAIRS }
      byUsers.few.push(await rate(few, { ...more, users: 10_000 }))
      byUsers.lots.push(await rate(lots, { ...more, users: 1_000_000 }))
    }
    const change = median(byUsers.lots.map((each, round) => each / byUsers.few[round]))
    console.log(`a million users: ${Math.round(median(byUsers.lots))}/s, ${change.toFixed(2)} × that of ten thousand`)

    await fillEntries(pool, "few")
    const month = { from: MONTH_START, to: MONTH_START + 31 * 86_400_000 }
    const totals = (filter, groupBy) => few.ledger.totals({ partition: "month", filter, groupBy, buckets: null })
    const whole = []
    const user = []
    for (let round = 0; round < 5; round++) {
      const all = await time(() => totals(month, ["userId", "model"]))
      const attempts = all.value.reduce((sum, row) => sum + row.attempts, 0)
      if (attempts !== ENTRIES) throw new Error(`${attempts} attempts`)
      whole.push(all.ms)
      user.push((await time(() => totals({ ...month, userId: "u7" }, ["model"]))).ms)
    }
    console.log(`totals of ${ENTRIES} entries by user and model: ${median(whole)} ms (${whole.join(", ")})`)
    console.log(`totals of a user's month: ${median(user)} ms (${user.join(", ")})`)
  } finally {
    await pool.end()
    await server.stop()
  }
}

await (process.argv[2] === "child" ? child(process.argv.slice(3)) : main())
