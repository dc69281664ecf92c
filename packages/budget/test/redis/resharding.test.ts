import { findRedisServer, type RedisCluster, redisCommand, startRedisCluster } from "@p2/redis-server"
import { Cluster } from "ioredis"
import { afterAll, describe, expect, it } from "vitest"
import { redisStore } from "../../src/redis"
import type { BudgetStore } from "../../src/store/budget-store"
import { checkedStore } from "../../src/store/checked-store"
import { StoreError } from "../../src/store/store-error"
import { createRandom } from "../../src/testing/random"
import { counter, reserveRequest, settleRequest, usageEntry } from "../../src/testing/requests"
import { eventually } from "./own-server"

/** How often every partition moves: `P2_RESHARDS=30 npx vitest run test/redis/resharding.test.ts` for the full count. */
const ROUNDS = Number(process.env.P2_RESHARDS ?? 1)
const PARTITIONS = ["red", "green", "blue"]
const LANES = 3
const LEASE_MS = 400
const NAMES = ["user", "day", "total"]
const TIMEOUT_MS = 10_000

const program = await findRedisServer({ fetch: true })
if (program === undefined && process.env.CI === "true") throw new Error("No redis-server, and CI=true forbids to skip.")
const cluster = program === undefined ? undefined : await startRedisCluster({ nodes: 3 })
afterAll(() => cluster?.stop())

/** What the callers of one partition know. */
class Journal {
  /** Keys and what they were charged, as the store replied. */
  readonly charged = new Map<string, number>()
  /** Keys whose owner went away: charged by the sweep. */
  readonly abandoned = new Set<string>()
  readonly failures: StoreError[] = []
  totals = 0
  partialTotals = 0

  get sum(): number {
    return [...this.charged.values()].reduce((total, amount) => total + amount, 0)
  }
}

const request = (partition: string, key: string, amount: number) =>
  reserveRequest(
    partition,
    key,
    NAMES.map((name) => counter(name, amount)),
    { leaseMs: LEASE_MS, pendingEntry: usageEntry(key, amount, { status: "expired", costSource: "bound" }) },
  )

