import type {
  AdjustReply,
  AdjustRequest,
  BudgetStore,
  CounterChange,
  CounterRef,
  CounterState,
  ExpireReply,
  ExpireRequest,
  ExtendReply,
  ExtendRequest,
  FinalState,
  ListCountersReply,
  ListDueReply,
  ReadReply,
  ReserveCounter,
  ReserveReply,
  ReserveRequest,
  SettleReply,
  SettleRequest,
  StoreCapabilities,
  StoreCheck,
} from "../store/budget-store"
import type { Millis, Name } from "../store/shape"
import { StoreError } from "../store/store-error"
import { canonical } from "./expect"
import { ModelLedger } from "./model-ledger"
import {
  emptyPartition,
  type ModelCounter,
  type ModelPartition,
  type ModelReservation,
  type ModelShare,
  type ModelState,
} from "./model-state"

const LARGEST = Number.MAX_SAFE_INTEGER
const DAY_MS = 86_400_000
const CLOCK_MARGIN_MS = 7 * DAY_MS
const ADJUSTMENT_KEPT_MS = 90 * DAY_MS

export interface ModelOptions {
  /** Epoch milliseconds of the storage. */
  clock: () => Millis
  /** @defaultValue one hour */
  retentionMs?: number | undefined
  /** How long the ledger keeps an entry. @defaultValue until it is pruned */
  ledgerRetentionMs?: number | undefined
  /** State to continue from, as after a restart. */
  state?: ModelState | undefined
}

/**
 * A second implementation of the contract, independent of `transition`: one method per rule, and no optimization. Fuzz
 * cases compare a store with it. The planted stores of the suite's own tests change one method of it.
 */
export class ModelStore implements BudgetStore {
  readonly name: string = "model"
  readonly capabilities: StoreCapabilities
  readonly ledger: ModelLedger
  readonly state: ModelState
  readonly clock: () => Millis

  constructor(options: ModelOptions) {
    this.clock = options.clock
    this.state = options.state ?? new Map()
    const retentionMs = options.retentionMs ?? 3_600_000
    this.capabilities = { shared: false, clock: "process", retentionMs, maxCounters: 32, timeoutMs: 10_000 }
    this.ledger = this.createLedger(options.ledgerRetentionMs ?? Number.POSITIVE_INFINITY)
  }

  // ── The members ──

  async reserve(request: ReserveRequest): Promise<ReserveReply> {
    const now = this.now(request.partition)
    const partition = this.partition(request.partition)
    this.deleteForgotten(partition)
    const decision = this.decide(partition, request, now)
    if (decision.status === "admit") {
      this.hold(partition, request, now)
      this.writeTime(partition, now)
    }
    const counters = request.counters.map(({ name }) => this.stateOf(partition, name, now))
    const rest = { now, counters, due: this.dueKeys(partition).length > 0 }
    if (decision.status !== "admit") return { ...rest, ...decision }
    return { ...rest, status: "ok", replayed: false, expiresAt: this.leaseEnd(request.leaseMs, now) }
  }

  async settle(request: SettleRequest): Promise<SettleReply> {
    const now = this.now(request.partition)
    const partition = this.partition(request.partition)
    this.deleteForgotten(partition)
    const reservation = this.reservationAt(partition, request.key, now)
    if (reservation === null) return this.settleDamaged(partition, request, now)
    if (reservation === undefined) return this.settleUnknown(partition, request, now)
    if (!this.sameContent(reservation, request)) return { now, status: "mismatch" }
    return this.settleExisting(partition, request, reservation, now)
  }

