import { type Records, type Storage, type StoreCheck, StoreError, type Write } from "@p2/budget/store"
import { inTransaction, type PostgresPool, type Query, type Row } from "./connection"
import { lockId, migrate, rejectNewer } from "./schema"
import { readTotals, usageConditions, writeUsage } from "./usage"

const PAGE = 1_000
const QUERY_TIMEOUT_MS = 30_000
/** Writes between two steps of housekeeping. Each may delete twice as many records, so that it keeps up. */
const HOUSEKEEPING_EVERY = 256

export interface PostgresStorageOptions {
  pool: PostgresPool
  schema: string
  timeoutMs: number
  now: (() => number) | undefined
}

/** Text records in one table of a PostgreSQL database, for any number of processes. */
export function createPostgresStorage({ pool, schema, timeoutMs, now }: PostgresStorageOptions): Storage {
  const records = `"${schema}".p2_records`
  const running = new Set<Promise<unknown>>()
  let ready: Promise<void> | undefined
  let isClosed = false
  let writesSinceHousekeeping = 0
  /** Most kinds of tokens in one entry so far: the columns that totals sum. */
  let tokenKinds = 2

  // Without a listener, an idle connection that is lost would end the process.
  if (pool.listenerCount("error") === 0) pool.on("error", () => {})

  /** Runs `work` once the tables exist. `close` waits for it. */
  async function run<T>(work: () => Promise<T>): Promise<T> {
    if (isClosed) throw new StoreError("The store is closed.", { code: "store-unavailable", applied: "no" })
    ready ??= migrate(pool, schema).catch((error: unknown) => {
      ready = undefined
      throw error
    })
    const promise = ready.then(work)
    running.add(promise)
    return promise.finally(() => running.delete(promise))
  }

  /** A query of the ledger, which may take long. */
  const read = (sql: string, values: unknown[]) =>
    run(() => inTransaction(pool, { readOnly: true, timeoutMs: QUERY_TIMEOUT_MS }, (query) => query(sql, values)))

  /** Runs `work` with the lock of the partition, unless it only reads. */
  function inPartition<T>(
    partition: string,
    readOnly: boolean,
    work: (query: Query, clock: number) => Promise<T>,
  ): Promise<T> {
    const time = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock"
    const lock = readOnly ? "" : `SELECT pg_advisory_xact_lock(${lockId(schema, partition)});`
    const first = `${lock} SELECT ${time}, version FROM "${schema}".p2_meta`
    return run(() =>
      inTransaction(pool, { readOnly, timeoutMs, first, flushAfter: !readOnly }, (query, [meta]) => {
        // A process with a newer version of this package may have migrated the tables.
        rejectNewer(Number(meta?.version))
        return work(query, now === undefined ? Number(meta?.clock) : now())
      }),
    )
  }

  /** Calls of `get` and `due` in one turn are one statement. */
  function recordsOf(query: Query, partition: string, clock: number): Records {
    let next: { kinds: string[]; keys: string[]; due: number; rows: Promise<Row[]> } | undefined
    function collect() {
      const batch = { kinds: [] as string[], keys: [] as string[], due: 0, rows: Promise.resolve([] as Row[]) }
      batch.rows = Promise.resolve().then(() => {
        next = undefined
        return query(
          `SELECT kind, key, value FROM ${records}
          WHERE partition = $1 AND (kind, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))
          UNION ALL (SELECT 'due', key, NULL FROM ${records}
          WHERE partition = $1 AND kind = 'reservation' AND at <= $4 ORDER BY at, key LIMIT $5)`,
          [partition, batch.kinds, batch.keys, clock, batch.due],
        )
      })
      return batch
    }
    return {
      clock,
      async get(kind, keys) {
        next ??= collect()
        for (const key of keys) {
          next.kinds.push(kind)
          next.keys.push(key)
        }
        const rows = await next.rows
        return new Map(rows.filter((row) => row.kind === kind).map(({ key, value }) => [key!, value!]))
      },
      async due(limit) {
        next ??= collect()
        next.due = limit
        const rows = await next.rows
        return rows.filter(({ kind }) => kind === "due").map(({ key }) => key!)
      },
    }
  }

  async function write(query: Query, partition: string, writes: Write[]): Promise<void> {
    const puts = writes.filter(({ value }) => value !== null)
    const deletions = writes.filter(({ value }) => value === null)
    const column = <Name extends keyof Write>(of: Write[], name: Name) => of.map((each) => each[name] ?? null)
    if (puts.length > 0)
      await query(
        `INSERT INTO ${records} SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
        ON CONFLICT (partition, kind, key)
        DO UPDATE SET value = excluded.value, at = excluded.at, forget_at = excluded.forget_at`,
        [partition, ...(["kind", "key", "value", "at", "forgetAt"] as const).map((name) => column(puts, name))],
      )
    const entries = puts.filter(({ kind }) => kind === "entry")
    if (entries.length > 0) await writeUsage(query, `"${schema}"`, partition, entries)
    // Only `prune` deletes entries.
    if (deletions.length > 0)
      await query(
        `DELETE FROM ${records} WHERE partition = $1 AND (kind, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
        [partition, column(deletions, "kind"), column(deletions, "key")],
      )
  }

  /** Deletes some records that are forgotten, of any partition. Takes no lock, skips records in use and does not wait for the disk. */
  function forgetSome(clock: number): void {
    const first = "SET LOCAL synchronous_commit = off"
    const sql = `DELETE FROM ${records} WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM ${records} WHERE forget_at <= $1 LIMIT ${2 * HOUSEKEEPING_EVERY} FOR UPDATE SKIP LOCKED))`
    // The next step tries again.
    run(() => inTransaction(pool, { timeoutMs, first }, (query) => query(sql, [clock]))).catch(() => {})
  }

  return {
    name: "postgres",
    shared: true,
    clock: now === undefined ? "server" : "process",
    // Longer than the transaction may take, so that its caller gets the error of the transaction itself.
    timeoutMs: timeoutMs + 1_000,
    async transaction(partition, body, { readOnly }) {
      let clock = 0
      const { result, writes } = await inPartition(partition, readOnly, async (query, time) => {
        clock = time
        const done = await body(recordsOf(query, partition, time))
        await write(query, partition, done.writes)
        return done
      })
      writesSinceHousekeeping += writes.length
      if (writesSinceHousekeeping >= HOUSEKEEPING_EVERY) {
        writesSinceHousekeeping = 0
        forgetSome(clock)
      }
      return result
    },
    async *scan(partition, { filter, newestFirst, after }) {
      const [operator, order] = newestFirst ? ["<", "DESC"] : [">", "ASC"]
      const { conditions, values } = usageConditions(partition, filter)
      const position = [values.length + 1, values.length + 2].map((number) => `$${number}`)
      const sql = `SELECT at, key, (SELECT value FROM ${records} r
          WHERE r.partition = u.partition AND r.kind = 'entry' AND r.key = u.key)
        FROM "${schema}".p2_usage u WHERE ${conditions} AND (at, key) ${operator} (${position})
        ORDER BY at ${order}, key ${order} LIMIT ${PAGE}`
      let last = after ?? { at: newestFirst ? Number.MAX_SAFE_INTEGER : -1, key: "" }
      for (;;) {
        const rows = await read(sql, [...values, last.at, last.key])
        for (const { value } of rows) yield value!
        if (rows.length < PAGE) return
        last = { at: Number(rows.at(-1)!.at), key: rows.at(-1)!.key! }
      }
    },
    async totals(partition, query) {
      const { totals, widest } = await run(() =>
        inTransaction(pool, { readOnly: true, timeoutMs: QUERY_TIMEOUT_MS }, (send) =>
          readTotals(send, `"${schema}"`, partition, query, tokenKinds),
        ),
      )
      tokenKinds = Math.max(tokenKinds, widest)
      return totals
    },
    async keys(partition, kind, { after, limit }) {
      const sql = `SELECT key FROM ${records} WHERE partition = $1 AND kind = $2 AND key > $3 ORDER BY key LIMIT $4`
      return (await read(sql, [partition, kind, after, limit])).map(({ key }) => key!)
    },
    async prune(partition, before) {
      const sql = `WITH old AS (DELETE FROM "${schema}".p2_usage WHERE partition = $1 AND key IN (
          SELECT key FROM "${schema}".p2_usage WHERE partition = $1 AND at < $2 ORDER BY at, key LIMIT ${PAGE})
          RETURNING key)
        DELETE FROM ${records} WHERE partition = $1 AND kind = 'entry' AND key IN (SELECT key FROM old) RETURNING key`
      for (let removed = 0; ; ) {
        const rows = await inPartition(partition, false, (query) => query(sql, [partition, before]))
        removed += rows.length
        if (rows.length < PAGE) return removed
      }
    },
    async check() {
      const settings = ["fsync", "synchronous_commit", "default_transaction_read_only", "server_encoding"]
      const columns = settings.map((name) => `current_setting('${name}') AS ${name}`).join(", ")
      const persistence = `(SELECT relpersistence FROM pg_class WHERE oid = '${records}'::regclass) AS persistence`
      const [row] = await read(`SELECT ${columns}, pg_is_in_recovery() AS standby, ${persistence}`, [])
      return describeServer(row!)
    },
    async close() {
      await Promise.allSettled(running)
      isClosed = true
    },
  }
}

function describeServer(row: Row): StoreCheck {
  const warnings: string[] = []
  if (row.standby === "t") warnings.push("The server is a standby, which is read-only. Connect to the primary.")
  if (row.default_transaction_read_only === "on") warnings.push("default_transaction_read_only is on.")
  if (row.server_encoding !== "UTF8") warnings.push(`The encoding is ${row.server_encoding}, expected UTF8.`)
  if (row.persistence !== "p") warnings.push("The table is UNLOGGED: a crash of the server empties it.")
  const ok = warnings.length === 0
  if (row.fsync === "off") warnings.push("fsync is off: a power cut may damage the database.")
  const durable = row.synchronous_commit === "off" ? "second" : "disk"
  return { ok, warnings, durability: row.persistence !== "p" ? "none" : row.fsync === "off" ? "process" : durable }
}
