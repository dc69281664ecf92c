// A million users in a thousand organizations with one partition each, and one hot organization that makes half of the
// calls. A call reserves in a counter of its organization and in one of its user, and settles with a usage entry.
//   node bench/hot-organization.mjs            after `npm run build`; SECONDS (of each measurement) and USERS make it shorter
import { startPostgres } from "@p2/postgres-server"
import pg from "pg"
import { pair } from "../../budget/bench/pairs.mjs"
import { postgresStore } from "../dist/index.js"

const SECONDS = Number(process.env.SECONDS ?? 10)
const USERS = Number(process.env.USERS ?? 1_000_000)
const ORGANIZATIONS = 1_000
const CALLERS = 32

const random = (below) => Math.floor(Math.random() * below)
let calls = 0

/** Runs callers for a while; resolves to calls per second and the latencies in milliseconds (p50 and p99). */
async function measure(store, partitionOf) {
  const waits = []
  const end = performance.now() + SECONDS * 1_000
  const caller = async () => {
    while (performance.now() < end) {
      const user = random(USERS)
      const start = performance.now()
      const counters = ["organization", `user=u${user}`]
      await pair(store, { partition: partitionOf(user), key: `k${calls++}`, userId: `u${user}`, counters })
      waits.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  waits.sort((a, b) => a - b)
  const percentile = (share) => Math.round(waits[Math.floor(waits.length * share)])
  return `${Math.round(waits.length / SECONDS)} calls/s, p50 ${percentile(0.5)} ms, p99 ${percentile(0.99)} ms`
}

const server = await startPostgres({ settings: { fsync: "on" } })
const pool = new pg.Pool({ connectionString: server.url, max: CALLERS })
const store = postgresStore({ pool, timeoutMs: 30_000 })
try {
  await store.read({ partition: "o0", counters: [] })
  // Gives every user earlier spending, as the store would write it.
  await pool.query(`INSERT INTO p2_budget.p2_records (partition, kind, key, value)
    SELECT 'o' || i % ${ORGANIZATIONS}, 'counter', 'user=u' || i,
      '{"spent":700,"reserved":0,"granted":0,"peak":700,"forgetAt":null}' FROM generate_series(0, ${USERS - 1}) i`)
  await pool.query("VACUUM ANALYZE p2_budget.p2_records")
  const ownPartition = (user) => `o${user % ORGANIZATIONS}`
  console.log(`Node ${process.versions.node}, ${USERS} users, ${CALLERS} callers, fsync on`)
  console.log(`all calls in the hot organization: ${await measure(store, () => "hot")}`)
  console.log(`half of them in it: ${await measure(store, (user) => (random(2) === 0 ? "hot" : ownPartition(user)))}`)
  console.log(`the hot organization in 8 partitions: ${await measure(store, (user) => `hot.${user % 8}`)}`)
  console.log(`none in it: ${await measure(store, ownPartition)}`)
} finally {
  await store.close()
  await pool.end()
  await server.stop()
}
