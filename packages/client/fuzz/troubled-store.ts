import {
  type BudgetStore,
  type CellState,
  memoryStore,
  type ReserveRequest,
  type ReserveResult,
  StoreError,
} from "@p2/budget"
import type { StoreTrouble, World } from "./draw-world"

/** A store in memory that suffers what the world says, and what it was asked to set aside. */
export interface TroubledStore {
  store: BudgetStore
  /** What really is: never in trouble. */
  truth: BudgetStore
  reserves: { request: ReserveRequest; answer: ReserveResult | undefined }[]
  /** Ids whose settle or release was troubled. */
  troubledSettles: Set<string>
  /** Ends all trouble, and waits for what is under way inside the store. */
  calm(): Promise<void>
  /** Every cell as it stands. */
  cells(): Promise<RootedCell[]>
}

export interface RootedCell extends CellState {
  root: string
}

/** `onCall` hears of every call before it is made, unless the store is bare. */
export function troubledStore(
  { store: plan, bare }: Pick<World, "store" | "bare">,
  roots: readonly string[],
  onCall: (call: "reserve" | "settle", id: string) => void,
): TroubledStore {
  const truth = memoryStore()
  const reserves: TroubledStore["reserves"] = []
  const troubledSettles = new Set<string>()
  const underWay = new Set<Promise<unknown>>()
  const counts = { reserve: 0, settle: 0 }
  let isCalm = false

  function suffer<T>(call: "reserve" | "settle", id: string, work: () => Promise<T>): Promise<T> {
    const nth = counts[call]++
    onCall(call, id)
    const trouble = isCalm ? undefined : plan.find((each) => each.call === call && each.nth === nth)
    if (trouble === undefined) return work()
    if (call === "settle") troubledSettles.add(id)
    const suffering = sufferAs(trouble, work)
    underWay.add(suffering)
    suffering.catch(() => {}).finally(() => underWay.delete(suffering))
    return suffering
  }

  const store: BudgetStore = {
    ...truth,
    name: "troubled",
    reserve: (request) => {
      const seen: TroubledStore["reserves"][number] = { request, answer: undefined }
      reserves.push(seen)
      return suffer("reserve", request.id, async () => {
        seen.answer = await truth.reserve(request)
        return seen.answer
      })
    },
    settle: (request) => suffer("settle", request.id, () => truth.settle(request)),
  }
  return {
    store: bare ? truth : store,
    truth,
    reserves,
    troubledSettles,
    async calm() {
      isCalm = true
      while (underWay.size > 0) await Promise.allSettled(underWay)
    },
    async cells() {
      const found: RootedCell[] = []
      for (const root of roots) {
        const { entries } = await truth.ledger!.list({ root, filter: {}, limit: 1_000 })
        const asked = reserves.filter(({ request }) => request.root === root)
        const keys = [
          ...entries.flatMap(({ charges }) => Object.keys(charges)),
          ...asked.flatMap(({ request }) => request.cells.map(({ key }) => key)),
        ]
        const { cells } = await truth.read({ root, keys: [...new Set(keys)] })
        found.push(...cells.map((cell) => ({ ...cell, root })))
      }
      return found
    },
  }
}

async function sufferAs<T>({ how, ms }: StoreTrouble, work: () => Promise<T>): Promise<T> {
  if (how === "refused") throw new StoreError("The store is away.", { code: "unavailable", applied: "no" })
  if (how === "unknown") throw new StoreError("The connection was lost.", { code: "unavailable", applied: "maybe" })
  if (how === "broken") throw new Error("The disk is full.")
  if (how === "late") await new Promise((resolve) => setTimeout(resolve, ms))
  const answer = await work()
  if (how === "lost") throw new StoreError("The reply was lost.", { code: "unavailable", applied: "maybe" })
  return answer
}
