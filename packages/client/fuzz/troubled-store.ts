import { type BudgetStore, type ReserveRequest, type ReserveResult, StoreError } from "@p2/budget"
import type { StoreTrouble, World } from "./draw-world"
import type { WorldStore } from "./world-stores"

/** The stores of a world, which suffer what it says, and what they were asked to set aside. */
export interface TroubledStores {
  /** The store of a client: one for all, or one for each where the world keeps them apart. */
  of(client: number): BudgetStore
  reserves: { request: ReserveRequest; answer: ReserveResult | undefined }[]
  /** Ids whose settle or release was troubled. */
  troubledSettles: Set<string>
  /** Ends all trouble, and waits for what is under way inside the stores. */
  calm(): Promise<void>
}

/** `onCall` hears of every call before it is made, unless the stores are bare. */
export function troubledStores(
  { store: plan, bare, apart, own: limits }: Pick<World, "store" | "bare" | "apart" | "own">,
  world: WorldStore,
  onCall: (call: "reserve" | "settle", id: string) => void,
): TroubledStores {
  const reserves: TroubledStores["reserves"] = []
  const troubledSettles = new Set<string>()
  const settling = new Set<string>()
  const underWay = new Set<Promise<unknown>>()
  const counts = { reserve: 0, settle: 0 }
  let [isCalm, wasAway] = [false, false]

  /** Whoever is at work feels it, and so may whoever calls before the store has noticed. */
  async function away({ how, ms }: StoreTrouble): Promise<void> {
    wasAway = true
    for (const id of settling) troubledSettles.add(id)
    if (how === "cut") await world.cut?.()
    if (how === "hang") await world.hang?.(ms)
  }

  function suffer<T>(call: "reserve" | "settle", id: string, work: () => Promise<T>): Promise<T> {
    const nth = counts[call]++
    onCall(call, id)
    const trouble = isCalm ? undefined : plan.find((each) => each.call === call && each.nth === nth)
    if (call === "settle" && (trouble !== undefined || wasAway)) troubledSettles.add(id)
    if (trouble === undefined) return work()
    const suffering = sufferAs(trouble, work, away)
    underWay.add(suffering)
    suffering.catch(() => {}).finally(() => underWay.delete(suffering))
    return suffering
  }

  function troubled(inner: BudgetStore): BudgetStore {
    return {
      ...membersOf(inner),
      name: "troubled",
      reserve: (request) => {
        const seen: TroubledStores["reserves"][number] = { request, answer: undefined }
        reserves.push(seen)
        return suffer("reserve", request.id, async () => {
          seen.answer = await inner.reserve(request)
          return seen.answer
        })
      },
      extend: (request) =>
        limits?.lease === "lost" && !isCalm
          ? Promise.reject(new StoreError("The store is deaf.", { code: "unavailable", applied: "no" }))
          : inner.extend(request),
      settle: (request) =>
        suffer("settle", request.id, async () => {
          settling.add(request.id)
          try {
            return await inner.settle(request)
          } finally {
            settling.delete(request.id)
          }
        }),
    }
  }

  const open = () => (bare ? world.another() : troubled(world.another()))
  const shared = apart ? undefined : open()
  const own = new Map<number, BudgetStore>()
  return {
    of: (client) => {
      const store = shared ?? own.get(client) ?? open()
      own.set(client, store)
      return store
    },
    reserves,
    troubledSettles,
    async calm() {
      isCalm = true
      while (underWay.size > 0) await Promise.allSettled(underWay)
    },
  }
}

/** A store's members as plain properties: it may be of a class. */
export function membersOf(inner: BudgetStore): BudgetStore {
  return {
    name: inner.name,
    capabilities: inner.capabilities,
    reserve: (request) => inner.reserve(request),
    settle: (request) => inner.settle(request),
    extend: (request) => inner.extend(request),
    read: (request) => inner.read(request),
    adjust: (request) => inner.adjust(request),
    sweep: (request) => inner.sweep(request),
    ...(inner.check === undefined ? {} : { check: () => inner.check!() }),
    ledger: inner.ledger,
  }
}

async function sufferAs<T>(
  trouble: StoreTrouble,
  work: () => Promise<T>,
  away: (trouble: StoreTrouble) => Promise<void>,
): Promise<T> {
  const { how, ms } = trouble
  if (how === "refused") throw new StoreError("The store is away.", { code: "unavailable", applied: "no" })
  if (how === "unknown") throw new StoreError("The connection was lost.", { code: "unavailable", applied: "maybe" })
  if (how === "broken") throw new Error("The disk is full.")
  if (how === "late") await new Promise((resolve) => setTimeout(resolve, ms))
  if (how === "cut" || how === "hang") {
    const [answered] = await Promise.allSettled([work(), away(trouble)])
    if (answered.status === "rejected") throw answered.reason
    return answered.value
  }
  const answer = await work()
  if (how === "lost") throw new StoreError("The reply was lost.", { code: "unavailable", applied: "maybe" })
  return answer
}
