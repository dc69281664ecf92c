import { type BudgetStore, type ReserveReply, type ReserveRequest, StoreError } from "@p2/budget/store"
import { overrideStore } from "../test/override-store"
import type { StoreFault, World } from "./draw-world"
import type { WorldStore } from "./world-stores"

/** The stores of a world, with its faults, and the reserves that they received. */
export interface FaultyStores {
  /** The store of a client: one for all, or one for each. */
  of(client: number): BudgetStore
  reserves: { request: ReserveRequest; reply: ReserveReply | undefined }[]
  /** Idempotency keys whose settle or release met a fault. */
  faultySettles: Set<string>
  /** Ends all faults, and waits for the calls inside the stores. */
  stopFaults(): Promise<void>
}

/** `onCall` is called before every call of a store, unless the stores are bare. */
export function faultyStores(
  { store: plan, bare, apart, own: limits }: Pick<World, "store" | "bare" | "apart" | "own">,
  world: WorldStore,
  onCall: (call: "reserve" | "settle", key: string) => void,
): FaultyStores {
  const reserves: FaultyStores["reserves"] = []
  const faultySettles = new Set<string>()
  const settling = new Set<string>()
  const running = new Set<Promise<unknown>>()
  const counts = { reserve: 0, settle: 0 }
  let [isStopped, wasInterrupted] = [false, false]

  /** Affects running calls, and later calls until the store detects the fault. */
  async function interrupt({ how, ms }: StoreFault): Promise<void> {
    wasInterrupted = true
    for (const key of settling) faultySettles.add(key)
    if (how === "cut") await world.cut?.()
    if (how === "hang") await world.hang?.(ms)
  }

  function withFault<T>(call: "reserve" | "settle", key: string, work: () => Promise<T>): Promise<T> {
    const nth = counts[call]++
    onCall(call, key)
    const fault = isStopped ? undefined : plan.find((each) => each.call === call && each.nth === nth)
    if (call === "settle" && (fault !== undefined || wasInterrupted)) faultySettles.add(key)
    if (fault === undefined) return work()
    const faulty = applyFault(fault, work, interrupt)
    running.add(faulty)
    faulty.catch(() => {}).finally(() => running.delete(faulty))
    return faulty
  }

  function faultyStore(inner: BudgetStore): BudgetStore {
    return overrideStore(inner, {
      name: "faulty",
      reserve: (request) => {
        const record: FaultyStores["reserves"][number] = { request, reply: undefined }
        reserves.push(record)
        return withFault("reserve", request.key, async () => {
          record.reply = await inner.reserve(request)
          return record.reply
        })
      },
      extend: (request) =>
        limits?.lease === "lost" && !isStopped
          ? Promise.reject(new StoreError("The store does not reply.", { code: "store-unavailable", applied: "no" }))
          : inner.extend(request),
      settle: (request) =>
        withFault("settle", request.key, async () => {
          settling.add(request.key)
          try {
            return await inner.settle(request)
          } finally {
            settling.delete(request.key)
          }
        }),
    })
  }

  const open = () => (bare ? world.another() : faultyStore(world.another()))
  const shared = apart ? undefined : open()
  const own = new Map<number, BudgetStore>()
  return {
    of: (client) => {
      const store = shared ?? own.get(client) ?? open()
      own.set(client, store)
      return store
    },
    reserves,
    faultySettles,
    async stopFaults() {
      isStopped = true
      while (running.size > 0) await Promise.allSettled(running)
    },
  }
}

async function applyFault<T>(
  fault: StoreFault,
  work: () => Promise<T>,
  interrupt: (fault: StoreFault) => Promise<void>,
): Promise<T> {
  const { how, ms } = fault
  if (how === "rejected")
    throw new StoreError("The store is unavailable.", { code: "store-unavailable", applied: "no" })
  if (how === "unknown")
    throw new StoreError("The connection was lost.", { code: "store-unavailable", applied: "maybe" })
  if (how === "broken") throw new Error("The disk is full.")
  if (how === "late") await new Promise((resolve) => setTimeout(resolve, ms))
  if (how === "cut" || how === "hang") {
    const [settled] = await Promise.allSettled([work(), interrupt(fault)])
    if (settled.status === "rejected") throw settled.reason
    return settled.value
  }
  const reply = await work()
  if (how === "lost") throw new StoreError("The reply was lost.", { code: "store-unavailable", applied: "maybe" })
  return reply
}
