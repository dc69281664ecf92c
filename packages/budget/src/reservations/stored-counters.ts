import { counterRefOf, readCounterName } from "../limits/counter-name"
import type { BudgetStore, SettleCounter, SettleReply, SettleRequest } from "../store/budget-store"
import type { Name } from "../store/name"
import { StoreError } from "../store/store-error"

export type SettledReply = Exclude<SettleReply, { status: "other-counters" }>

/**
 * Settles. If the reservation was made in other counters (a retry after midnight names today's windows), settles again,
 * naming those, with the amounts per unit.
 */
export async function settleWhereReserved(store: BudgetStore, request: SettleRequest): Promise<SettledReply> {
  const reply = await store.settle(request)
  if (reply.status !== "other-counters") return reply
  const counters = reply.storedCounters.map((name) => renameCounter(store.name, request, name))
  const second = await store.settle({ ...request, counters })
  if (second.status !== "other-counters") return second
  throw new StoreError(`The store "${store.name}" named other counters of one reservation twice in a row.`, {
    code: "store-unavailable",
    applied: "no",
  })
}

function renameCounter(store: string, request: SettleRequest, name: Name): SettleCounter {
  const parts = readCounterName(name)
  const counter = request.counters.find((each) => readCounterName(each.name)?.unit === parts?.unit)
  if (parts === undefined || counter === undefined)
    throw new StoreError(`The store "${store}" names the counter "${name}", which this reservation cannot have.`, {
      code: "store-corrupt",
      applied: "no",
    })
  return { ...counterRefOf(name, parts), reserved: counter.reserved, amount: counter.amount }
}
