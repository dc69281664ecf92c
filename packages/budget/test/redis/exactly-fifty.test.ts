import { fork } from "node:child_process"
import { afterAll, describe, expect, it } from "vitest"
import { connectStore } from "../../src/testing"
import { counter, reserveRequest } from "../../src/testing/requests"
import { bundleScript } from "./bundle-script"
import { noServer, serverAndStore } from "./own-server"

/** `P2_REPEATS=100 npx vitest run test/redis/exactly-fifty.test.ts` for the full count. */
const REPEATS = Number(process.env.P2_REPEATS ?? 2)
const CENTS_10 = 100_000_000
const USD_5 = 5_000_000_000

const child = await bundleScript("store-child")
afterAll(() => child.remove())

describe.skipIf(noServer)("a limit of $5", () => {
  it(`admits exactly 50 of 4 × 1,000 reservations of $0.10 over three scopes, each sent one to five times (${REPEATS} repeats)`, async () => {
    const { server, store } = await serverAndStore({ store: { timeoutMs: 10_000, ledgerRetentionMs: 0 } })
    const open = () => connectStore(fork(child.file, [JSON.stringify({ urls: [server.url], prefix: "p2" })]))
    const processes = await Promise.all([open(), open(), open(), open()])
    try {
      for (let repeat = 0; repeat < REPEATS; repeat++) {
        const partition = `repeat-${repeat}`
        const statuses = await Promise.all(
          processes.flatMap((one, lane) =>
            Array.from({ length: 1_000 }, async (_, index) => {
              const names = ["total", `user:${index % 7}`, `client:${lane}`]
              const counters = names.map((name) => counter(name, CENTS_10, USD_5))
              const request = reserveRequest(partition, `${lane}.${index}`, counters)
              // Concurrent and sequential copies of one request get the same decision, because nothing is released in
              // between.
              const copies = 1 + ((index * 7 + lane + repeat) % 5)
              const replies = await Promise.all(Array.from({ length: copies }, () => one.store.reserve(request)))
              expect(new Set(replies.map(({ status }) => status)).size).toBe(1)
              return replies[0]!.status
            }),
          ),
        )
        expect(statuses.filter((status) => status === "ok")).toHaveLength(50)
        expect(statuses.filter((status) => status === "exceeded")).toHaveLength(3_950)
        const names = [
          "total",
          ...Array.from({ length: 7 }, (_, user) => `user:${user}`),
          ...[0, 1, 2, 3].map((lane) => `client:${lane}`),
        ]
        const { counters } = await store.read({ partition, counters: names })
        const sum = (prefix: string) =>
          counters.filter(({ name }) => name.startsWith(prefix)).reduce((total, { reserved }) => total + reserved, 0)
        expect([sum("total"), sum("user"), sum("client")]).toEqual([USD_5, USD_5, USD_5])
      }
    } finally {
      await Promise.all(processes.map((one) => one.close()))
    }
  }, 1_200_000)
})
