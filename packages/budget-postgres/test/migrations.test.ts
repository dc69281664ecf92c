import { expect, it } from "vitest"
import { counter, reserveOf } from "../../budget/test/adapters/requests"
import { failureOf, poolOf, serverForFile, storeOn } from "./support/server-and-store"

const file = serverForFile()
const counters = [counter.name]

it("stores that start concurrently create the tables once, and lose no reservation", async () => {
  const pools = Array.from({ length: 8 }, () => poolOf(file.server, { max: 2 }))
  const stores = pools.map((pool) => storeOn(pool, { schema: "at_once" }))
  const replies = await Promise.all(stores.map((store, index) => store.reserve(reserveOf(`r${index}`))))
  expect(replies.map(({ status }) => status)).toEqual(Array(8).fill("ok"))
  expect((await stores[0]!.read({ partition: "main", counters })).counters[0]).toMatchObject({ reserved: 8 })
  const versions = await pools[0]!.query("SELECT version FROM at_once.p2_meta")
  expect(versions.rows).toEqual([{ version: 1 }])
})

it("keeps two schemas of a database apart", async () => {
  const pool = poolOf(file.server)
  const [one, other] = [storeOn(pool, { schema: "one" }), storeOn(pool, { schema: "Other" })]
  await one.reserve(reserveOf("r1"))
  expect((await other.read({ partition: "main", counters })).counters[0]).toMatchObject({ reserved: 0 })
  expect(await other.reserve(reserveOf("r1", 2))).toMatchObject({ status: "ok", replayed: false })
})

it("leaves the objects of other programs in its schema alone", async () => {
  const pool = poolOf(file.server)
  await pool.query("CREATE SCHEMA beside; CREATE TABLE beside.theirs AS SELECT 1 AS n")
  await storeOn(pool, { schema: "beside" }).reserve(reserveOf("r1"))
  expect((await pool.query("SELECT n FROM beside.theirs")).rows).toEqual([{ n: 1 }])
})

it("rejects a schema where another program has a table of the same name, and changes nothing", async () => {
  const pool = poolOf(file.server)
  await pool.query("CREATE SCHEMA taken; CREATE TABLE taken.p2_records AS SELECT 1 AS n")
  const failure = await failureOf(storeOn(pool, { schema: "taken" }).reserve(reserveOf("r1")))
  expect(failure).toMatchObject({ code: "store-misconfigured", applied: "no" })
  expect(failure.message).toContain("Set `schema` to another name")
  const tables = "SELECT relname FROM pg_class WHERE relnamespace = 'taken'::regnamespace AND relkind = 'r'"
  expect((await pool.query(tables)).rows).toEqual([{ relname: "p2_records" }])
})

it("rejects tables of a newer version, at the start and while it runs", async () => {
  const pool = poolOf(file.server)
  const running = storeOn(pool, { schema: "newer" })
  await running.reserve(reserveOf("r1"))
  await pool.query("UPDATE newer.p2_meta SET version = 2")
  for (const store of [running, storeOn(pool, { schema: "newer" })]) {
    const failure = await failureOf(store.reserve(reserveOf("r2")))
    expect(failure).toMatchObject({ code: "store-misconfigured", applied: "no" })
    expect(failure.message).toContain("schema version 2; this version of @p2/budget-postgres supports 1")
  }
  await pool.query("UPDATE newer.p2_meta SET version = 1")
  expect((await running.read({ partition: "main", counters })).counters[0]).toMatchObject({ reserved: 1 })
})

it("works for a role that may use the tables and create nothing", async () => {
  const admin = poolOf(file.server)
  await storeOn(admin, { schema: "granted" }).reserve(reserveOf("r1"))
  await admin.query(`CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA granted TO app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA granted TO app`)
  const pool = poolOf(file.server, { connectionString: file.server.url.replace("postgres@", "app@") })
  expect(await storeOn(pool, { schema: "granted" }).reserve(reserveOf("r2"))).toMatchObject({ status: "ok" })
  const failure = await failureOf(storeOn(pool, { schema: "not_granted" }).reserve(reserveOf("r1")))
  expect(failure).toMatchObject({ code: "store-misconfigured", applied: "no" })
})
