import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { type Budget, memoryStore } from "../src"
import { budgetOn, changedStore, reserved, type World, world } from "./budget-world"

const LEASE_MS = 60_000
const BEAT_MS = LEASE_MS / 3

let at: World
let budget: Budget
/** When leases were extended, by key, in milliseconds since the start. */
let beats: Record<string, number[]>
/** How long the next extensions take. */
let extendMs: number

beforeEach(() => {
  vi.useFakeTimers()
  const start = Date.now()
  const memory = memoryStore()
  at = world()
  beats = {}
  extendMs = 0
  at.store = changedStore(memory, {
    extend: async (request) => {
      beats[request.key] = [...(beats[request.key] ?? []), Date.now() - start]
      if (extendMs > 0) await new Promise((resolve) => setTimeout(resolve, extendMs))
      return memory.extend(request)
    },
  })
  at.store = { ...at.store, capabilities: { ...at.store.capabilities, timeoutMs: 60_000 } }
  budget = budgetOn(at, { limits: [{ scope: "total", limit: 9 }], leaseMs: LEASE_MS })
})

afterEach(() => {
  vi.useRealTimers()
})

const reserve = (idempotencyKey: string, options = {}) => reserved(budget, { idempotencyKey, amount: 1, ...options })

it("extends each lease every third of it, from its own start, until the reservation is settled", async () => {
  await reserve("first")
  await vi.advanceTimersByTimeAsync(5_000)
  const settled = await reserve("settled")
  await vi.advanceTimersByTimeAsync(3_000)
  await reserve("last")
  await settled.settle(0)
  await vi.advanceTimersByTimeAsync(2 * BEAT_MS)
  expect(beats).toEqual({ first: [20_000, 40_000], last: [28_000, 48_000] })
})

it("leaves no timer behind when nothing is reserved any more", async () => {
  const [settled, released] = [await reserve("a"), await reserve("b")]
  await settled.settle(0)
  await released.release()
  expect(vi.getTimerCount()).toBe(0)
})

it("stops when maxLeaseMs is over, when the lease has ended, and when another process settled", async () => {
  await reserve("short", { maxLeaseMs: 30_000 })
  const other = budgetOn(at, { limits: [{ scope: "total", limit: 9 }], leaseMs: LEASE_MS })
  await reserve("elsewhere")
  const elsewhere = await other.resume("elsewhere")
  await elsewhere.settle(0)
  await vi.advanceTimersByTimeAsync(10 * BEAT_MS)
  expect(beats).toEqual({ short: [20_000], elsewhere: [0, 20_000] })
  expect(vi.getTimerCount()).toBe(0)
})

it("waits for a slow extension, and ignores it if the reservation was settled meanwhile", async () => {
  extendMs = 30_000
  await reserve("slow")
  const settled = await reserve("settled")
  await vi.advanceTimersByTimeAsync(25_000)
  await settled.settle(0)
  await vi.advanceTimersByTimeAsync(3 * BEAT_MS)
  expect(beats).toEqual({ slow: [20_000, 70_000], settled: [20_000] })
})

it("stops at close, including running extensions", async () => {
  extendMs = 1_000
  await reserve("under way")
  await vi.advanceTimersByTimeAsync(BEAT_MS)
  await reserve("idle")
  await budget.close({ keepStore: true })
  await vi.advanceTimersByTimeAsync(3 * BEAT_MS)
  expect(Object.values(beats)).toEqual([[20_000]])
  expect(vi.getTimerCount()).toBe(0)
})

it("extends by the lease of its own call, which may be longer than the store keeps keys", async () => {
  const hour = 3_600_000
  const batch = await reserve("batch", { leaseMs: 26 * hour, maxLeaseMs: 48 * hour })
  const end = batch.expiresAt!
  expect(end - Date.now()).toBe(26 * hour)
  await vi.advanceTimersByTimeAsync(9 * hour)
  expect(batch.expiresAt! - end).toBe((26 * hour) / 3)
  expect(await batch.settle(0.5)).toMatchObject({ status: "settled", late: false, recovered: false })
})
