import { describe, expect, it, vi } from "vitest"
import { factsOf } from "../../src/redis/server-check"
import { cell, reserveRequest } from "../../src/testing/requests"
import { failureOf, noServer, serverAndStore } from "./own-server"

/** No test here is about the timeout, and the machine may be busy. */
const PATIENT = { timeoutMs: 20_000 }
const request = reserveRequest("main", "r1", [cell("a", 1, 10)])

describe.skipIf(noServer)("the first use looks at the server", () => {
  it("an evicting policy under a limit of memory is refused before any money is counted", async () => {
    const { client, store } = await serverAndStore({
      args: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
      store: PATIENT,
    })
    const calls = [() => store.reserve(request), () => store.check!(), () => store.read({ root: "main", keys: ["a"] })]
    for (const call of calls) {
      const failure = await failureOf(call())
      expect(failure).toMatchObject({ code: "misconfigured", applied: "no" })
      expect(failure.message).toContain("noeviction")
    }
    expect(await client.dbsize()).toBe(0)
    await client.config("SET", "maxmemory-policy", "noeviction")
    expect(await store.reserve(request)).toMatchObject({ result: "ok" })
  })

  it("an evicting policy without a limit of memory is one warning", async () => {
    const onWarning = vi.fn()
    const { store } = await serverAndStore({
      args: ["--maxmemory-policy", "volatile-ttl"],
      store: { ...PATIENT, onWarning },
    })
    await store.reserve(request)
    await store.reserve({ ...request, id: "r2" })
    await store.check!()
    expect(onWarning).toHaveBeenCalledTimes(1)
    expect(onWarning.mock.calls[0]![0]).toContain("volatile-ttl")
  })

  it("a replica is refused", async () => {
    const { server } = await serverAndStore({ store: PATIENT })
    const { store } = await serverAndStore({ args: ["--replicaof", server.host, String(server.port)], store: PATIENT })
    const failure = await failureOf(store.reserve(request))
    expect(failure).toMatchObject({ code: "misconfigured", applied: "no" })
    expect(failure.message).toContain("replica")
  })

  it("a user who may not run scripts is refused with what to do", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.acl("SETUSER", "default", "-@scripting")
    expect(await failureOf(store.reserve(request))).toMatchObject({ code: "misconfigured", applied: "no" })
  })

  it.each([
    [[], "process"],
    [["--appendonly", "yes", "--appendfsync", "everysec"], "second"],
    [["--appendonly", "yes", "--appendfsync", "always"], "disk"],
    [["--appendonly", "yes", "--appendfsync", "no"], "process"],
  ] as const)("durability with %j is %s", async (args, durability) => {
    const { store } = await serverAndStore({ args: [...args], store: PATIENT })
    expect(await store.check!()).toEqual({ ok: true, durability, warnings: [] })
  })

  it("reads what INFO says, and takes what is absent as unknown", () => {
    expect(factsOf("redis_version:7.2.4\r\nrole:slave\r\nmaxmemory:5\r\naof_enabled:1\r\n", "always")).toEqual({
      version: "7.2.4",
      replica: true,
      policy: "unknown",
      maxmemory: 5,
      appendOnly: true,
      appendFsync: "always",
    })
  })
})
