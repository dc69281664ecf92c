import type { Found, Reads, Storage, StoreCheck, Write } from "@p2/budget/store"
import { inTransaction, type PostgresPool, type Query, type Row } from "./connection"
import { lockId, migrate, rejectNewer } from "./schema"
import { readTotals, usageConditions, usageRows, writingUsage } from "./usage"

const QUERY_TIMEOUT_MS = 30_000
/** A step deletes more records than the writes between two steps, so that it keeps up. */
const FORGET_MAX = 1_000

export interface PostgresStorageOptions {
  pool: PostgresPool
  schema: string
  timeoutMs: number
  now: (() => number) | undefined
}

/** Text records in one table of a PostgreSQL database, and usage entries in another, for any number of processes. */
export function createPostgresStorage({ pool, schema, timeoutMs, now }: PostgresStorageOptions): Storage {
  const [meta, records, usage] = ["meta", "records", "usage"].map((name) => `"${schema}".p2_${name}`) as [
    string,
    string,
    string,
  ]

  // Without a listener, an idle connection that is lost would end the process.
  if (pool.listenerCount("error") === 0) pool.on("error", () => {})

  /** Runs a query that may take a long time. */
  const inQuery = <T>(work: (query: Query) => Promise<T>) =>
    inTransaction(
      pool,
      {
        ...{ readOnly: true, timeoutMs: QUERY_TIMEOUT_MS },
        // Floating-point sums are sent exactly; groups fit into memory instead of being sorted on disk; JIT compilation
        // takes longer than the query.
        first: "SET LOCAL extra_float_digits = 1; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off",
      },
      work,
    )

  /** Runs `work` with the lock of the partition, unless it only reads. */
  function inPartition<T>(partition: string, readOnly: boolean, work: (query: Query, clock: number) => Promise<T>) {
    const time = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock"
    const lock = readOnly ? "" : `SELECT pg_advisory_xact_lock(${lockId(schema, partition)});`
    const first = `${lock} SELECT ${time}, version FROM ${meta}`
    return inTransaction(pool, { readOnly, timeoutMs, first, ...(!readOnly && { flush: "after" }) }, (query, [row]) => {
      // A process with a newer version of this package may have migrated the tables.
      rejectNewer(Number(row?.version))
      return work(query, now === undefined ? Number(row?.clock) : now())
    })
  }

  async function find(query: Query, partition: string, clock: number, { records: keys, due }: Reads): Promise<Found> {
    const rows = await query(
      `SELECT kind, key, value FROM ${records}
      WHERE partition = $1 AND (kind, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))
      UNION ALL (SELECT NULL, key, NULL FROM ${records}
      WHERE partition = $1 AND kind = 'reservation' AND at <= $4 ORDER BY at, key LIMIT $5)`,
      [partition, column(keys, "kind"), column(keys, "key"), clock, due],
    )
    const found = rows.filter(({ kind }) => kind !== null) as unknown as Found["records"]
    return { clock, records: found, due: rows.filter(({ kind }) => kind === null).map(({ key }) => key!) }
  }

  async function write(query: Query, partition: string, writes: Write[]): Promise<void> {
    const puts = writes.filter(({ value }) => value !== null)
    const deletions = writes.filter(({ value }) => value === null)
    const entries = puts.filter(({ kind }) => kind === "entry")
    if (puts.length > 0) {
      const values = (["kind", "key", "value", "at", "forgetAt"] as const).map((name) => column(puts, name))
      // One statement, because a round trip takes longer than both writes.
      await query(
        `${entries.length > 0 ? `WITH ${writingUsage(usage, "$1", "$7::jsonb")}` : ""}
        INSERT INTO ${records} SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
        ON CONFLICT (partition, kind, key)
        DO UPDATE SET value = excluded.value, at = excluded.at, forget_at = excluded.forget_at`,
        [partition, ...values, ...(entries.length > 0 ? [usageRows(entries)] : [])],
      )
    }
    // Only `prune` deletes entries.
    if (deletions.length > 0)
      await query(
        `DELETE FROM ${records} WHERE partition = $1 AND (kind, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
        [partition, column(deletions, "kind"), column(deletions, "key")],
      )
  }

  return {
    ...{ name: "postgres", shared: true, clock: now === undefined ? "server" : "process", timeoutMs },
    open: () => migrate(pool, schema),
    transaction: (partition, reads, decide) =>
      inPartition(partition, false, async (query, clock) => {
        const { result, writes } = decide(await find(query, partition, clock, reads))
        await write(query, partition, writes)
        return result
      }),
    read: (partition, reads) => inPartition(partition, true, (query, clock) => find(query, partition, clock, reads)),
    async entries(partition, { filter, newestFirst, after, limit }) {
      const { conditions, values, parameter } = usageConditions(partition, filter)
      const [operator, order] = newestFirst ? ["<", "DESC"] : [">", "ASC"]
      conditions.push(`(at, key) ${operator} (${parameter(after.at)}, ${parameter(after.key)})`)
      const sql = `SELECT at, key, (SELECT value FROM ${records} r
          WHERE r.partition = u.partition AND r.kind = 'entry' AND r.key = u.key) AS value
        FROM ${usage} u WHERE ${conditions.join(" AND ")} ORDER BY at ${order}, key ${order} LIMIT ${limit}`
      const rows = await inQuery((query) => query(sql, values))
      return rows.map(({ at, key, value }) => ({ at: Number(at), key: key!, value: value! }))
    },
    async keys(partition, kind, { after, limit }) {
      const sql = `SELECT key FROM ${records} WHERE partition = $1 AND kind = $2 AND key > $3 ORDER BY key LIMIT $4`
      return (await inQuery((query) => query(sql, [partition, kind, after, limit]))).map(({ key }) => key!)
    },
    async prune(partition, before, limit) {
      const sql = `WITH old AS (DELETE FROM ${usage} WHERE partition = $1 AND key IN (
          SELECT key FROM ${usage} WHERE partition = $1 AND at < $2 ORDER BY at, key LIMIT $3)
          RETURNING key)
        DELETE FROM ${records} WHERE partition = $1 AND kind = 'entry' AND key IN (SELECT key FROM old) RETURNING key`
      return (await inPartition(partition, false, (query) => query(sql, [partition, before, limit]))).length
    },
    async forget(before) {
      // Takes no lock of a partition, and skips records in use.
      const sql = `DELETE FROM ${records} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ${records} WHERE forget_at <= $1 LIMIT ${FORGET_MAX} FOR UPDATE SKIP LOCKED))`
      await inTransaction(pool, { timeoutMs, flush: "never" }, (query) => query(sql, [before]))
    },
    totals: (partition, query) => inQuery((send) => readTotals(send, usage, partition, query)),
    async check() {
      const settings = ["fsync", "synchronous_commit", "default_transaction_read_only", "server_encoding"]
      const columns = settings.map((name) => `current_setting('${name}') AS ${name}`).join(", ")
      const unlogged = `EXISTS (SELECT FROM pg_class WHERE relpersistence <> 'p'
        AND oid IN ('${records}'::regclass, '${usage}'::regclass)) AS unlogged`
      const sql = `SELECT ${columns}, pg_is_in_recovery() AS standby, ${unlogged}`
      return describeServer((await inQuery((query) => query(sql)))[0]!)
    },
  }
}

function column<Name extends string>(of: readonly { [Key in Name]?: unknown }[], name: Name): unknown[] {
  return of.map((each) => each[name] ?? null)
}

function describeServer(row: Row): StoreCheck {
  const warnings: string[] = []
  if (row.standby === "t") warnings.push("The server is a standby, which is read-only. Connect to the primary.")
  if (row.default_transaction_read_only === "on") warnings.push("default_transaction_read_only is on.")
  if (row.server_encoding !== "UTF8") warnings.push(`The encoding is ${row.server_encoding}, expected UTF8.`)
  if (row.unlogged === "t") warnings.push("A table is UNLOGGED: a crash of the server empties it.")
  const ok = warnings.length === 0
  if (row.fsync === "off") warnings.push("fsync is off: a power cut may damage the database.")
  const durable = row.synchronous_commit === "off" ? "second" : "disk"
  return { ok, warnings, durability: row.unlogged === "t" ? "none" : row.fsync === "off" ? "process" : durable }
}
