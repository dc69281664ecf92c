import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type RedisReply, redisCommand } from "@p2/redis-server"
import { describe, expect, it } from "vitest"
import { counterName } from "../../src/limits/counters"
import { counter, reserveRequest, settleRequest } from "../../src/testing/requests"
import { noServer, PATIENT, serverAndStore } from "./own-server"

const page = readFileSync(fileURLToPath(new URL("../../docs/redis-layout.md", import.meta.url)), "utf8")

/** Commands of the page's `redis` blocks, each with the lines that it prints. */
const commands = [...page.matchAll(/^```redis\n([\s\S]*?)^```/gm)].flatMap((block) =>
  block[1]!
    .split(/^> /m)
    .slice(1)
    .map((text) => {
      const [command, ...lines] = text.trimEnd().split("\n")
      return { command: command!, lines }
    }),
)

/** As `redis-cli` prints it where it does not number the elements. */
function linesOf(reply: RedisReply): string[] {
  return Array.isArray(reply) ? reply.flatMap(linesOf) : [String(reply)]
}

/** `…` stands for anything on its line. */
function patternOf(line: string): RegExp {
  return new RegExp(
    `^${line
      .split("…")
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*")}$`,
  )
}

describe.skipIf(noServer)("docs/redis-layout.md", () => {
  it("shows what its commands print, and each repair does what it says", async () => {
    let now = Date.UTC(2060, 0, 1)
    const { server, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const names = [
      counterName({ scope: "user", value: "alice", unit: "nanoUsd" }),
      counterName({ scope: "total", unit: "nanoUsd" }),
    ]
    const call = (key: string) =>
      reserveRequest(
        "main",
        key,
        names.map((name) => counter(name, 2_000_000_000)),
        { leaseMs: 60_000 },
      )
    const expire = () => store.expire({ partition: "main", key: "call-2", counters: names })
    for (const key of ["call-1", "call-2"]) await store.reserve(call(key))
    await store.settle(settleRequest(call("call-1"), [1_250_000_000, 1_250_000_000]))

    /** What happens after a command of the page besides the command. */
    const after: Record<string, () => Promise<unknown>> = {
      "SET p2:{main}:r:call-2 oops": async () => {
        now += 120_000
        expect(await expire()).toMatchObject({ status: "damaged" })
      },
      "ZCARD p2:{main}:leases": async () => {
        // "A reservation is ended by a settle": then the page continues with another one of the same name.
        const settled = await store.settle(settleRequest(call("call-2"), [0, 0], { outcome: "released" }))
        expect(settled).toMatchObject({
          status: "released",
          recovered: true,
          counters: [{ reserved: 0 }, { reserved: 0 }],
        })
        await redisCommand(server, "DEL", "p2:{main}:r:call-2", "p2:{main}:e:call-2")
        await redisCommand(server, "ZREM", "p2:{main}:entries", "call-2")
        await store.reserve(call("call-2"))
      },
      "HSET p2:{main}:c:u=alice|usd|total spent many": async () => {
        now += 120_000
        expect(await expire()).toMatchObject({ status: "damaged" })
        expect(await store.listCounters({ partition: "main", cursor: null, limit: 10 })).toMatchObject({
          damaged: [names[0]],
        })
      },
      "SREM p2:{main}:damaged call-2": async () => {
        expect(await expire()).toMatchObject({ status: "expired", charged: [2_000_000_000, 2_000_000_000] })
        expect((await store.check({ partition: "main" })).damaged).toEqual([])
      },
    }

    expect(commands.length).toBeGreaterThan(15)
    for (const { command, lines } of commands) {
      const printed = linesOf(await redisCommand(server, ...command.split(" ")))
      expect([command, printed]).toEqual([command, lines.map((line) => expect.stringMatching(patternOf(line)))])
      await after[command]?.()
      delete after[command]
    }
    expect(Object.keys(after)).toEqual([])
    const { counters } = await store.read({ partition: "main", counters: names })
    expect(counters.map(({ spent, reserved }) => [spent, reserved])).toEqual([
      [3_250_000_000, 0],
      [3_250_000_000, 0],
    ])
  })

  it("names every key that the store writes", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    const own = reserveRequest("main", "r1", [counter("a", 1)])
    await store.reserve(own)
    const held = await client.keys("*")
    await store.settle(settleRequest(own, [1]))
    await store.adjust({
      partition: "main",
      key: "a1",
      counter: { name: "a", startsAt: null, endsAt: null, keepMs: null },
      kind: "spent",
      delta: 1,
    })
    const kinds = new Set([...held, ...(await client.keys("*"))].map((key) => key.replace(/(:[cprea]:).*/, "$1")))
    for (const kind of kinds) expect(page).toContain(`| \`${kind}`)
    expect(kinds.size).toBe(8)
  })
})
