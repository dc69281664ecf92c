import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it, onTestFinished } from "vitest"
import { cell, reserveRequest, settleRequest } from "../../src/testing/requests"
import { bundleScript } from "./bundle-script"
import { KILL_POINTS, type KillPoint } from "./kill-points"
import { noServer, serverAndStore } from "./own-server"

/** How often a process is killed at each point: `P2_KILLS=25 npx vitest run test/redis/kill.test.ts` for the full count. */
const KILLS = Number(process.env.P2_KILLS ?? 2)
const LEASE_MS = 300
const BOUND = 1_000_000_007
const KEYS = ["user", "client", "total"]

const child = await bundleScript("kill-child")
afterAll(() => child.remove())

interface Attempt {
  id: string
  point: KillPoint
  cost: number
}

describe.skipIf(noServer)("kill -9 at any point of an attempt", () => {
  it(`leaves nothing reserved after the lease, and charges no less than the provider (${KILL_POINTS.length} points × ${KILLS})`, async () => {
    const { server, store } = await serverAndStore({ store: { timeoutMs: 10_000 } })
    const folder = mkdtempSync(join(tmpdir(), "p2-provider-"))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const provider = join(folder, "billed")
    writeFileSync(provider, "")
    const attempts = KILL_POINTS.flatMap((point, at) =>
      Array.from({ length: KILLS }, (_, index) => ({ id: `${at}.${index}`, point, cost: 333_333_331 + at + index })),
    )
    const run = async ({ id, point, cost }: Attempt) => {
      const config = { url: server.url, prefix: "p2", point, id, bound: BOUND, cost, leaseMs: LEASE_MS, provider }
      const process_ = fork(child.file, [JSON.stringify(config)])
      const gone = once(process_, "exit")
      process_.once("message", () => process_.kill("SIGKILL"))
      expect(await gone).toEqual([null, "SIGKILL"])
    }
    for (let from = 0; from < attempts.length; from += 2) await Promise.all(attempts.slice(from, from + 2).map(run))

    await expect
      .poll(
        async () => {
          await store.sweep({ root: "main", max: 1_000 })
          const { cells, due } = await store.read({ root: "main", keys: KEYS })
          return [due, ...cells.map((state) => state.reserved)]
        },
        { timeout: 10_000 },
      )
      .toEqual([0, 0, 0, 0])

    const billed = new Map(
      readFileSync(provider, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => line.split(" "))
        .map(([id, cost]) => [id!, Number(cost)]),
    )
    const { entries } = await store.ledger!.list({ root: "main", filter: {}, limit: 1_000 })
    const charged = new Map(entries.map((entry) => [entry.id, entry.charges.user ?? 0]))
    for (const { id, point, cost } of attempts) {
      // Settled: to the nano. Killed before: the whole bound, since the provider may have billed. Never less than it did.
      if (point === "settled" || point === "settled again") expect([id, charged.get(id)]).toEqual([id, cost])
      if (point === "reserved" || point === "provider called" || point === "lease extended")
        expect([id, charged.get(id)]).toEqual([id, BOUND])
      expect(charged.get(id) ?? 0).toBeGreaterThanOrEqual(billed.get(id) ?? 0)
    }
    const sum = [...charged.values()].reduce((total, amount) => total + amount, 0)
    const spent = async () => (await store.read({ root: "main", keys: KEYS })).cells.map((state) => state.spent)
    expect(await spent()).toEqual([sum, sum, sum])

    // Whoever learns the truth later settles it, and the money is exact again, whatever happened.
    let truth = 0
    for (const { id } of attempts) {
      if (!charged.has(id)) continue
      const cost = billed.get(id) ?? 0
      const request = reserveRequest(
        "main",
        id,
        KEYS.map((key) => cell(key, BOUND)),
      )
      await store.settle(settleRequest(request, [cost, cost, cost], { revision: 1 }))
      truth += cost
    }
    expect(await spent()).toEqual([truth, truth, truth])
  }, 600_000)
})