  async extend(request: ExtendRequest): Promise<ExtendReply> {
    const now = this.now(request.partition)
    const partition = this.partition(request.partition)
    const reservation = this.reservationAt(partition, request.key, now)
    if (reservation === null) throw damaged(`reservation ${request.key}`)
    if (reservation === undefined) return { now, status: "unknown" }
    if (reservation.state !== "held") return { now, status: reservation.state }
    if (this.leaseHasEnded(reservation.leaseEnd)) return { now, status: "expired" }
    reservation.leaseEnd = Math.max(reservation.leaseEnd, this.leaseEnd(request.leaseMs, now))
    partition.leases.set(request.key, reservation.leaseEnd)
    const counters = reservation.shares.map(({ name, amount, onExpire }) => ({ name, amount, onExpire }))
    return { now, status: "held", expiresAt: reservation.leaseEnd, fingerprint: reservation.fingerprint, counters }
  }

  async expire(request: ExpireRequest): Promise<ExpireReply> {
    const now = this.now(request.partition)
    const partition = this.partition(request.partition)
    this.deleteForgotten(partition)
    if (!this.dueKeys(partition).includes(request.key)) return { now, status: "not-due" }
    const reservation = this.reservationAt(partition, request.key, now)
    if (!reservation || reservation.shares.some(({ name }) => this.counterIsDamaged(partition, name))) {
      this.setAside(partition, request.key)
      return { now, status: "damaged" }
    }
    if (!this.namesStoredCounters(reservation, request.counters)) {
      return { now, status: "other-counters", storedCounters: namesOf(reservation.shares) }
    }
    const { changes, charged } = this.expireHeld(partition, request.key, reservation, now)
    this.writeTime(partition, now)
    const inOrder = <T>(values: T[]) =>
      request.counters.map((name) => values[reservation.shares.findIndex((share) => share.name === name)]!)
    return { now, status: "expired", counters: inOrder(changes), charged: inOrder(charged) }
  }

  async listDue(request: { partition: Name; limit: number }): Promise<ListDueReply> {
    const now = this.now(request.partition)
    const partition = this.state.get(request.partition) ?? emptyPartition()
    const due = this.dueKeys(partition).slice(0, request.limit)
    return { now, due: due.map((key) => ({ key, counters: namesOf(partition.reservations.get(key)?.shares ?? []) })) }
  }

  async read(request: { partition: Name; counters: Name[] }): Promise<ReadReply> {
    const now = this.now(request.partition)
    const partition = this.state.get(request.partition) ?? emptyPartition()
    const counters = request.counters.map((name) => this.stateOf(partition, name, now))
    return { now, due: this.dueKeys(partition).length > 0, counters }
  }

  async adjust(request: AdjustRequest): Promise<AdjustReply> {
    const now = this.now(request.partition)
    const partition = this.partition(request.partition)
    this.deleteForgotten(partition)
    const { name, endsAt } = request.counter
    const content = canonical([name, request.kind, request.delta])
    const adjustment = this.adjustmentAt(partition, request.key, now)
    if (adjustment !== undefined && adjustment.content !== content) return { now, status: "mismatch" }
    if (adjustment !== undefined) {
      const counter = this.unchanged(partition, name, now)
      return { now, status: "ok", counter, replayed: true, applied: adjustment.applied }
    }
    if (!this.windowIsOpen(request.counter, now)) return { now, status: "stale-window" }
    const { counter, applied } = this.applyAdjustment(partition, request, now)
    const forgetAt = this.adjustmentForgetAt(endsAt, now)
    partition.adjustments.set(request.key, { content, applied, forgetAt })
    this.writeTime(partition, now)
    return { now, status: "ok", counter, replayed: false, applied }
  }

  async listCounters(request: { partition: Name; cursor: string | null; limit: number }): Promise<ListCountersReply> {
    const now = this.now(request.partition)
    const partition = this.state.get(request.partition) ?? emptyPartition()
    const names = [...partition.counters.keys()].filter((name) => name > (request.cursor ?? "")).sort()
    const page = names.slice(0, request.limit)
    const isDamaged = (name: Name) => this.counterIsDamaged(partition, name)
    const readable = page.filter((name) => !isDamaged(name) && this.counterAt(partition, name, now) !== undefined)
    return {
      now,
      counters: readable.map((name) => this.stateOf(partition, name, now)),
      damaged: page.filter(isDamaged),
      cursor: names.length > page.length ? page.at(-1)! : null,
    }
  }

