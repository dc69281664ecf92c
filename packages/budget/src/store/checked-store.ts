import { InvalidArgumentError } from "@p2/core"
import type { UsageLedger } from "../usage/ledger"
import type { BudgetStore } from "./budget-store"
import * as reply from "./check-reply"
import { checkInteger } from "./check-value"
import * as copy from "./copy-request"
import { StoreError } from "./store-error"
import { toStoreError } from "./store-failure"

/** Sums over many entries take longer than a reserve may. */
const LEDGER_QUERY_TIMEOUT_MS = 30_000
/** The longest time of a timer in JavaScript. */
const MAX_TIMER_MS = 2 ** 31 - 1
const MEMBERS = [
  "reserve",
  "settle",
  "extend",
  "expire",
  "listDue",
  "read",
  "adjust",
  "listCounters",
  "acceptClock",
  "check",
] as const

/**
 * A store as the budget calls it: requests are validated and copied before they reach the store, replies are validated, no
 * call takes longer than the store's own timeout, and every rejection is a `StoreError` or a usage error.
 *
 * @throws InvalidArgumentError if it is not a store
 */
export function checkedStore(store: BudgetStore): BudgetStore {
  checkStore(store)
  const { name, capabilities, ledger } = store
  const { maxCounters, timeoutMs } = capabilities
  const call = <T>(send: () => Promise<T>, defectOf: (reply: T) => reply.Defect) =>
    checkedCall({ store: name, timeoutMs, send, defectOf })
  return {
    name,
    capabilities,
    async reserve(request) {
      const checked = copy.copyReserveRequest(request, maxCounters)
      return call(
        () => store.reserve(checked),
        (result) => reply.reserveDefect(result, checked),
      )
    },
    async settle(request) {
      const checked = copy.copySettleRequest(request, maxCounters)
      return call(
        () => store.settle(checked),
        (result) => reply.settleDefect(result, checked),
      )
    },
    async extend(request) {
      const checked = copy.copyExtendRequest(request)
      return call(() => store.extend(checked), reply.extendDefect)
    },
    async expire(request) {
      const checked = copy.copyExpireRequest(request, maxCounters)
      return call(
        () => store.expire(checked),
        (result) => reply.expireDefect(result, checked),
      )
    },
    async listDue(request) {
      const checked = copy.copyListDueRequest(request)
      return call(
        () => store.listDue(checked),
        (result) => reply.listDueDefect(result, checked.limit),
      )
    },
    async read(request) {
      const checked = copy.copyReadRequest(request)
      return call(
        () => store.read(checked),
        (result) => reply.readDefect(result, checked.counters),
      )
    },
    async adjust(request) {
      const checked = copy.copyAdjustRequest(request)
      return call(
        () => store.adjust(checked),
        (result) => reply.adjustDefect(result, checked),
      )
    },
    async listCounters(request) {
      const checked = copy.copyListCountersRequest(request)
      return call(() => store.listCounters(checked), reply.listCountersDefect)
    },
    async acceptClock(request) {
      const checked = copy.copyPartitionRequest(request)
      return call(() => store.acceptClock(checked), reply.acceptClockDefect)
    },
    async check({ partition } = {}) {
      const checked = partition === undefined ? {} : copy.copyPartitionRequest({ partition })
      return call(() => store.check(checked), reply.checkDefect)
    },
    ledger: ledger && checkedLedger(name, ledger, timeoutMs),
    close: async () => store.close?.(),
  }
}

function checkedLedger(store: string, ledger: UsageLedger, timeoutMs: number): UsageLedger {
  const query = <T>(send: () => Promise<T>, defectOf: (reply: T) => reply.Defect) =>
    checkedCall({ store, timeoutMs: LEDGER_QUERY_TIMEOUT_MS, send, defectOf })
  return {
    async record(request) {
      const checked = copy.copyRecordRequest(request)
      return checkedCall({ store, timeoutMs, send: () => ledger.record(checked), defectOf: reply.timeDefect })
    },
    async get(request) {
      const checked = copy.copyGetRequest(request)
      return query(() => ledger.get(checked), listDefect)
    },
    async list(request) {
      const checked = copy.copyListRequest(request)
      return query(
        () => ledger.list(checked),
        (page) => listDefect(page?.entries),
      )
    },
    async totals(request) {
      const checked = copy.copyTotalsRequest(request)
      return query(() => ledger.totals(checked), listDefect)
    },
    async prune(request) {
      const checked = copy.copyPruneRequest(request)
      return query(
        () => ledger.prune(checked),
        (result) => (Number.isSafeInteger(result?.removed) ? undefined : "`removed` is not a count"),
      )
    },
  }
}

function listDefect(result: unknown): reply.Defect {
  return Array.isArray(result) ? undefined : "it is not a list"
}

interface StoreCall<T> {
  store: string
  timeoutMs: number
  send: () => Promise<T>
  defectOf: (reply: T) => reply.Defect
}

async function checkedCall<T>({ store, timeoutMs, send, defectOf }: StoreCall<T>): Promise<T> {
  let result: T
  try {
    result = await withinTimeout(send(), timeoutMs, store)
  } catch (error) {
    throw toStoreError(error, store)
  }
  const defect = defectOf(result)
  if (defect === undefined) return result
  throw new StoreError(`Store "${store}" returned an invalid reply: ${defect}.`, {
    code: "store-corrupt",
    applied: "maybe",
  })
}

function withinTimeout<T>(reply: Promise<T>, timeoutMs: number, store: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let isOver = false
    let timer: ReturnType<typeof setTimeout> | undefined
    const end = () => {
      isOver = true
      if (timer !== undefined) clearTimeout(timer)
    }
    Promise.resolve(reply).then(
      (value) => {
        end()
        resolve(value)
      },
      (error) => {
        end()
        reject(error)
      },
    )
    // A store in memory has replied by then, and needs no timer.
    queueMicrotask(() => {
      if (isOver) return
      timer = setTimeout(() => reject(timeoutError(store, timeoutMs)), timeoutMs)
      if (typeof timer === "object") timer.unref()
    })
  })
}

function timeoutError(store: string, timeoutMs: number): StoreError {
  return new StoreError(`Store "${store}" did not reply within ${timeoutMs} ms.`, {
    code: "store-unavailable",
    applied: "maybe",
  })
}

function checkStore(store: BudgetStore): void {
  if (typeof store !== "object" || store === null)
    throw new InvalidArgumentError("store", "a budget store, such as memoryStore()", store)
  const { name, capabilities } = store
  if (typeof name !== "string") throw new InvalidArgumentError("store.name", "a string", name)
  for (const member of MEMBERS)
    if (typeof store[member] !== "function")
      throw new InvalidArgumentError(`store.${member}`, "a function: is this a budget store?", store[member])
  if (typeof capabilities !== "object" || capabilities === null)
    throw new InvalidArgumentError("store.capabilities", "an object", capabilities)
  checkInteger(capabilities.retentionMs, 1, "store.capabilities.retentionMs")
  checkInteger(capabilities.maxCounters, 16, "store.capabilities.maxCounters")
  checkInteger(capabilities.timeoutMs, 1, "store.capabilities.timeoutMs", MAX_TIMER_MS)
}
