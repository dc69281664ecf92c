import { fork } from "node:child_process"
import { afterAll, describe, expect, it } from "vitest"
import { connectStore } from "../../src/testing"
import { cell, reserveRequest } from "../../src/testing/requests"
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
    const { server, store } = await serverAndStore({ store: { timeoutMs: 10_000, ledger: false } })
    const open = () => connectStore(fork(child.file, [JSON.stringify({ urls: [server.url], prefix: "p2" })]))
    const processes = await Promise.all([open(), open(), open(), open()])
    try {
      for (let repeat = 0; repeat < REPEATS; repeat++) {
        const root = `repeat-${repeat}`
        const answers = await Promise.all(
          processes.flatMap((one, lane) =>
            Array.from({ length: 1_000 }, async (_, index) => {
              const cells = ["total", `user:${index % 7}`, `client:${lane}`].map((key) => cell(key, CENTS_10, USD_5))
              const request = reserveRequest(root, `${lane}.${index}`, cells)
              // At once and one after the other: copies of one decision agree unless room came in between, and none does.
              const copies = 1 + ((index * 7 + lane + repeat) % 5)
              const results = await Promise.all(Array.from({ length: copies }, () => one.store.reserve(request)))
              expect(new Set(results.map((answer) => answer.result)).size).toBe(1)
              return results[0]!.result
            }),
          ),
        )
        expect(answers.filter((result) => result === "ok")).toHaveLength(50)
        expect(answers.filter((result) => result === "exceeded")).toHaveLength(3_950)
        const keys = [
          "total",
          ...Array.from({ length: 7 }, (_, user) => `user:${user}`),
          ...[0, 1, 2, 3].map((lane) => `client:${lane}`),
        ]
        const { cells } = await store.read({ root, keys })
        const sum = (prefix: string) =>
          cells.filter((state) => state.key.startsWith(prefix)).reduce((total, state) => total + state.reserved, 0)
        expect([sum("total"), sum("user"), sum("client")]).toEqual([USD_5, USD_5, USD_5])
      }
    } finally {
      await Promise.all(processes.map((one) => one.close()))
    }
  }, 1_200_000)
})