  async acceptClock(request: { partition: Name }): Promise<{ now: Millis; before: Millis }> {
    const before = this.now(request.partition)
    const now = this.clock()
    this.partition(request.partition).time = now
    return { now, before }
  }

  async check(request: { partition?: Name | undefined } = {}): Promise<StoreCheck> {
    const clock = this.clock()
    const healthy = { ok: true, durability: "none", warnings: [] } as const
    if (request.partition === undefined) return { ...healthy, warnings: [] }
    const { damaged: keys, time } = this.state.get(request.partition) ?? emptyPartition()
    const clockBehindMs = Math.max(0, (time ?? clock) - clock)
    const warnings = [
      ...(clockBehindMs > 60_000 ? [`The clock is ${clockBehindMs} ms behind the latest time.`] : []),
      ...(keys.size > 0 ? [`${keys.size} reservations are damaged.`] : []),
    ]
    return { ...healthy, warnings, damaged: [...keys].slice(0, 100), clockBehindMs }
  }

  /** Number of records, without usage entries. */
  size(): number {
    let size = 0
    for (const { counters, reservations, adjustments } of this.state.values()) {
      size += counters.size + reservations.size + adjustments.size
    }
    return size
  }

  // ── Time ──

  /** Never runs backwards: the later of the clock and the partition's latest time. */
  now(partition: Name): Millis {
    return Math.max(this.clock(), this.state.get(partition)?.time ?? 0)
  }

  writeTime(partition: ModelPartition, now: Millis): void {
    partition.time = Math.max(partition.time ?? now, now)
  }

  /** Leases are measured by the clock alone. */
  leaseEnd(leaseMs: number, _now: Millis): Millis {
    return this.clock() + leaseMs
  }

  leaseHasEnded(leaseEnd: Millis): boolean {
    return leaseEnd <= this.clock()
  }

  // ── Reserve ──

  /** The decision on a reserve, before anything is written. */
  decide(partition: ModelPartition, request: ReserveRequest, now: Millis): Decision {
    const reservation = this.reservationAt(partition, request.key, now)
    if (reservation === null) throw damaged(`reservation ${request.key}`)
    if (reservation !== undefined) return this.decideExisting(reservation, request)
    const state = this.stateByEntry(partition, request.key, now)
    if (state !== undefined) return { status: "resolved", state }
    const which = (test: (counter: ReserveCounter) => boolean) =>
      request.counters.flatMap((counter, index) => (test(counter) ? [index] : []))
    const stale = which((counter) => !this.windowIsOpen(counter, now))
    if (stale.length > 0) return { status: "stale-window", which: stale }
    const exceeded = which((counter) => !this.fits(partition, counter, now))
    return exceeded.length > 0 ? { status: "exceeded", which: exceeded } : { status: "admit" }
  }

  decideExisting(reservation: ModelReservation, request: ReserveRequest): Decision {
    if (!this.sameContent(reservation, request)) return { status: "mismatch" }
    if (reservation.state !== "held") return { status: "resolved", state: reservation.state }
    if (this.leaseHasEnded(reservation.leaseEnd))
      return { status: "lease-ended", storedCounters: namesOf(reservation.shares) }
    return { status: "ok", replayed: true, expiresAt: reservation.leaseEnd }
  }

  sameContent(reservation: ModelReservation, request: { fingerprint: string }): boolean {
    return reservation.fingerprint === request.fingerprint
  }

  windowIsOpen(counter: CounterRef, now: Millis): boolean {
    return (counter.startsAt === null || counter.startsAt <= now) && (counter.endsAt === null || now < counter.endsAt)
  }

