import type {
  AdjustReply,
  AdjustRequest,
  BudgetStore,
  CounterChange,
  CounterRef,
  CounterState,
  ReserveCounter,
  ReserveReply,
  ReserveRequest,
  SettleReply,
  SettleRequest,
} from "../store/budget-store"
import { checkedStore } from "../store/checked-store"
import { nextTurn } from "../store/next-turn"
import type { StoredEntry, UsageEntry, UsageFilter } from "../usage/entry"
import type { UsageGroup, UsageLedger, UsageTotals } from "../usage/ledger"
import { byName, canonical, equal, fail, ok, SuiteFailure } from "./expect"
import { adjustRequest, counter, pendingEntry, reserveRequest, settleRequest, usageEntry } from "./requests"
import type { StoreProcess, SuiteClock, SuiteTarget } from "./target"

type Settled = Extract<SettleReply, { status: "settled" | "released" }>

/** A reservation that was admitted, and the calls that resolve it. */
export interface TestReservation {
  request: ReserveRequest
  expiresAt: number
  /** Settles; the reply may be any. */
  settle(amounts: readonly number[], more?: Partial<SettleRequest>): Promise<SettleReply>
  release(more?: Partial<SettleRequest>): Promise<SettleReply>
}

interface ExpectedCounter {
  spent?: number
  reserved?: number
  granted?: number
}

/** A lease that the suite expired. */
export interface ExpiredLease {
  key: string
  counters: CounterChange[]
  charged: number[]
}

/** What a case works with: a fresh store, a partition of its own, the target's tools, and the usual calls. */
export interface Bench {
  readonly store: BudgetStore
  readonly partition: string
  readonly target: SuiteTarget
  /** The injected clock; a case that uses it needs `clock`. */
  readonly clock: SuiteClock
  /** The ledger; a case that uses it needs `ledger`. */
  readonly ledger: UsageLedger
  readonly fuzzRuns: number
  readonly seed: number
  /** The same store, in another partition. */
  inPartition(name: string): Bench
  /** The same partition, through the store of another process. */
  through(store: BudgetStore): Bench
  /** The store's time. */
  now(): Promise<number>
  /** Reserves, and fails unless the reply is `ok`. */
  reserve(key: string, counters: ReserveCounter[], more?: Partial<ReserveRequest>): Promise<TestReservation>
  /** Reserves, and returns whatever the store replies. */
  tryReserve(key: string, counters: ReserveCounter[], more?: Partial<ReserveRequest>): Promise<ReserveReply>
  /** Adjusts, and fails unless the reply is `ok`. */
  adjust(
    key: string,
    name: string,
    kind: AdjustRequest["kind"],
    delta: number,
    more?: Partial<CounterRef>,
  ): Promise<Extract<AdjustReply, { status: "ok" }>>
  counterState(name: string): Promise<CounterState>
  /** The counter must read exactly so; what is not given is 0. */
  expectCounter(name: string, expected: ExpectedCounter, what?: string): Promise<void>
  expectCounters(expected: Record<string, ExpectedCounter>, what?: string): Promise<void>
  /** Expires every lease that is due, as the budget does. */
  sweep(): Promise<ExpiredLease[]>
  /** A store on the same state in another process; ended when the case is over. */
  spawn(): Promise<StoreProcess>
  /** The same partition after the store was closed and opened again. */
  restart(): Promise<Bench>
  /** Reserves and settles one attempt in the counter `name`. */
  spend(key: string, amount: number, entry?: Partial<UsageEntry>, name?: string): Promise<TestReservation>
  /** Every matching entry, page by page. */
  entries(filter?: UsageFilter, limit?: number, newestFirst?: boolean): Promise<StoredEntry[]>
  totals(groupBy: UsageGroup[], filter?: UsageFilter, buckets?: number[]): Promise<UsageTotals[]>
  /** `spent` of these counters must be the sum of their entries' charges plus these adjustments. */
  expectSums(names: readonly string[], adjustments?: Record<string, number>): Promise<void>
}

interface BenchContext {
  target: SuiteTarget
  store: BudgetStore
  partition: string
  fuzzRuns: number
  seed: number
  /** Every process that the case started. */
  processes: StoreProcess[]
}

