import { rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import { inspect } from "node:util"
import { type PostgresPool, postgresStore } from "@p2/budget-postgres"
import { Pool } from "pg"
import { expect, it, onTestFinished } from "vitest"
import { counter, entryOf, reserveOf, settleOf } from "../../budget/test/adapters/requests"
import { failureOf, poolOf, serverForFile, storeOn } from "./support/server-and-store"

const file = serverForFile()
const counters = [counter.name]
const reserved = (amount: number) => ({ counters: [expect.objectContaining({ reserved: amount })] })

it.each([
  ["fsync on", "", { ok: true, durability: "disk", warnings: [] }],
  ["synchronous_commit off", "-c synchronous_commit=off", { ok: true, durability: "second", warnings: [] }],
])("check reports the durability: %s", async (_, options, expected) => {
  await file.server.restart({ fsync: "on" })
  const store = storeOn(poolOf(file.server, { options }), { schema: "durable" })
  expect(await store.check()).toEqual(expected)
  await file.server.restart({ fsync: "off" })
})

it("check warns of fsync off, and rejects UNLOGGED tables", async () => {
  const pool = poolOf(file.server)
  const store = storeOn(pool, { schema: "checked" })
  expect(await store.check()).toMatchObject({
    ok: true,
    durability: "process",
    warnings: [expect.stringContaining("fsync is off")],
  })
  for (const table of ["records", "usage"]) {
    await pool.query(`ALTER TABLE checked.p2_${table} SET UNLOGGED`)
    expect(await store.check()).toMatchObject({ ok: false, durability: "none" })
    await pool.query(`ALTER TABLE checked.p2_${table} SET LOGGED`)
  }
})

it("on a read-only server nothing is admitted or settled, and check reports it", async () => {
  await storeOn(poolOf(file.server), { schema: "read_only" }).reserve(reserveOf("r1"))
  const pool = poolOf(file.server, { options: "-c default_transaction_read_only=on" })
  const store = storeOn(pool, { schema: "read_only" })
  for (const call of [store.reserve(reserveOf("r2")), store.settle(settleOf("r1"))])
    expect(await failureOf(call)).toMatchObject({ code: "store-misconfigured", applied: "no" })
  expect(await store.read({ partition: "main", counters })).toMatchObject(reserved(1))
  expect(await store.check()).toMatchObject({ ok: false })
})

it("on a standby nothing is admitted; once it is promoted the store works again", async () => {
  const pool = poolOf(file.server)
  pool.on("error", () => {})
  const store = storeOn(pool, { schema: "standby" })
  await store.reserve(reserveOf("r1"))
  const signal = join(file.server.dir, "data", "standby.signal")
  writeFileSync(signal, "")
  await file.server.restart()
  expect(await failureOf(store.reserve(reserveOf("r2")))).toMatchObject({ applied: "no" })
  expect(await store.read({ partition: "main", counters })).toMatchObject(reserved(1))
  const warnings = expect.arrayContaining([expect.stringContaining("standby")])
  expect(await store.check()).toMatchObject({ ok: false, warnings })
  rmSync(signal, { force: true })
  await file.server.restart()
  expect(await store.reserve(reserveOf("r2"))).toMatchObject({ status: "ok" })
  expect(await store.check()).toMatchObject({ ok: true })
})

it("after the server was killed, calls reject, and the next ones work on the same pool, although it has no listener", async () => {
  const pool = poolOf(file.server)
  const store = storeOn(pool, { schema: "killed" })
  await Promise.all(
    Array.from({ length: 5 }, (_, index) => store.reserve({ ...reserveOf("r1"), partition: `p${index}` })),
  )
  await file.server.kill()
  for (let index = 0; index < 5; index++)
    expect(await failureOf(store.reserve(reserveOf(`down${index}`)))).toMatchObject({ code: "store-unavailable" })
  await file.server.restart()
  expect(await store.reserve({ ...reserveOf("r1"), partition: "p1" })).toMatchObject({ status: "ok", replayed: true })
})

it("a server that goes away in the message that completes the connection fails the call, and does not end the process", async () => {
  const text = (parts: string[]) => Buffer.from(`${parts.join("\0")}\0\0`)
  const message = (type: string, body: Buffer) => {
    const head = Buffer.from(`${type}1234`)
    head.writeInt32BE(body.length + 4, 1)
    return Buffer.concat([head, body])
  }
  // The protocol's AuthenticationOk, ReadyForQuery and ErrorResponse.
  const goodbye = [
    message("R", Buffer.alloc(4)),
    message("Z", Buffer.from("I")),
    message("E", text(["SFATAL", "C57P01", "Mterminating connection"])),
  ]
  const server = createServer((socket) => {
    socket.on("error", () => {})
    socket.once("data", () => socket.end(Buffer.concat(goodbye)))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const pool = new Pool({ connectionString: `postgres://app@127.0.0.1:${port}/app` })
  const store = postgresStore({ pool })
  expect(await failureOf(store.reserve(reserveOf("r1")))).toMatchObject({ code: "store-unavailable", applied: "no" })
  await store.close!()
  await pool.end()
  await new Promise((resolve) => server.close(resolve))
})

it("waits for the lock of a partition, and then rejects with applied no; calls of other partitions still work", async () => {
  const pool = poolOf(file.server)
  const store = storeOn(pool, { schema: "locked", timeoutMs: 300 })
  await store.read({ partition: "main", counters })
  const admin = await poolOf(file.server).connect()
  await admin.query("BEGIN; LOCK TABLE locked.p2_records IN ACCESS EXCLUSIVE MODE")
  const failure = await failureOf(store.reserve(reserveOf("r1")))
  expect(failure).toMatchObject({ code: "store-unavailable", applied: "no" })
  await admin.query("ROLLBACK")
  admin.release()
  expect(await store.reserve(reserveOf("r1"))).toMatchObject({ status: "ok", replayed: false })
})

it("rejects with applied no when the pool has no free connection, and returns a connection that arrives late", async () => {
  const pool = poolOf(file.server, { max: 1 })
  const store = storeOn(pool, { schema: "pooled", timeoutMs: 300 })
  await store.read({ partition: "main", counters })
  const other = await pool.connect()
  expect(await failureOf(store.reserve(reserveOf("r1")))).toMatchObject({ code: "store-unavailable", applied: "no" })
  other.release()
  expect(await store.reserve(reserveOf("r1"))).toMatchObject({ status: "ok", replayed: false })
  expect(pool.totalCount).toBe(1)
})

it("the transaction of a process that stops responding is rolled back, so that others are not blocked", async () => {
  const schema = "stopped"
  const pool = poolOf(file.server)
  const store = storeOn(pool, { schema })
  await store.read({ partition: "main", counters })
  // A connection that stops replying after its first statement, which took the lock.
  let calls = 0
  const stopping = {
    on: () => {},
    listenerCount: () => 1,
    connect: (callback: Parameters<PostgresPool["connect"]>[0]) =>
      pool.connect((error, client) => {
        if (client === undefined) return callback(error, client)
        client.on("error", () => {})
        onTestFinished(() => client.release(true))
        callback(undefined, {
          on: () => {},
          off: () => {},
          release: () => {},
          query: (query: { text: string }) => {
            calls += query.text.includes(".p2_records") ? 1 : 0
            return calls > 0 ? new Promise(() => {}) : client.query(query)
          },
        })
      }),
  }
  const stopped = postgresStore({ pool: stopping, schema, timeoutMs: 300 })
  void stopped.reserve(reserveOf("r1")).catch(() => {})
  while (calls === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(await store.reserve(reserveOf("r2"))).toMatchObject({ status: "ok" })
  expect(await store.read({ partition: "main", counters })).toMatchObject(reserved(1))
})

it.each(["40001", "40P01"])(
  "error %s in the flush after the commit says that the call may be applied",
  async (state) => {
    const schema = `flush_${state}`
    const pool = poolOf(file.server)
    const store = storeOn(pool, { schema })
    await store.read({ partition: "main", counters })
    const failing = {
      on: () => {},
      listenerCount: () => 1,
      connect: (callback: Parameters<PostgresPool["connect"]>[0]) =>
        pool.connect((error, client) => {
          if (client === undefined) return callback(error, client)
          callback(undefined, {
            on: (event, listener) => client.on(event, listener),
            off: (event, listener) => client.off(event, listener),
            release: (destroy) => client.release(destroy),
            query: async (query: { text: string }) => {
              const result = await client.query(query)
              if (query.text.startsWith("COMMIT;")) throw Object.assign(new Error("flush"), { code: state })
              return result
            },
          })
        }),
    }
    const flushing = postgresStore({ pool: failing, schema })
    expect(await failureOf(flushing.reserve(reserveOf("r1")))).toMatchObject({ applied: "maybe" })
    expect(await store.read({ partition: "main", counters })).toMatchObject(reserved(1))
  },
)

it("a full disk is an error that applies nothing and shows no value", async () => {
  const pool = poolOf(file.server)
  const store = storeOn(pool, { schema: "full_disk" })
  await store.reserve(reserveOf("r1"))
  await pool.query(`CREATE FUNCTION full_disk.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100', DETAIL = NEW::text; END $$;
    CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON full_disk.p2_records FOR EACH ROW EXECUTE FUNCTION full_disk.fail()`)
  const settle = settleOf("r1", entryOf("r1", { prompt: "secret prompt" }))
  const failure = await failureOf(store.settle(settle))
  expect(failure).toMatchObject({ code: "store-unavailable", applied: "no" })
  expect(failure.message).toContain("disk is full")
  expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain("secret prompt")
  expect(await store.read({ partition: "main", counters })).toMatchObject(reserved(1))
  await pool.query("DROP TRIGGER fail ON full_disk.p2_records")
  expect(await store.settle(settle)).toMatchObject({ status: "settled", replayed: false })
})

it.each(["40001", "40P01"])("tries again after a conflict of SQLSTATE %s", async (state) => {
  const pool = poolOf(file.server)
  const schema = `conflict_${state}`
  const store = storeOn(pool, { schema })
  await store.read({ partition: "main", counters })
  // A sequence is not rolled back, so only the first two attempts fail.
  await pool.query(`CREATE SEQUENCE "${schema}".attempts;
    CREATE FUNCTION "${schema}".fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('"${schema}".attempts') <= 2 THEN RAISE EXCEPTION 'conflict' USING ERRCODE = '${state}'; END IF;
      RETURN NEW; END $$;
    CREATE TRIGGER fail BEFORE INSERT ON "${schema}".p2_records FOR EACH STATEMENT EXECUTE FUNCTION "${schema}".fail()`)
  expect(await store.reserve(reserveOf("r1"))).toMatchObject({ status: "ok", replayed: false })
  expect((await pool.query(`SELECT last_value FROM "${schema}".attempts`)).rows).toEqual([{ last_value: "3" }])
})

it("ignores the program's type parsers for pg, and the server's defaults", async () => {
  // The first statement, which sets the timeouts, still runs with the server's timeout.
  const options = "-c default_transaction_isolation=serializable -c statement_timeout=200 -c lock_timeout=1"
  const types = { getTypeParser: () => () => "parsed by the program" }
  const pool = new Pool({ connectionString: file.server.url, options, types: types as never })
  const store = storeOn(pool, { schema: "defaults" })
  try {
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.reserve(reserveOf(`r${index}`))))
    expect(await store.read({ partition: "main", counters })).toMatchObject(reserved(20))
  } finally {
    await store.close!()
    await pool.end()
  }
})

it("housekeeping deletes what is forgotten, of other partitions too, and close leaves the pool open", async () => {
  const pool = poolOf(file.server)
  let now = Date.UTC(2026, 0, 1)
  const store = postgresStore({ pool, schema: "kept", now: () => now, retentionMs: 1_000 })
  await store.reserve({ ...reserveOf("old"), partition: "other" })
  await store.settle({ ...settleOf("old"), partition: "other" })
  now += 30 * 86_400_000
  for (let index = 0; index < 200; index++) await store.reserve(reserveOf(`r${index}`))
  await store.close!()
  const sql = "SELECT key FROM kept.p2_records WHERE partition = 'other' AND kind = 'reservation'"
  expect((await pool.query(sql)).rows).toEqual([])
  await expect(store.reserve(reserveOf("late"))).rejects.toMatchObject({ code: "store-unavailable", applied: "no" })
})
