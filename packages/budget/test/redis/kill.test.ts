import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it, onTestFinished } from "vitest"
import type { BudgetStore } from "../../src/store/budget-store"
import { counter, reserveRequest, settleRequest } from "../../src/testing/requests"
import { bundleScript } from "./bundle-script"
import { KILL_POINTS, type KillPoint } from "./kill-points"
import { nodesAndStore, noServer } from "./own-server"

/** How often a process is killed at each point: `P2_KILLS=25 npx vitest run test/redis/kill.test.ts` for the full count. */
const KILLS = Number(process.env.P2_KILLS ?? 2)
const LEASE_MS = 300
const BOUND = 1_000_000_007
const NAMES = ["user", "client", "total"]

const child = await bundleScript("kill-child")
afterAll(() => child.remove())

interface Attempt {
  key: string
  point: KillPoint
  cost: number
}

/** Expires what is due, as the budget's sweep does. Resolves to the number of reservations that are still held. */
async function sweep(store: BudgetStore): Promise<number> {
  const { due } = await store.listDue({ partition: "main", limit: 64 })
  for (const { key, counters } of due) await store.expire({ partition: "main", key, counters })
  const { counters } = await store.read({ partition: "main", counters: NAMES })
  return counters.reduce((total, { reserved }) => total + reserved, 0)
}

describe.skipIf(noServer)("kill -9 at any point of an attempt", () => {
  it.each([
    ["one server", 1],
    ["a Cluster of three", 3],
  ])(
    `on %s leaves nothing reserved after the lease, and charges no less than the provider (${KILL_POINTS.length} points × ${KILLS})`,
    async (_, count) => {
      const { urls, store } = await nodesAndStore(count, { timeoutMs: 10_000 })
      const folder = mkdtempSync(join(tmpdir(), "p2-provider-"))
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
      const provider = join(folder, "billed")
      writeFileSync(provider, "")
      const attempts = KILL_POINTS.flatMap((point, at) =>
        Array.from({ length: KILLS }, (_, index) => ({ key: `${at}.${index}`, point, cost: 333_333_331 + at + index })),
      )
      const run = async ({ key, point, cost }: Attempt) => {
        const config = { urls, prefix: "p2", point, key, bound: BOUND, cost, leaseMs: LEASE_MS, provider }
        const attempt = fork(child.file, [JSON.stringify(config)])
        const gone = once(attempt, "exit")
        attempt.once("message", () => attempt.kill("SIGKILL"))
        expect(await gone).toEqual([null, "SIGKILL"])
      }
      for (let from = 0; from < attempts.length; from += 2) await Promise.all(attempts.slice(from, from + 2).map(run))
      await expect.poll(() => sweep(store), { timeout: 60_000 }).toBe(0)

      const billed = new Map(
        readFileSync(provider, "utf8")
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => line.split(" "))
          .map(([key, cost]) => [key!, Number(cost)]),
      )
      const all = { partition: "main", filter: {}, cursor: null, limit: 1_000, newestFirst: false }
      const { entries } = await store.ledger!.list(all)
      const charged = new Map(entries.map((entry) => [entry.idempotencyKey, entry.charges.user ?? 0]))
      for (const { key, point, cost } of attempts) {
        // A settled call is charged its exact cost. If the process was killed before, the charge is the whole bound,
        // because the provider may have billed the call. It is never less than the provider's bill.
        if (point === "settled" || point === "settled again") expect([key, charged.get(key)]).toEqual([key, cost])
        if (point === "reserved" || point === "provider called" || point === "lease extended")
          expect([key, charged.get(key)]).toEqual([key, BOUND])
        expect(charged.get(key) ?? 0).toBeGreaterThanOrEqual(billed.get(key) ?? 0)
      }
      const sum = [...charged.values()].reduce((total, amount) => total + amount, 0)
      const spent = async () =>
        (await store.read({ partition: "main", counters: NAMES })).counters.map((state) => state.spent)
      expect(await spent()).toEqual([sum, sum, sum])

      // A later settle with the actual cost makes the counters exact again.
      let truth = 0
      for (const { key } of attempts) {
        if (!charged.has(key)) continue
        const cost = billed.get(key) ?? 0
        const counters = NAMES.map((name) => counter(name, BOUND))
        const request = reserveRequest("main", key, counters)
        expect(await store.settle(settleRequest(request, [cost, cost, cost], { revision: 1 }))).toMatchObject({
          status: "settled",
        })
        truth += cost
      }
      expect(await spent()).toEqual([truth, truth, truth])
    },
    600_000,
  )
})