  fits(partition: ModelPartition, counter: ReserveCounter, now: Millis): boolean {
    const { spent, reserved, granted } = this.stateOf(partition, counter.name, now)
    const cap = counter.limit === null ? LARGEST : Math.min(LARGEST, counter.limit + granted)
    return counter.amount === 0 || counter.amount <= cap - spent - reserved
  }

  hold(partition: ModelPartition, request: ReserveRequest, now: Millis): void {
    for (const counter of request.counters) this.change(partition, counter, now, { reserved: counter.amount })
    const leaseEnd = this.leaseEnd(request.leaseMs, now)
    partition.reservations.set(request.key, {
      state: "held",
      fingerprint: request.fingerprint,
      shares: request.counters.map(({ limit: _limit, ...share }) => ({ ...share, charge: 0 })),
      leaseEnd,
      revision: -1,
      pendingEntry: structuredClone(request.pendingEntry),
      forgetAt: Number.POSITIVE_INFINITY,
    })
    partition.leases.set(request.key, leaseEnd)
  }

  /** The final state of a key whose reservation is forgotten, while its usage entry is kept. */
  stateByEntry(partition: ModelPartition, key: Name, now: Millis): FinalState | undefined {
    const state = this.ledger.entryAt(partition, key, now)?.state
    return state === "recorded" ? undefined : state
  }

  // ── Settle ──

  settleUnknown(partition: ModelPartition, request: SettleRequest, now: Millis): SettleReply {
    if (this.stateByEntry(partition, request.key, now) !== undefined) return { now, status: "forgotten" }
    if (request.outcome === "settled" && !this.wasLost(request, now)) return { now, status: "forgotten" }
    return this.resolve(partition, request, undefined, now, { recovered: request.outcome === "settled" })
  }

  /** True if the store lost this key, so that the money must be charged; false if it resolved and forgot the key. */
  wasLost(request: SettleRequest, now: Millis): boolean {
    return request.expiresAt === null || now < request.expiresAt + this.capabilities.retentionMs
  }

  /** Treats the key as held in the counters of the request with the amounts of the request. */
  settleDamaged(partition: ModelPartition, request: SettleRequest, now: Millis): SettleReply {
    const held: ModelReservation = {
      state: "held",
      fingerprint: request.fingerprint,
      shares: request.counters.map((counter) => ({ ...counter, amount: counter.reserved, onExpire: 0, charge: 0 })),
      leaseEnd: request.expiresAt ?? now,
      revision: -1,
      pendingEntry: null,
      forgetAt: Number.POSITIVE_INFINITY,
    }
    return this.resolve(partition, request, held, now, { recovered: true })
  }

  settleExisting(
    partition: ModelPartition,
    request: SettleRequest,
    reservation: ModelReservation,
    now: Millis,
  ): SettleReply {
    const { outcome } = request
    if (reservation.state === "settled" && outcome === "released") return { now, status: "mismatch" }
    if (reservation.state === "released" && outcome === "settled") return { now, status: "mismatch" }
    if (reservation.state === "settled" && request.revision < reservation.revision) return { now, status: "mismatch" }
    if (!this.namesStoredCounters(reservation, namesOf(request.counters))) {
      return { now, status: "other-counters", storedCounters: namesOf(reservation.shares) }
    }
    if (reservation.state === "released") return this.replay(partition, request, now, "released")
    if (reservation.state === "settled" && request.revision === reservation.revision) {
      const same = reservation.shares.every(({ name, charge }) => this.amountOf(request, name) === charge)
      return same ? this.replay(partition, request, now, "settled") : { now, status: "mismatch" }
    }
    return this.resolve(partition, request, reservation, now, { late: reservation.state === "expired" })
  }

  namesStoredCounters(reservation: ModelReservation, names: readonly Name[]): boolean {
    return canonical([...names].sort()) === canonical(namesOf(reservation.shares).sort())
  }

  amountOf(request: SettleRequest, name: Name): number {
    if (request.outcome === "released") return 0
    return request.counters.find((counter) => counter.name === name)?.amount ?? 0
  }

