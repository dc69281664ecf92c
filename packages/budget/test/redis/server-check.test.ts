import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it, vi } from "vitest"
import { redisStore } from "../../src/redis"
import { factsOf } from "../../src/redis/server-check"
import { counter, reserveRequest, settleRequest, usageEntry } from "../../src/testing/requests"
import { failureOf, noServer, PATIENT, serverAndStore } from "./own-server"

const request = reserveRequest("main", "r1", [counter("a", 1, 10)])

/** The rules for a user in docs/redis-layout.md: by category, and command by command. */
function documentedRules(): [what: string, rules: string][] {
  const page = readFileSync(fileURLToPath(new URL("../../docs/redis-layout.md", import.meta.url)), "utf8")
  const rules = [...page.matchAll(/`(\+eval[^`]*)`/g)].map((found) => found[1]!)
  expect(rules).toHaveLength(2)
  return [
    ["categories", rules[0]!],
    ["commands", rules[1]!],
  ]
}

describe.skipIf(noServer)("the server is checked before the first call", () => {
  it("an evicting policy under a limit of memory is rejected before anything is written", async () => {
    const { client, store } = await serverAndStore({
      args: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
      store: PATIENT,
    })
    for (const call of [() => store.reserve(request), () => store.read({ partition: "main", counters: ["a"] })]) {
      const failure = await failureOf(call())
      expect(failure).toMatchObject({ code: "store-misconfigured", applied: "no" })
      expect(failure.message).toContain("maxmemory-policy is allkeys-lru with a maxmemory of 104857600 bytes")
      expect(failure.message).toContain("expected noeviction")
    }
    expect(await store.check()).toMatchObject({ ok: false, warnings: [expect.stringContaining("noeviction")] })
    expect(await client.dbsize()).toBe(0)
    await client.config("SET", "maxmemory-policy", "noeviction")
    expect(await store.reserve(request)).toMatchObject({ status: "ok" })
    expect(await store.check()).toMatchObject({ ok: true, warnings: [] })
  })

  it("an evicting policy that is set while the store is connected stops it at the next check, at most 10 s later", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await store.reserve(request)
    await client.config("SET", "maxmemory", "100mb")
    await client.config("SET", "maxmemory-policy", "allkeys-lru")
    const read = () => store.read({ partition: "main", counters: ["a"] })
    const now = performance.now.bind(performance)
    vi.spyOn(performance, "now").mockImplementation(() => now() + 11_000)
    // This call starts the check; one that comes after it is rejected.
    await read()
    await vi.waitFor(async () => expect((await failureOf(read())).code).toBe("store-misconfigured"), 60_000)
    vi.restoreAllMocks()
    await client.config("SET", "maxmemory-policy", "noeviction")
    expect(await read()).toMatchObject({ counters: [{ reserved: 1 }] })
  })

  it("an evicting policy without a limit of memory is one warning", async () => {
    const { store } = await serverAndStore({ args: ["--maxmemory-policy", "volatile-ttl"], store: PATIENT })
    expect(await store.reserve(request)).toMatchObject({ status: "ok" })
    const { ok, warnings } = await store.check()
    expect([ok, warnings.length]).toEqual([true, 1])
    expect(warnings[0]).toContain("volatile-ttl")
  })

  it("a replica is rejected", async () => {
    const { server } = await serverAndStore({ store: PATIENT })
    const { store } = await serverAndStore({ args: ["--replicaof", server.host, String(server.port)], store: PATIENT })
    const failure = await failureOf(store.reserve(request))
    expect(failure).toMatchObject({ code: "store-misconfigured", applied: "no" })
    expect(failure.message).toContain("replica")
  })

  it.each([
    ["may not run scripts", ["-@scripting"], "ACL"],
    ["may run scripts but not every command in them", ["-hset"], "denies HSET"],
    ["may run scripts that read only", ["-@write"], "denies DEL"],
    ["may not write the store's keys", ["resetkeys", "~other:*"], "ACL"],
  ])("a user who %s is rejected before anything is written", async (_, rules, message) => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.acl("SETUSER", "default", ...rules)
    const failure = await failureOf(store.reserve(request))
    expect(failure).toMatchObject({ code: "store-misconfigured", applied: "no" })
    expect(failure.message).toContain(message)
    await client.acl("SETUSER", "default", "+@all", "allkeys")
    expect(await client.dbsize()).toBe(0)
    expect(await store.reserve(request)).toMatchObject({ status: "ok" })
  })

  it.each(documentedRules())("a user with the documented %s on the store's keys is enough", async (_, rules) => {
    const { client, server } = await serverAndStore()
    await client.acl("SETUSER", "app", "on", ">secret", "~p2:*", ...rules.split(/\s+/))
    const { Redis } = await import("ioredis")
    const own = new Redis({ port: server.port, username: "app", password: "secret", lazyConnect: true })
    const store = redisStore({ client: own, ...PATIENT })
    const partition = "main"
    expect(await store.check({ partition })).toMatchObject({ ok: true, durability: "process" })
    const [first, second] = ["r1", "r2"].map((key) => reserveRequest(partition, key, [counter("a", 1)])) as [
      typeof request,
      typeof request,
    ]
    for (const each of [first, second]) expect(await store.reserve(each)).toMatchObject({ status: "ok" })
    const settle = settleRequest(first, [1], { entry: usageEntry("q", 1) })
    expect(await store.settle(settle)).toMatchObject({ status: "settled" })
    await store.extend({ partition, key: "r2", leaseMs: 1 })
    await store.expire({ partition, key: "r2", counters: ["a"] })
    await store.listDue({ partition, limit: 1 })
    const ref = { name: "a", startsAt: null, endsAt: null, keepMs: null }
    expect(await store.adjust({ partition, key: "top-up", counter: ref, kind: "spent", delta: 1 })).toMatchObject({
      status: "ok",
    })
    expect(await store.listCounters({ partition, cursor: null, limit: 10 })).toMatchObject({ damaged: [] })
    const ledger = store.ledger!
    expect(await ledger.get({ partition, requestId: "q" })).toHaveLength(1)
    expect(await ledger.totals({ partition, filter: {}, groupBy: [], buckets: null })).toMatchObject([{ attempts: 1 }])
    await ledger.record({ partition, key: "denied", entry: usageEntry("d", 0, { status: "denied" }) })
    expect(await ledger.prune({ partition, before: Date.now() + 60_000 })).toMatchObject({ removed: 2 })
    await store.acceptClock({ partition })
    await store.close?.()
    own.disconnect()
  })

  it("the error names HGETALL, which lists of commands easily omit", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.acl("SETUSER", "default", "-hgetall")
    expect((await failureOf(store.reserve(request))).message).toContain("denies HGETALL")
  })

  it("a wrong password is `store-misconfigured`, and the error does not contain it", async () => {
    const { client, server } = await serverAndStore()
    await client.config("SET", "requirepass", "right")
    const { Redis } = await import("ioredis")
    const own = new Redis({ port: server.port, password: "WRONG-PASSWORD", lazyConnect: true })
    own.on("error", () => {})
    const store = redisStore({ client: own, timeoutMs: 1_000 })
    const failure = await failureOf(store.reserve(request))
    expect(failure).toMatchObject({ code: "store-misconfigured", applied: "no" })
    const { inspect } = await import("node:util")
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain("WRONG-PASSWORD")
    await store.close?.()
    own.disconnect()
  })

  it.each([
    [[], "process"],
    [["--appendonly", "yes", "--appendfsync", "everysec"], "second"],
    [["--appendonly", "yes", "--appendfsync", "always"], "disk"],
    [["--appendonly", "yes", "--appendfsync", "no"], "process"],
  ] as const)("durability with %j is %s", async (args, durability) => {
    const { store } = await serverAndStore({ args: [...args], store: PATIENT })
    expect(await store.check()).toEqual({ ok: true, durability, warnings: [] })
  })

  it("parses INFO, and treats missing fields as unknown", () => {
    expect(factsOf("redis_version:7.2.4\r\nrole:slave\r\nmaxmemory:5\r\naof_enabled:1\r\n", "always")).toEqual({
      version: "7.2.4",
      isReplica: true,
      policy: "unknown",
      maxmemory: 5,
      appendOnly: true,
      appendFsync: "always",
    })
  })
})
