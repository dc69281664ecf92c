import { nextTurn } from "../store/batch-queue"
import type {
  AdjustReply,
  AdjustRequest,
  BudgetStore,
  CounterChange,
  CounterRef,
  ExpireReply,
  ExtendReply,
  ReserveCounter,
  ReserveReply,
  ReserveRequest,
  SettleReply,
  SettleRequest,
} from "../store/budget-store"
import { checkedStore } from "../store/checked-store"
import type { StoredEntry, UsageEntry, UsageFilter } from "../usage/entry"
import type { UsageGroup, UsageLedger, UsageTotals } from "../usage/ledger"
import type { CallLog } from "./call-log"
import { byName, canonical, equal, expectReply, fail, ok, valuesOf } from "./expect"
import { adjustRequest, counter, pendingEntry, reserveRequest, settleRequest, usageEntry } from "./requests"
import type { StoreProcess, SuiteClock, SuiteFaults, SuiteTarget } from "./target"

type ExpectedCounters = Record<string, { spent?: number; reserved?: number; granted?: number }>

/** What all contexts of one case share. */
interface CaseRun {
  target: SuiteTarget
  fuzzRuns: number
  seed: number
  /** Every process that the case started. */
  processes: StoreProcess[]
  calls: CallLog
  /** By partition and key: the reservation that `settle` and `release` resolve. */
  reservations: Map<string, { request: ReserveRequest; expiresAt: number | null }>
}

/** A lease that the suite expired. */
export interface ExpiredLease {
  key: string
  counters: CounterChange[]
  charged: number[]
}

/** Consecutive pages whose leases may all be `not-due`: another caller may have expired them. */
const MAX_EMPTY_PAGES = 3

/** Enough writes that a store which deletes records during calls has done so. */
const WRITES = 150

/** What a case works with: a store, its own partition, what the target offers, and the usual calls. */
export class CaseContext {
  readonly target: SuiteTarget

  constructor(
    private readonly run: CaseRun,
    readonly store: BudgetStore,
    readonly partition: string,
  ) {
    this.target = run.target
  }

  /** Random programs of each fuzz case. */
  get fuzzRuns(): number {
    return this.run.fuzzRuns
  }

  get seed(): number {
    return this.run.seed
  }

  /** The injected clock; a case that uses it needs `clock`. */
  get clock(): SuiteClock {
    return this.target.clock ?? fail("The target has no clock.")
  }

  /** The ledger; a case that uses it needs `ledger`. */
  get ledger(): UsageLedger {
    return this.store.ledger ?? fail("The store has no ledger.")
  }

  /** The faults of the target; a case needs each one that it uses. */
  get faults(): Required<SuiteFaults> {
    return this.target.faults as Required<SuiteFaults>
  }

  get retentionMs(): number {
    return this.store.capabilities.retentionMs
  }

  /** The same store, in another partition. */
  inPartition(name: string): CaseContext {
    return new CaseContext(this.run, this.store, `${this.partition}.${name}`)
  }

  /** A store on the same state in another process; ended when the case is over. */
  async spawn(): Promise<{ context: CaseContext; kill(): Promise<void> }> {
    const process = await this.target.spawn!()
    this.run.processes.push(process)
    return { context: this.#through(process.store), kill: () => process.kill() }
  }

  /** The same partition after the store was closed and opened again. */
  async restart(): Promise<CaseContext> {
    return this.#through(await this.faults.restart())
  }

  #through(store: BudgetStore): CaseContext {
    return new CaseContext(this.run, this.run.calls.record(checkedStore(store)), this.partition)
  }

  /** Makes the record of a counter or a reservation unreadable. */
  async damage(kind: "counter" | "reservation", key: string): Promise<void> {
    await this.faults.damage({ partition: this.partition, kind, key })
  }

  // ── Money ──

  /** Reserves, and fails unless the reply is `ok`. */
  async reserve(key: string, counters: ReserveCounter[], more?: Partial<ReserveRequest>) {
    const reply = await this.tryReserve(key, counters, more)
    if (reply.status !== "ok") fail(`reserve of ${key}: expected ok, got ${canonical(reply)}`)
    return reply
  }