  /** Replaces what is reserved or charged under the key by the amounts of the request. */
  resolve(
    partition: ModelPartition,
    request: SettleRequest,
    reservation: ModelReservation | undefined,
    now: Millis,
    how: { late?: boolean; recovered?: boolean } = {},
  ): SettleReply {
    const forgetAt = this.resolvedUntil(reservation?.leaseEnd ?? request.expiresAt ?? now, now)
    const before =
      reservation?.shares ?? request.counters.map((counter) => ({ ...counter, amount: 0, onExpire: 0, charge: 0 }))
    let forgottenCounters = 0
    const changes = new Map<Name, CounterChange>()
    const shares = before.map((share): ModelShare => {
      const charge = this.amountOf(request, share.name)
      if (this.counterIsForgotten(partition, share, reservation, now)) {
        forgottenCounters++
        changes.set(share.name, this.unchanged(partition, share.name, now))
      } else {
        const by = { spent: charge - share.charge, reserved: reservation?.state === "held" ? -share.amount : 0 }
        changes.set(share.name, this.change(partition, share, now, by, forgetAt))
      }
      return { ...share, charge }
    })
    const { fingerprint, outcome: state, revision } = request
    const leaseEnd = reservation?.leaseEnd ?? request.expiresAt ?? now
    const record = { state, fingerprint, shares, leaseEnd, revision, pendingEntry: null, forgetAt }
    partition.reservations.set(request.key, record)
    partition.leases.delete(request.key)
    partition.damaged.delete(request.key)
    this.writeEntry(partition, request, shares, now)
    this.writeTime(partition, now)
    return {
      now,
      status: state,
      counters: request.counters.map(({ name }) => changes.get(name)!),
      replayed: false,
      late: how.late ?? false,
      recovered: how.recovered ?? false,
      forgottenCounters,
    }
  }

  /** The window is past its retention and its counter is deleted. A counter in which something is reserved is kept; an endless counter may be new. */
  counterIsForgotten(
    partition: ModelPartition,
    share: ModelShare,
    reservation: ModelReservation | undefined,
    now: Millis,
  ): boolean {
    if (this.counterAt(partition, share.name, now) !== undefined) return false
    if (reservation !== undefined && reservation.state !== "held") return true
    if (reservation !== undefined && share.amount > 0) return false
    return share.endsAt !== null && this.counterForgetAt(share, now) <= now
  }

  /** Only after `wasLost` is false; otherwise the same amount could be charged twice. */
  resolvedUntil(leaseEnd: Millis, now: Millis): Millis {
    return Math.max(leaseEnd, now) + this.capabilities.retentionMs
  }

  replay(partition: ModelPartition, request: SettleRequest, now: Millis, status: "settled" | "released"): SettleReply {
    const counters = request.counters.map(({ name }) => this.unchanged(partition, name, now))
    return { now, status, counters, replayed: true, late: false, recovered: false, forgottenCounters: 0 }
  }

  writeEntry(partition: ModelPartition, request: SettleRequest, shares: ModelShare[], now: Millis): void {
    const { key, entry, revision, outcome: state } = request
    this.ledger.write(partition, key, entry, { state, revision, charges: chargesOf(shares) }, now)
  }

  // ── Leases ──

  /** Keys whose lease has ended by the clock and that are not set aside, in order of (end, key). */
  dueKeys(partition: ModelPartition): Name[] {
    return [...partition.leases]
      .filter(([key, end]) => !partition.damaged.has(key) && this.leaseHasEnded(end))
      .sort(([keyA, a], [keyB, b]) => a - b || (keyA < keyB ? -1 : 1))
      .map(([key]) => key)
  }