export function createBench(context: BenchContext): Bench {
  const { target, store, partition, fuzzRuns, seed, processes } = context

  const tryReserve: Bench["tryReserve"] = (key, counters, more) =>
    store.reserve(reserveRequest(partition, key, counters, more))

  const reserve: Bench["reserve"] = async (key, counters, more) => {
    const request = reserveRequest(partition, key, counters, more)
    return reservationOf(store, request, await store.reserve(request))
  }

  const counterState: Bench["counterState"] = async (name) => {
    const { counters } = await store.read({ partition, counters: [name] })
    ok(counters.length === 1, `read of one counter: expected one counter, got ${counters.length}`)
    return counters[0]!
  }

  const entries: Bench["entries"] = async (filter = {}, limit = 100, newestFirst = false) => {
    const listed: StoredEntry[] = []
    let cursor: string | null = null
    for (let pages = 0; pages < 20_000; pages++) {
      const page = await ledgerOf(store).list({ partition, filter, cursor, limit, newestFirst })
      ok(page.entries.length <= limit, `list: expected at most ${limit} entries, got ${page.entries.length}`)
      listed.push(...page.entries)
      if (page.cursor === null) return listed
      cursor = page.cursor
    }
    fail("list: the cursor never became null")
  }

  const expectCounters: Bench["expectCounters"] = async (expected, what = "counters") => {
    const names = Object.keys(expected)
    const states = names.map((name) => ({ name, spent: 0, reserved: 0, granted: 0, ...expected[name] }))
    const { counters } = await store.read({ partition, counters: names })
    equal(counters, states, what)
  }

  return {
    store,
    partition,
    target,
    fuzzRuns,
    seed,
    get clock() {
      if (target.clock === undefined) throw new SuiteFailure("The target has no clock.")
      return target.clock
    },
    get ledger() {
      return ledgerOf(store)
    },
    inPartition: (name) => createBench({ ...context, partition: `${partition}.${name}` }),
    through: (other) => createBench({ ...context, store: other }),
    now: async () => (await store.read({ partition, counters: [] })).now,
    reserve,
    tryReserve,
    counterState,
    entries,
    adjust: async (key, name, kind, delta, more) => {
      const reply = await store.adjust(adjustRequest(partition, key, name, kind, delta, more))
      if (reply.status !== "ok") fail(`adjust ${key}: expected ok, got ${canonical(reply)}`)
      return reply
    },
    expectCounter: (name, expected, what) => expectCounters({ [name]: expected }, what),
    expectCounters,
    sweep: () => sweep(store, partition),
    spawn: async () => {
      const process = await target.spawn!()
      processes.push(process)
      return { ...process, store: checkedStore(process.store) }
    },
    restart: async () => createBench({ ...context, store: checkedStore(await target.faults!.restart!()) }),
    spend: async (key, amount, more = {}, name = "a") => {
      const entry = usageEntry(more.requestId ?? key, amount, more)
      const pending = pendingEntry(entry.requestId, amount, { attempt: entry.attempt })
      const reservation = await reserve(key, [counter(name, amount)], { pendingEntry: pending })
      settledBy(await reservation.settle([amount], { entry }), key)
      return reservation
    },
    totals: (groupBy, filter = {}, buckets) =>
      ledgerOf(store).totals({ partition, filter, groupBy, buckets: buckets ?? null }),
    expectSums: async (names, adjustments = {}) => {
      const charged = new Map<string, bigint>()
      for (const entry of await entries({}, 500)) {
        for (const [name, amount] of Object.entries(entry.charges)) {
          charged.set(name, (charged.get(name) ?? 0n) + BigInt(amount))
        }
      }
      const sumOf = (name: string) => Number((charged.get(name) ?? 0n) + BigInt(adjustments[name] ?? 0))
      const { counters } = await store.read({ partition, counters: [...names] })
      const sums = Object.fromEntries(names.map((name) => [name, sumOf(name)]))
      equal(byName(counters, "spent"), sums, "spent, against the charges of the entries plus adjustments")
    },
  }
}

/** The ledger of a store that has one. */
function ledgerOf(store: BudgetStore): UsageLedger {
  if (store.ledger === undefined) throw new SuiteFailure("The store has no ledger.")
  return store.ledger
}

/** The reservation of an `ok` reply; any other reply fails. */
export function reservationOf(store: BudgetStore, request: ReserveRequest, reply: ReserveReply): TestReservation {
  if (reply.status !== "ok") fail(`reserve of ${request.key}: expected ok, got ${canonical(reply)}`)
  const { expiresAt } = reply
  return {
    request,
    expiresAt,
    settle: (amounts, more) => store.settle(settleRequest(request, amounts, { expiresAt, ...more })),
    release: (more) => store.settle(settleRequest(request, [], { expiresAt, outcome: "released", ...more })),
  }
}

/** The reply of a settle or release that was applied or replayed; any other reply fails. */
export function settledBy(reply: SettleReply, what: string): Settled {
  if (reply.status !== "settled" && reply.status !== "released") {
    fail(`${what}: expected settled or released, got ${canonical(reply)}`)
  }
  return reply
}

/** How often a page of due leases may be all `not-due` before the case fails: another caller may have expired it. */
const MOST_EMPTY_PAGES = 3

async function sweep(store: BudgetStore, partition: string): Promise<ExpiredLease[]> {
  const expired: ExpiredLease[] = []
  const setAside = new Set<string>()
  for (let emptyPages = 0; ; ) {
    // So that the timeout of the case can fire, whatever the store does.
    await nextTurn()
    const { due } = await store.listDue({ partition, limit: 64 })
    if (due.length === 0) return expired
    let progress = false
    for (const { key, counters } of due) {
      const reply = await store.expire({ partition, key, counters })
      if (reply.status === "other-counters") fail(`expire of ${key}: listDue named other counters than are stored`)
      if (reply.status === "expired") expired.push({ key, counters: reply.counters, charged: reply.charged })
      if (setAside.has(key)) fail(`listDue lists ${key} again, which expire has set aside as damaged`)
      if (reply.status === "damaged") setAside.add(key)
      progress ||= reply.status !== "not-due"
    }
    emptyPages = progress ? 0 : emptyPages + 1
    if (emptyPages === MOST_EMPTY_PAGES) fail(`listDue lists ${due[0]!.key} again and again, but expire says not-due`)
  }
}