  /** Reserves, and returns any reply. Without counters it sends the request of the key again. */
  async tryReserve(key: string, counters?: ReserveCounter[], more?: Partial<ReserveRequest>): Promise<ReserveReply> {
    const request = counters === undefined ? this.requestOf(key) : reserveRequest(this.partition, key, counters, more)
    if (!this.run.reservations.has(this.#id(key))) this.#remember(request, null)
    const reply = await this.store.reserve(request)
    if (reply.status === "ok" && !reply.replayed) this.#remember(request, reply.expiresAt)
    return reply
  }

  /** Builds the request of a reservation that is not sent, so that the key can be settled as a lost one. */
  prepare(key: string, counters: ReserveCounter[], expiresAt: number | null = null): ReserveRequest {
    const request = reserveRequest(this.partition, key, counters)
    this.#remember(request, expiresAt)
    return request
  }

  /** The latest request that was admitted under the key, or else the first one. */
  requestOf(key: string): ReserveRequest {
    return this.#reservation(key).request
  }

  /** Settles the reservation of the key, and returns any reply. */
  settle(key: string, amounts: readonly number[], more?: Partial<SettleRequest>): Promise<SettleReply> {
    const { request, expiresAt } = this.#reservation(key)
    return this.store.settle(settleRequest(request, amounts, { expiresAt, ...more }))
  }

  release(key: string, more?: Partial<SettleRequest>): Promise<SettleReply> {
    return this.settle(key, [], { outcome: "released", ...more })
  }

  /** Reserves and settles, and fails unless both are applied. */
  async charge(key: string, counters: ReserveCounter[], amounts: readonly number[], more?: Partial<ReserveRequest>) {
    await this.reserve(key, counters, more)
    await expectReply(this.settle(key, amounts), "settled")
  }

  extend(key: string, leaseMs: number): Promise<ExtendReply> {
    return this.store.extend({ partition: this.partition, key, leaseMs })
  }

  /** Ends the lease of the key; `counters` are those of its request unless others are given. */
  expire(key: string, counters = valuesOf(this.requestOf(key).counters, "name")): Promise<ExpireReply> {
    return this.store.expire({ partition: this.partition, key, counters })
  }

  /** Keys whose lease has ended. */
  async due(limit = 64): Promise<string[]> {
    return valuesOf((await this.store.listDue({ partition: this.partition, limit })).due, "key")
  }

  /** Expires every lease that is due, as the budget does. */
  async sweep(): Promise<ExpiredLease[]> {
    const { store, partition } = this
    const expired: ExpiredLease[] = []
    const damaged = new Set<string>()
    for (let emptyPages = 0; ; ) {
      // A turn of the event loop, so that the case's timeout can fire even if the store never yields.
      await nextTurn()
      const { due } = await store.listDue({ partition, limit: 64 })
      if (due.length === 0) return expired
      let progress = false
      for (const { key, counters } of due) {
        const reply = await store.expire({ partition, key, counters })
        if (reply.status === "other-counters") fail(`listDue names other counters of ${key} than are stored`)
        if (reply.status === "expired") expired.push({ key, counters: reply.counters, charged: reply.charged })
        if (damaged.has(key)) fail(`listDue lists ${key} again, which expire has set aside as damaged`)
        if (reply.status === "damaged") damaged.add(key)
        progress ||= reply.status !== "not-due"
      }
      emptyPages = progress ? 0 : emptyPages + 1
      if (emptyPages === MAX_EMPTY_PAGES)
        fail(`listDue lists ${due[0]!.key} ${MAX_EMPTY_PAGES} times, but expire replies not-due`)
    }
  }

  /** Expires every lease that is due, which must be those of these keys, in this order. */
  async expectSwept(...keys: string[]): Promise<void> {
    equal(valuesOf(await this.sweep(), "key"), keys, "expired leases")
  }

  /** Writes in the partition, but to other keys and counters than the case is about. */
  async writeElsewhere(writes = WRITES): Promise<void> {
    const name = `else.${this.clock.now().toString(36)}`
    for (let index = 0; index < writes; index++) await this.charge(`${name}.${index}`, [counter("elsewhere", 1)], [0])
  }

  /** Advances the clock, and lets the store delete what it has forgotten by then. */
  async advanceAndWrite(ms: number, writes = WRITES): Promise<void> {
    await this.clock.advance(ms)
    await this.writeElsewhere(writes)
  }

  tryAdjust(key: string, name: string, kind: AdjustRequest["kind"], delta: number, more?: Partial<CounterRef>) {
    return this.store.adjust(adjustRequest(this.partition, key, name, kind, delta, more))
  }

  /** Adjusts, and fails unless the reply is `ok`. */
  async adjust(...adjustment: Parameters<CaseContext["tryAdjust"]>): Promise<Extract<AdjustReply, { status: "ok" }>> {
    const reply = await this.tryAdjust(...adjustment)
    if (reply.status !== "ok") fail(`adjust ${adjustment[0]}: expected ok, got ${canonical(reply)}`)
    return reply
  }

  // ── Reading ──

  /** The store's time. */
  async now(): Promise<number> {
    return (await this.read()).now
  }

  read(...counters: string[]) {
    return this.store.read({ partition: this.partition, counters })
  }

  /** Each counter must read exactly so; a field that is not given is 0. */
  async expectCounters(expected: ExpectedCounters, what = "counters"): Promise<void> {
    const names = Object.keys(expected)
    const { counters } = await this.read(...names)
    equal(valuesOf(counters, "name"), names, `${what}: names, in the order of the request`)
    const found = Object.fromEntries(counters.map(({ name, ...state }) => [name, state]))
    const zeros = { spent: 0, reserved: 0, granted: 0 }
    equal(found, Object.fromEntries(names.map((name) => [name, { ...zeros, ...expected[name] }])), what)
  }

  // ── Ledger ──

  /** Reserves and settles one attempt in the counter `name`. */
  async spend(key: string, amount: number, entry: Partial<UsageEntry> = {}, name = "a"): Promise<void> {
    const settled = usageEntry(entry.requestId ?? key, amount, entry)
    const pending = pendingEntry(settled.requestId, amount, { attempt: settled.attempt })
    await this.reserve(key, [counter(name, amount)], { pendingEntry: pending })
    await expectReply(this.settle(key, [amount], { entry: settled }), "settled")
  }

  /** Records an entry without money. */
  record(key: string, entry: UsageEntry): Promise<{ now: number }> {
    return this.ledger.record({ partition: this.partition, key, entry })
  }

  prune(before: number): Promise<{ removed: number }> {
    return this.ledger.prune({ partition: this.partition, before })
  }

  /** Every attempt of a request. */
  attempts(requestId: string): Promise<StoredEntry[]> {
    return this.ledger.get({ partition: this.partition, requestId })
  }

  /** Every matching entry, page by page. */
  async entries(filter: UsageFilter = {}, limit = 100, newestFirst = false): Promise<StoredEntry[]> {
    const listed: StoredEntry[] = []
    let cursor: string | null = null
    for (let pages = 0; pages < 20_000; pages++) {
      const page = await this.ledger.list({ partition: this.partition, filter, cursor, limit, newestFirst })
      ok(page.entries.length <= limit, `list: expected at most ${limit} entries, got ${page.entries.length}`)
      listed.push(...page.entries)
      if (page.cursor === null) return listed
      cursor = page.cursor
    }
    fail("list: the cursor never became null")
  }

  totals(
    groupBy: UsageGroup[] = [],
    filter: UsageFilter = {},
    buckets: number[] | null = null,
  ): Promise<UsageTotals[]> {
    return this.ledger.totals({ partition: this.partition, filter, groupBy, buckets })
  }

  /** `spent` of these counters must be the sum of their entries' charges plus these adjustments. */
  async expectSums(names: readonly string[], adjustments: Record<string, number> = {}): Promise<void> {
    const sums = new Map(names.map((name) => [name, BigInt(adjustments[name] ?? 0)]))
    for (const { charges } of await this.entries({}, 500))
      for (const [name, amount] of Object.entries(charges))
        if (sums.has(name)) sums.set(name, sums.get(name)! + BigInt(amount))
    const expected = Object.fromEntries([...sums].map(([name, sum]) => [name, Number(sum)]))
    const { counters } = await this.read(...names)
    equal(byName(counters, "spent"), expected, "spent, against the charges of the entries plus adjustments")
  }

  #id(key: string): string {
    return `${this.partition} ${key}`
  }

  #remember(request: ReserveRequest, expiresAt: number | null): void {
    this.run.reservations.set(this.#id(request.key), { request, expiresAt })
  }

  #reservation(key: string) {
    return this.run.reservations.get(this.#id(key)) ?? fail(`The case reserved nothing under ${key}.`)
  }
}
