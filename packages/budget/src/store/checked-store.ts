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
/** The longest delay of a timer in JavaScript. */
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
 * Wraps a store for the budget: requests are validated and copied before they reach the store, replies are validated, no
 * call takes longer than the store's own timeout, and every rejection is a `StoreError` or a usage error.
 *
 * @throws InvalidArgumentError if it is not a store
 */
export function checkedStore(store: BudgetStore): BudgetStore {
  checkStore(store)
  const { name, capabilities, ledger } = store
  const { maxCounters, timeoutMs } = capabilities
  const call = <Request, Reply>(member: Omit<StoreCall<Request, Reply>, "store" | "timeoutMs">) =>
    checkedCall({ store: name, timeoutMs, ...member })
  return {
    name,
    capabilities,
    reserve: (request) =>
      call({
        copy: () => copy.copyReserveRequest(request, maxCounters),
        send: (checked) => store.reserve(checked),
        defectOf: reply.reserveDefect,
      }),
    settle: (request) =>
      call({
        copy: () => copy.copySettleRequest(request, maxCounters),
        send: (checked) => store.settle(checked),
        defectOf: reply.settleDefect,
      }),
    extend: (request) =>
      call({
        copy: () => copy.copyExtendRequest(request),
        send: (checked) => store.extend(checked),
        defectOf: reply.extendDefect,
      }),
    expire: (request) =>
      call({
        copy: () => copy.copyExpireRequest(request, maxCounters),
        send: (checked) => store.expire(checked),
        defectOf: reply.expireDefect,
      }),
    listDue: (request) =>
      call({
        copy: () => copy.copyListDueRequest(request),
        send: (checked) => store.listDue(checked),
        defectOf: reply.listDueDefect,
      }),
    read: (request) =>
      call({
        copy: () => copy.copyReadRequest(request),
        send: (checked) => store.read(checked),
        defectOf: reply.readDefect,
      }),
    adjust: (request) =>
      call({
        copy: () => copy.copyAdjustRequest(request),
        send: (checked) => store.adjust(checked),
        defectOf: reply.adjustDefect,
      }),
    listCounters: (request) =>
      call({
        copy: () => copy.copyListCountersRequest(request),
        send: (checked) => store.listCounters(checked),
        defectOf: reply.listCountersDefect,
      }),
    acceptClock: (request) =>
      call({
        copy: () => copy.copyPartitionRequest(request),
        send: (checked) => store.acceptClock(checked),
        defectOf: reply.acceptClockDefect,
      }),
    check: ({ partition } = {}) =>
      call({
        copy: () => (partition === undefined ? {} : copy.copyPartitionRequest({ partition })),
        send: (checked) => store.check(checked),
        defectOf: reply.checkDefect,
      }),
    ledger: ledger && checkedLedger(name, ledger, timeoutMs),
    close: async () => store.close?.(),
  }
}

function checkedLedger(store: string, ledger: UsageLedger, timeoutMs: number): UsageLedger {
  const query = <Request, Reply>(member: Omit<StoreCall<Request, Reply>, "store" | "timeoutMs">) =>
    checkedCall({ store, timeoutMs: LEDGER_QUERY_TIMEOUT_MS, ...member })
  return {
    record: (request) =>
      checkedCall({
        store,
        timeoutMs,
        copy: () => copy.copyRecordRequest(request),
        send: (checked) => ledger.record(checked),
        defectOf: reply.timeDefect,
      }),
    get: (request) =>
      query({
        copy: () => copy.copyGetRequest(request),
        send: (checked) => ledger.get(checked),
        defectOf: reply.arrayDefect,
      }),
    list: (request) =>
      query({
        copy: () => copy.copyListRequest(request),
        send: (checked) => ledger.list(checked),
        defectOf: (page) => reply.arrayDefect(page?.entries),
      }),
    totals: (request) =>
      query({
        copy: () => copy.copyTotalsRequest(request),
        send: (checked) => ledger.totals(checked),
        defectOf: reply.arrayDefect,
      }),
    prune: (request) =>
      query({
        copy: () => copy.copyPruneRequest(request),
        send: (checked) => ledger.prune(checked),
        defectOf: reply.pruneDefect,
      }),
  }
}

/** One call of a member. */
interface StoreCall<Request, Reply> {
  store: string
  timeoutMs: number
  copy: () => Request
  send: (request: Request) => Promise<Reply>
  defectOf: (reply: Reply, request: Request) => reply.Defect
}

async function checkedCall<Request, Reply>(member: StoreCall<Request, Reply>): Promise<Reply> {
  const { store, timeoutMs } = member
  const request = member.copy()
  let result: Reply
  try {
    result = await withinTimeout(member.send(request), timeoutMs, store)
  } catch (error) {
    throw toStoreError(error, store)
  }
  const defect = member.defectOf(result, request)
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
    // A store in memory has already replied and needs no timer.
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