  expireHeld(
    partition: ModelPartition,
    key: Name,
    reservation: ModelReservation,
    now: Millis,
  ): { changes: CounterChange[]; charged: number[] } {
    const forgetAt = this.resolvedUntil(reservation.leaseEnd, now)
    const charged = reservation.shares.map((share) => this.chargeOnExpiry(share))
    const changes = reservation.shares.map((share, index) =>
      this.change(partition, share, now, { spent: charged[index]!, reserved: -share.amount }, forgetAt),
    )
    const shares = reservation.shares.map((share, index) => ({ ...share, charge: charged[index]! }))
    partition.reservations.set(key, { ...reservation, state: "expired", shares, pendingEntry: null, forgetAt })
    partition.leases.delete(key)
    if (reservation.pendingEntry !== null) this.writeExpired(partition, key, reservation.pendingEntry, shares, now)
    return { changes, charged }
  }

  chargeOnExpiry(share: ModelShare): number {
    return share.onExpire
  }

  writeExpired(
    partition: ModelPartition,
    key: Name,
    entry: ModelReservation["pendingEntry"] & object,
    shares: ModelShare[],
    now: Millis,
  ): void {
    this.ledger.write(partition, key, entry, { state: "expired", revision: 0, charges: chargesOf(shares) }, now)
  }

  setAside(partition: ModelPartition, key: Name): void {
    partition.damaged.add(key)
  }

  // ── Adjust ──

  applyAdjustment(
    partition: ModelPartition,
    request: AdjustRequest,
    now: Millis,
  ): { counter: CounterChange; applied: number } {
    const { counter: ref, kind, delta } = request
    const { spent, granted } = this.stateOf(partition, ref.name, now)
    if (kind === "granted") {
      const counter = this.change(partition, ref, now, { granted: delta })
      return { counter, applied: counter.granted - granted }
    }
    if (kind === "spent") {
      const counter = this.change(partition, ref, now, { spent: delta })
      return { counter, applied: counter.spent - spent }
    }
    const { peakBefore } = this.change(partition, ref, now, { spent: -spent })
    partition.counters.get(this.counterName(ref.name))!.peak = 0
    return { counter: { ...this.stateOf(partition, ref.name, now), peakBefore, peak: 0 }, applied: 0 - spent }
  }

  adjustmentForgetAt(endsAt: Millis | null, now: Millis): Millis {
    const { retentionMs } = this.capabilities
    return endsAt === null ? now + Math.max(ADJUSTMENT_KEPT_MS, retentionMs) : endsAt + retentionMs
  }

  // ── Counters ──

  /** Adds to a counter. `until`: end of the retention of the key that names it. */
  change(
    partition: ModelPartition,
    ref: CounterRef,
    now: Millis,
    by: { spent?: number; reserved?: number; granted?: number },
    until: Millis = 0,
  ): CounterChange {
    const before = this.counterAt(partition, ref.name, now)
    const spent = this.sum(before?.spent ?? 0, by.spent ?? 0)
    const peakBefore = before?.peak ?? 0
    const peak = this.peakAfter(peakBefore, spent)
    partition.counters.set(this.counterName(ref.name), {
      spent,
      reserved: this.sum(before?.reserved ?? 0, by.reserved ?? 0),
      granted: this.sum(before?.granted ?? 0, by.granted ?? 0),
      peak,
      forgetAt: Math.max(before?.forgetAt ?? 0, until, this.counterForgetAt(ref, now)),
    })
    return { ...this.stateOf(partition, ref.name, now), peakBefore, peak }
  }

  counterForgetAt(ref: Pick<CounterRef, "endsAt" | "keepMs">, now: Millis): Millis {
    if (ref.endsAt !== null) return ref.endsAt + Math.max(this.capabilities.retentionMs, ref.keepMs ?? 0)
    return ref.keepMs === null ? Number.POSITIVE_INFINITY : now + ref.keepMs
  }

  /** Numbers saturate at ±(2^53 − 1). */
  sum(a: number, b: number): number {
    return Math.max(-LARGEST, Math.min(LARGEST, a + b))
  }

  peakAfter(peak: number, spent: number): number {
    return Math.max(peak, spent)
  }

