import type { BudgetStore } from "@p2/budget"

/** A store with some members replaced. The original may be an instance of a class, which cannot be spread. */
export function overrideStore(store: BudgetStore, overrides: Partial<BudgetStore>): BudgetStore {
  return {
    name: store.name,
    capabilities: store.capabilities,
    reserve: (request) => store.reserve(request),
    settle: (request) => store.settle(request),
    extend: (request) => store.extend(request),
    expire: (request) => store.expire(request),
    listDue: (request) => store.listDue(request),
    read: (request) => store.read(request),
    adjust: (request) => store.adjust(request),
    listCounters: (request) => store.listCounters(request),
    acceptClock: (request) => store.acceptClock(request),
    check: (request) => store.check(request),
    ledger: store.ledger,
    ...overrides,
  }
}
