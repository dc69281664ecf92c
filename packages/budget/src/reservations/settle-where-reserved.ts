import { counterRefOf, readCounterName } from "../limits/counter-name"
import type { BudgetStore, SettleCounter, SettleReply, SettleRequest } from "../store/budget-store"
import type { Name } from "../store/name"
import { StoreError } from "../store/store-error"

/** A reply of `settle` that needs no second settle. */
export type FinalSettleReply = Exclude<SettleReply, { status: "other-counters" }>

/**
 * Settles. If the reservation was made in other counters (a retry after midnight names today's windows), settles again in
 * those counters, with the same amounts per unit.
 */
export async function settleWhereReserved(store: BudgetStore, request: SettleRequest): Promise<FinalSettleReply> {
  const reply = await store.settle(request)
  if (reply.status !== "other-counters") return reply
  const counters = reply.storedCounters.map((name) => renameCounter(store.name, request, name))
  const second = await store.settle({ ...request, counters })
  if (second.status !== "other-counters") return second
  throw new StoreError(`The store "${store.name}" replied "other-counters" twice in a row for one reservation.`, {
    code: "store-unavailable",
    applied: "no",
  })
}

function renameCounter(store: string, request: SettleRequest, name: Name): SettleCounter {
  const parts = readCounterName(name)
  const counter = request.counters.find((each) => readCounterName(each.name)?.unit === parts?.unit)
  if (parts === undefined || counter === undefined)
    throw new StoreError(
      `The store "${store}" replied with the counter "${name}", which does not belong to this reservation.`,
      {
        code: "store-corrupt",
        applied: "no",
      },
    )
  return { ...counterRefOf(name, parts), reserved: counter.reserved, amount: counter.amount }
}