  stateOf(partition: ModelPartition, name: Name, now: Millis): CounterState {
    const counter = this.counterAt(partition, name, now)
    return { name, spent: counter?.spent ?? 0, reserved: counter?.reserved ?? 0, granted: counter?.granted ?? 0 }
  }

  /** The counter as a replay shows it: nothing changed, so no threshold was crossed. */
  unchanged(partition: ModelPartition, name: Name, now: Millis): CounterChange {
    const peak = this.counterAt(partition, name, now)?.peak ?? 0
    return { ...this.stateOf(partition, name, now), peakBefore: peak, peak }
  }

  counterAt(partition: ModelPartition, name: Name, now: Millis): ModelCounter | undefined {
    if (this.counterIsDamaged(partition, name)) throw damaged(`counter ${name}`)
    const counter = partition.counters.get(this.counterName(name))
    return counter === undefined || this.counterIsOver(counter, now) ? undefined : counter
  }

  counterIsDamaged(partition: ModelPartition, name: Name): boolean {
    const counter = partition.counters.get(this.counterName(name))
    return counter !== undefined && ![counter.spent, counter.reserved, counter.granted].every(Number.isSafeInteger)
  }

  counterName(name: Name): Name {
    return name
  }

  // ── Retention ──

  /** Whether a counter reads as absent: never while something is reserved in it. */
  counterIsOver(counter: ModelCounter, now: Millis): boolean {
    return counter.reserved === 0 && counter.forgetAt <= now
  }

  /** Null: the record is damaged. */
  reservationAt(partition: ModelPartition, key: Name, now: Millis): ModelReservation | null | undefined {
    const reservation = partition.reservations.get(key)
    return reservation && this.recordIsOver(reservation, now) ? undefined : reservation
  }

  adjustmentAt(partition: ModelPartition, key: Name, now: Millis) {
    const adjustment = partition.adjustments.get(key)
    return adjustment && this.recordIsOver(adjustment, now) ? undefined : adjustment
  }

  recordIsOver(record: { forgetAt: Millis }, now: Millis): boolean {
    return record.forgetAt <= now
  }

  /** Deletes records that were forgotten longer ago than a wrong clock may be ahead. They read as absent before. */
  deleteForgotten(partition: ModelPartition): void {
    if (partition.writes++ % 16 !== 0) return
    const before = this.clock() - this.deletionMarginMs()
    for (const [name, counter] of partition.counters) {
      if (this.counterIsOver(counter, before)) partition.counters.delete(name)
    }
    for (const [key, reservation] of partition.reservations) {
      if (reservation !== null && this.recordIsOver(reservation, before)) partition.reservations.delete(key)
    }
    for (const [key, adjustment] of partition.adjustments) {
      if (this.recordIsOver(adjustment, before)) partition.adjustments.delete(key)
    }
  }

  deletionMarginMs(): number {
    return CLOCK_MARGIN_MS
  }

  partition(name: Name): ModelPartition {
    const partition = this.state.get(name) ?? emptyPartition()
    this.state.set(name, partition)
    return partition
  }

  createLedger(retentionMs: number): ModelLedger {
    return new ModelLedger(
      (name) => this.partition(name),
      (name) => this.now(name),
      retentionMs,
    )
  }
}

export type Decision =
  | { status: "admit" }
  | { status: "exceeded" | "stale-window"; which: number[] }
  | { status: "mismatch" }
  | { status: "resolved"; state: FinalState }
  | { status: "lease-ended"; storedCounters: Name[] }
  | { status: "ok"; replayed: true; expiresAt: Millis }

const namesOf = (counters: readonly { name: Name }[]): Name[] => counters.map(({ name }) => name)

const chargesOf = (shares: readonly ModelShare[]): Record<Name, number> =>
  Object.fromEntries(shares.map(({ name, charge }) => [name, charge]))

function damaged(what: string): StoreError {
  return new StoreError(`The record of ${what} cannot be read.`, { code: "store-corrupt", applied: "no" })
}
