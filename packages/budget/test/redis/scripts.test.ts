import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it, vi } from "vitest"
// @ts-expect-error: plain JavaScript without types
import { generateScripts } from "../../scripts/build-lua.mjs"
import { SCRIPTS } from "../../src/redis/generated/scripts"
import { adjustRequest, counter, reserveRequest, settleRequest, usageEntry } from "../../src/testing/requests"
import { noServer, PATIENT, serverAndStore } from "./own-server"

const folder = fileURLToPath(new URL("../../src/redis/lua/", import.meta.url))
const generated = fileURLToPath(new URL("../../src/redis/generated/scripts.ts", import.meta.url))
const files = readdirSync(folder).filter((file) => file.endsWith(".lua"))

describe("the Lua scripts", () => {
  it("match the generated file: run `node scripts/build-lua.mjs` if this fails", () => {
    expect(readFileSync(generated, "utf8")).toBe(generateScripts())
    expect(Object.keys(SCRIPTS)).toHaveLength(files.length)
  })

  it.each(files)("%s names its keys and its reply in the first lines, and includes nothing unresolved", (file) => {
    const head = readFileSync(`${folder}${file}`, "utf8").split("\n").slice(0, 10).join("\n")
    expect(head).toMatch(/^-- .+\.$/m)
    expect(head).toMatch(/^-- KEYS: 1 /m)
    expect(head).toMatch(/^-- Reply: /m)
    expect(
      Object.values(SCRIPTS)
        .map(({ lua }) => lua)
        .join("\n"),
    ).not.toContain("@include")
  })

  it.skipIf(noServer)(
    "touch no key that they do not declare, whatever they do: the server reports each command",
    async () => {
      let now = Date.UTC(2060, 0, 1)
      const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
      await client.ping()
      const monitor = await client.monitor()
      const undeclared: string[] = []
      let declared: string[] = []
      let commands = 0
      monitor.on("monitor", (_time: string, [name, ...args]: string[], source: string) => {
        if (/^eval/i.test(name!)) declared = args.slice(2, 2 + Number(args[1]))
        if (source !== "lua" || /^(?:time|scan|info)$/i.test(name!)) return
        commands++
        const keys = /^del$/i.test(name!) ? args : args.slice(0, 1)
        for (const key of keys) if (!declared.includes(key)) undeclared.push(`${name} ${key}`)
      })
      const day = { startsAt: now, endsAt: now + 86_400_000 }
      const request = (key: string) =>
        reserveRequest("main", key, [counter("a", 5), counter("day", 5, 50, day)], { leaseMs: 1_000 })
      const names = ["a", "day"]
      for (const key of ["r1", "r2", "r3", "r4"]) await store.reserve(request(key))
      await store.reserve(request("r1"))
      await store.extend({ partition: "main", key: "r2", leaseMs: 5_000 })
      await store.settle(settleRequest(request("r1"), [3, 3]))
      await store.settle(settleRequest(request("r2"), [], { outcome: "released" }))
      now += 2_000
      await client.set("p2:{main}:r:r4", "nonsense")
      for (const key of ["r3", "r4"]) await store.expire({ partition: "main", key, counters: names })
      await store.settle(settleRequest(request("r3"), [1, 1], { revision: 1 }))
      await store.settle(settleRequest(request("r4"), [1, 1]))
      await store.adjust(adjustRequest("main", "a1", "a", "spent", 1))
      await store.ledger!.record({ partition: "main", key: "d1", entry: usageEntry("q", 0, { status: "denied" }) })
      await store.listDue({ partition: "main", limit: 10 })
      await store.listCounters({ partition: "main", cursor: null, limit: 10 })
      await store.ledger!.list({ partition: "main", filter: {}, cursor: null, limit: 10, newestFirst: true })
      await store.ledger!.prune({ partition: "main", before: now + 1 })
      await store.check({ partition: "main" })
      await store.acceptClock({ partition: "main" })
      await vi.waitFor(() => expect(commands).toBeGreaterThan(150), 60_000)
      monitor.disconnect()
      expect(undeclared).toEqual([])
    },
  )
})