describe.skipIf(cluster === undefined)("a Cluster of three whose slots move", () => {
  it(`while reserves, settles, sweeps and totals run: counters = ledger = journals; no call that fails was applied (${ROUNDS} rounds)`, async () => {
    const { nodes } = cluster!
    const client = new Cluster([...nodes], { lazyConnect: true })
    const store = checkedStore(redisStore({ client, timeoutMs: TIMEOUT_MS }))
    const journals = new Map(PARTITIONS.map((partition) => [partition, new Journal()]))
    let isOver = false

    /** The reply, or undefined and the failure in the journal. */
    const tried = async <T>(journal: Journal, call: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await call()
      } catch (error) {
        if (!StoreError.isInstance(error)) throw error
        journal.failures.push(error)
        await new Promise((resolve) => setTimeout(resolve, 5))
        return undefined
      }
    }
    const spend = async (partition: string, lane: number) => {
      const journal = journals.get(partition)!
      const random = createRandom(lane + 1)
      for (let turn = 0; !isOver; turn++) {
        // The pauses grow, because the time of a move depends on the number of keys.
        await new Promise((resolve) => setTimeout(resolve, turn < 150 ? 10 : 250))
        const key = `${lane}.${turn}`
        const own = request(partition, key, 10)
        const held = await tried(journal, () => store.reserve(own))
        if (held === undefined) {
          // Nothing was applied, so the key is unknown.
          const extended = await eventually(() => store.extend({ partition, key, leaseMs: 1 }))
          expect([key, extended.status]).toEqual([key, "unknown"])
          continue
        }
        if (random.chance(0.1)) {
          journal.abandoned.add(key)
          continue
        }
        const cost = 1 + Math.floor(random.next() * 10)
        const settle = settleRequest(own, [cost, cost, cost], { expiresAt: (held as { expiresAt: number }).expiresAt })
        for (;;) {
          const settled = await tried(journal, () => store.settle(settle))
          if (settled === undefined) continue
          expect(settled).toMatchObject({ status: "settled", recovered: false, replayed: false, forgottenCounters: 0 })
          journal.charged.set(key, cost)
          break
        }
      }
    }
    const sweep = async (partition: string) => {
      const journal = journals.get(partition)!
      while (!isOver) {
        const listed = await tried(journal, () => store.listDue({ partition, limit: 16 }))
        for (const { key, counters } of listed?.due ?? []) {
          const expired = await tried(journal, () => store.expire({ partition, key, counters }))
          if (expired?.status === "expired" && journal.abandoned.has(key)) journal.charged.set(key, 10)
        }
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    const total = async (partition: string) => {
      const journal = journals.get(partition)!
      while (!isOver) {
        const atLeast = journal.sum
        const totals = await tried(journal, () => totalsOf(store, partition))
        if (totals !== undefined) journal.totals++
        if (totals !== undefined && totals < atLeast - 10 * LANES) journal.partialTotals++
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }

    const work = PARTITIONS.flatMap((partition) => [
      ...Array.from({ length: LANES }, (_, lane) => spend(partition, lane)),
      sweep(partition),
      total(partition),
    ])
    const moving = async () => {
      let moved = 0
      await new Promise((resolve) => setTimeout(resolve, 500))
      for (let round = 0; round < ROUNDS; round++) {
        for (const partition of PARTITIONS) moved += await move(cluster!, partition)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      isOver = true
      return moved
    }
    const [moved] = await Promise.all([moving(), ...work])
    expect(moved).toBeGreaterThan(ROUNDS * PARTITIONS.length * 50)

    for (const partition of PARTITIONS) {
      const journal = journals.get(partition)!
      await expect.poll(() => sweepOnce(store, partition, journal), { timeout: 60_000 }).toBe(0)
      const { counters } = await store.read({ partition, counters: NAMES })
      const expected = NAMES.map((name) => ({ name, spent: journal.sum, reserved: 0, granted: 0 }))
      expect([partition, counters]).toEqual([partition, expected])
      expect([partition, await totalsOf(store, partition)]).toEqual([partition, journal.sum])
      const names = new Set<string>()
      let cursor: string | null = null
      do {
        const page = await store.listCounters({ partition, cursor, limit: 2 })
        for (const { name } of page.counters) names.add(name)
        cursor = page.cursor
      } while (cursor !== null)
      expect([...names].sort()).toEqual([...NAMES].sort())
      expect(journal.partialTotals).toBe(0)
      const kinds = new Set(journal.failures.map(({ code, applied }) => `${code} ${applied}`))
      expect([...kinds]).toEqual(journal.failures.length === 0 ? [] : ["store-unavailable no"])
      console.log(
        `${partition}: ${journal.charged.size} keys, ${journal.failures.length} failures, ${journal.totals} totals`,
      )
    }
    await store.close?.()
    client.disconnect()
  }, 900_000)

  it("the first calls after a move are answered, also where `natMap` gives the nodes other addresses", async () => {
    const { nodes } = cluster!
    const natMap = Object.fromEntries(
      nodes.map(({ host, port }) => [`${host}:${port}`, { host: "localhost", port }] as const),
    )
    const client = new Cluster([...nodes], { natMap, lazyConnect: true })
    const store = checkedStore(redisStore({ client, timeoutMs: TIMEOUT_MS }))
    for (const round of [1, 2, 3, 4]) {
      const calls = Array.from({ length: 500 }, (_, call) => store.reserve(request("nat", `${round}.${call}`, 10)))
      for (const reply of await Promise.all(calls)) expect(reply).toMatchObject({ status: "ok" })
      await move(cluster!, "nat")
    }
    await store.close?.()
    client.disconnect()
  }, 120_000)
})

/** Moves a partition with all its keys to the next node. */
async function move(cluster: RedisCluster, partition: string): Promise<number> {
  const slot = Number(await redisCommand(cluster.nodes[0]!, "CLUSTER", "KEYSLOT", partition))
  const owner = await cluster.ownerOf(slot)
  return cluster.moveSlot(slot, (owner + 1) % cluster.nodes.length)
}

async function totalsOf(store: BudgetStore, partition: string): Promise<number> {
  const totals = await store.ledger!.totals({ partition, filter: {}, groupBy: [], buckets: null })
  return totals[0]?.costNanoUsd ?? 0
}

/** Expires what is due; resolves to what is still reserved. */
async function sweepOnce(store: BudgetStore, partition: string, journal: Journal): Promise<number> {
  const { due } = await store.listDue({ partition, limit: 64 })
  for (const { key, counters } of due) {
    const expired = await store.expire({ partition, key, counters })
    if (expired.status === "expired") journal.charged.set(key, 10)
  }
  const { counters } = await store.read({ partition, counters: NAMES })
  return counters.reduce((total, { reserved }) => total + reserved, 0)
}
