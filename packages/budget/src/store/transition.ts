import type { StoredEntry, UsageEntry } from "../usage/entry"
import {
  type AdjustReply,
  type AdjustRequest,
  type CounterChange,
  type CounterRef,
  type CounterState,
  type ExpireReply,
  type ExpireRequest,
  type ExtendReply,
  type ExtendRequest,
  type FinalState,
  isOpen,
  type Millis,
  type Name,
  type ReserveCounter,
  type ReserveReply,
  type ReserveRequest,
  type SettleCounter,
  type SettleReply,
  type SettleRequest,
} from "./budget-store"

const MAX = Number.MAX_SAFE_INTEGER
/**
 * How much later than `forgetAt` a store deletes a record. Within it, a clock that jumps ahead and back deletes nothing;
 * beyond it, counters of days can be lost.
 */
export const CLOCK_MARGIN_MS = 7 * 86_400_000
const ENDLESS_ADJUSTMENT_MS = 90 * 86_400_000

// ── Stored values. None of them is ever changed in place. ──

/** A counter as it is stored. */
export interface CounterRecord {
  spent: number
  reserved: number
  granted: number
  /** High-water mark of `spent`. */
  peak: number
  /** The time from which it reads as absent, unless something is reserved; null: never. */
  forgetAt: Millis | null
}

/** One counter of a reservation. */
export interface ReservationCounter {
  name: Name
  /** The reserved amount. */
  amount: number
  onExpire: number
  /** The charge of this key to the counter; 0 while the key is held. */
  charged: number
}

/** The record of an idempotency key. */
export interface ReservationRecord {
  state: "held" | FinalState
  fingerprint: string
  /** Revision of the last settle. */
  revision: number
  leaseEnd: Millis
  counters: readonly ReservationCounter[]
  /** Written when the lease ends without a settle; null once resolved, and without a ledger. */
  pendingEntry: UsageEntry | null
  /** The time from which it reads as absent; null while it is held. */
  forgetAt: Millis | null
}

/** The record of an adjustment key. */
export interface AdjustmentRecord {
  counter: Name
  kind: AdjustRequest["kind"]
  delta: number
  applied: number
  forgetAt: Millis
}

// ── A step ──

/** When a step happens, and the settings of the store. */
export interface Moment {
  /** The store's clock. It decides leases. */
  clock: Millis
  /** The later of the clock and the partition's `time`. It decides windows. See {@link momentOf}. */
  now: Millis
  retentionMs: number
  /** Whether the store keeps usage entries. */
  ledger: boolean
}

/** What a step reads. Forgotten records may still be there: the step ignores them. */
export interface KeyRecords {
  reservation: ReservationRecord | undefined
  entry: StoredEntry | undefined
  /** A map of the counters that the request names. */
  counters: { get(name: Name): CounterRecord | undefined }
}

export interface CounterWrite {
  name: Name
  counter: CounterRecord
}

/** What a step writes, together or not at all. An empty object: nothing. */
export interface Writes {
  reservation?: ReservationRecord
  counters?: readonly CounterWrite[]
  entry?: StoredEntry
  adjustment?: AdjustmentRecord
  /** The partition's `time` from now on. */
  time?: Millis
}

export interface Step<Reply> {
  reply: Reply
  writes: Writes
}

/** `time` is the partition's latest time, undefined for a new partition. */
export function momentOf(
  clock: Millis,
  time: Millis | undefined,
  settings: { retentionMs: number; ledger: boolean },
): Moment {
  return { clock, now: Math.max(clock, time ?? clock), retentionMs: settings.retentionMs, ledger: settings.ledger }
}

/** Adds `amount` to `reserved` of all counters, or of none. `due`: a lease of the partition has ended. */
export function reserve(
  records: KeyRecords,
  request: ReserveRequest,
  moment: Moment,
  due: boolean,
): Step<ReserveReply> {
  const { clock, now } = moment
  const { counters: refs } = request
  const before = refs.map(({ name }) => live(records.counters, name, now))
  const reject = (outcome: ReserveOutcome): Step<ReserveReply> => {
    const counters = refs.map(({ name }, index) => stateOf(name, before[index]))
    return { reply: { now, due, counters, ...outcome }, writes: {} }
  }

  // Look the key up before checking windows: a retry after midnight is the same reservation.
  const reservation = liveReservation(records, now)
  if (reservation !== undefined) {
    if (reservation.fingerprint !== request.fingerprint) return reject({ status: "mismatch" })
    if (reservation.state !== "held") return reject({ status: "resolved", state: reservation.state })
    if (reservation.leaseEnd <= clock) return reject({ status: "lease-ended", storedCounters: namesOf(reservation) })
    return reject({ status: "ok", replayed: true, expiresAt: reservation.leaseEnd })
  }
  const entryState = finalStateOf(records.entry)
  if (entryState !== undefined) return reject({ status: "resolved", state: entryState })

  const stale = indexesWhere(refs, (ref) => !isOpen(ref, now))
  if (stale.length > 0) return reject({ status: "stale-window", which: stale })
  const exceeded = indexesWhere(refs, (ref, index) => !fits(ref, before[index]))
  if (exceeded.length > 0) return reject({ status: "exceeded", which: exceeded })

  const counters = refs.map((ref, index) => {
    const forgetAt = laterForgetAt(before[index], forgetTime(ref, moment))
    return { name: ref.name, counter: change(before[index], { reserved: ref.amount }, forgetAt) }
  })
  const leaseEnd = sum(clock, request.leaseMs)
  return {
    reply: {
      now,
      due,
      counters: counters.map(({ name, counter }) => stateOf(name, counter)),
      status: "ok",
      replayed: false,
      expiresAt: leaseEnd,
    },
    writes: {
      reservation: {
        state: "held",
        fingerprint: request.fingerprint,
        revision: 0,
        leaseEnd,
        counters: refs.map(({ name, amount, onExpire }) => ({ name, amount, onExpire, charged: 0 })),
        pendingEntry: moment.ledger ? request.pendingEntry : null,
        forgetAt: null,
      },
      counters,
      time: now,
    },
  }
}

/**
 * Replaces the reserved or charged amount of the key. Never denies. `damaged`: the record of the key is unreadable; it
 * counts as held in the counters and with the reserved amounts of the request.
 */
export function settle(
  records: KeyRecords,
  request: SettleRequest,
  moment: Moment,
  damaged = false,
): Step<SettleReply> {
  const { now } = moment
  const { outcome } = request
  const reject = (reply: SettleReply): Step<SettleReply> => ({ reply, writes: {} })
  const reservation = damaged ? undefined : liveReservation(records, now)

  if (reservation === undefined) {
    // A forgotten key still has its entry: its cost is already counted.
    if (finalStateOf(records.entry) !== undefined) return reject({ now, status: "forgotten" })
    if (!damaged && outcome === "settled" && !wasLost(request, moment)) return reject({ now, status: "forgotten" })
    const recovered = damaged || outcome === "settled"
    return resolve(records, request, moment, missingReservation(request, now, damaged), recovered)
  }

  const { state } = reservation
  if (reservation.fingerprint !== request.fingerprint) return reject({ now, status: "mismatch" })
  if ((state === "settled" || state === "released") && state !== outcome) return reject({ now, status: "mismatch" })
  if (state === "settled" && request.revision < reservation.revision) return reject({ now, status: "mismatch" })
  const names = request.counters.map(({ name }) => name)
  if (!hasSameNames(reservation, names))
    return reject({ now, status: "other-counters", storedCounters: namesOf(reservation) })

  const isReplay = state === "released" || (state === "settled" && request.revision === reservation.revision)
  if (!isReplay) return resolve(records, request, moment, reservation, false)
  if (state === "settled" && !hasSameCharges(reservation, request)) return reject({ now, status: "mismatch" })
  const counters = names.map((name) => unchangedCounter(name, live(records.counters, name, now)))
  return reject({ now, status: state, counters, replayed: true, late: false, recovered: false, forgottenCounters: 0 })
}

/** Extends a lease that has not ended. */
export function extend(records: KeyRecords, request: ExtendRequest, moment: Moment): Step<ExtendReply> {
  const { clock, now } = moment
  const reservation = liveReservation(records, now)
  if (reservation === undefined) return { reply: { now, status: "unknown" }, writes: {} }
  if (reservation.state !== "held") return { reply: { now, status: reservation.state }, writes: {} }
  if (reservation.leaseEnd <= clock) return { reply: { now, status: "expired" }, writes: {} }
  const leaseEnd = Math.max(reservation.leaseEnd, sum(clock, request.leaseMs))
  return {
    reply: {
      now,
      status: "held",
      expiresAt: leaseEnd,
      fingerprint: reservation.fingerprint,
      counters: reservation.counters.map(({ name, amount, onExpire }) => ({ name, amount, onExpire })),
    },
    writes: leaseEnd === reservation.leaseEnd ? {} : { reservation: { ...reservation, leaseEnd } },
  }
}

/** Ends one lease if it is due now. */
export function expire(records: KeyRecords, request: ExpireRequest, moment: Moment): Step<ExpireReply> {
  const { clock, now } = moment
  const reservation = liveReservation(records, now)
  if (reservation === undefined || reservation.state !== "held" || reservation.leaseEnd > clock)
    return { reply: { now, status: "not-due" }, writes: {} }
  if (!hasSameNames(reservation, request.counters))
    return { reply: { now, status: "other-counters", storedCounters: namesOf(reservation) }, writes: {} }

  const charges = request.counters.map((name) => ({ name, amount: shareOf(reservation, name).onExpire, ref: null }))
  const { fingerprint, revision, pendingEntry: entry } = reservation
  const ending = { state: "expired", fingerprint, revision, charges, entry } as const
  const { counters, writes } = end(records, request.key, moment, reservation, ending)
  const charged = charges.map(({ amount }) => amount)
  return { reply: { now, status: "expired", counters, charged }, writes }
}

/** A correction, a top-up or a reset of one counter, once per key. `adjustment` is the record of the key. */
export function adjust(
  adjustment: AdjustmentRecord | undefined,
  counters: KeyRecords["counters"],
  request: AdjustRequest,
  moment: Moment,
): Step<AdjustReply> {
  const { now } = moment
  const { counter: ref, kind, delta } = request
  const counter = live(counters, ref.name, now)
  if (adjustment !== undefined && adjustment.forgetAt > now) {
    const isSame = adjustment.counter === ref.name && adjustment.kind === kind && adjustment.delta === delta
    if (!isSame) return { reply: { now, status: "mismatch" }, writes: {} }
    const { applied } = adjustment
    const same = unchangedCounter(ref.name, counter)
    return { reply: { now, status: "ok", counter: same, replayed: true, applied }, writes: {} }
  }
  if (!isOpen(ref, now)) return { reply: { now, status: "stale-window" }, writes: {} }

  const old = counter ?? EMPTY
  const forgetAt = laterForgetAt(counter, forgetTime(ref, moment))
  const after =
    kind === "reset"
      ? { ...old, spent: 0, peak: 0, forgetAt }
      : change(counter, kind === "granted" ? { granted: delta } : { spent: delta }, forgetAt)
  const applied = kind === "granted" ? after.granted - old.granted : after.spent - old.spent
  const keptMs = Math.max(moment.retentionMs, ENDLESS_ADJUSTMENT_MS)
  return {
    reply: { now, status: "ok", counter: changeOf(ref.name, counter, after), replayed: false, applied },
    writes: {
      counters: [{ name: ref.name, counter: after }],
      adjustment: {
        counter: ref.name,
        kind,
        delta,
        applied,
        forgetAt: ref.endsAt === null ? sum(now, keptMs) : sum(ref.endsAt, moment.retentionMs),
      },
      time: now,
    },
  }
}

/** An entry without amounts. Undefined: the key has an entry of a reservation, and nothing is written. */
export function record(
  entry: StoredEntry | undefined,
  request: { key: Name; entry: UsageEntry },
  now: Millis,
): StoredEntry | undefined {
  if (entry === undefined) {
    return { ...request.entry, idempotencyKey: request.key, at: now, revision: 0, state: "recorded", charges: {} }
  }
  if (entry.state !== "recorded") return undefined
  return { ...entry, count: sum(entry.count ?? 1, request.entry.count ?? 1) }
}

/** States of counters by name; an unseen or forgotten one is zeros. */
export function readCounters(counters: KeyRecords["counters"], names: readonly Name[], now: Millis): CounterState[] {
  return names.map((name) => stateOf(name, live(counters, name, now)))
}

/** Whether a record reads as absent. A reserved amount is never forgotten. */
export function isForgotten(record: { forgetAt: Millis | null; reserved?: number }, now: Millis): boolean {
  return record.forgetAt !== null && record.forgetAt <= now && (record.reserved ?? 0) === 0
}

// ── Parts of the steps ──

type ReserveOutcome = ReserveReply extends infer Reply
  ? Reply extends ReserveReply
    ? Omit<Reply, "now" | "due" | "counters">
    : never
  : never

const EMPTY: CounterRecord = { spent: 0, reserved: 0, granted: 0, peak: 0, forgetAt: null }

/** Writes the final amounts of a settle. */
function resolve(
  records: KeyRecords,
  request: SettleRequest,
  moment: Moment,
  reservation: ReservationRecord,
  recovered: boolean,
): Step<SettleReply> {
  const { outcome, revision, fingerprint } = request
  const charges = request.counters.map((ref) => {
    return { name: ref.name, amount: outcome === "settled" ? ref.amount : 0, ref }
  })
  const entry = moment.ledger ? request.entry : null
  const ending = { state: outcome, fingerprint, revision, charges, entry }
  const { counters, writes } = end(records, request.key, moment, reservation, ending)
  return {
    reply: {
      now: moment.now,
      counters,
      status: outcome,
      replayed: false,
      late: reservation.state === "expired",
      recovered,
      forgottenCounters: charges.length - writes.counters.length,
    },
    writes,
  }
}

/** How a reservation ends. */
interface Ending {
  state: FinalState
  fingerprint: string
  revision: number
  /** What each counter is charged in the end. `ref` is null when the lease ended: only its name is known. */
  charges: readonly { name: Name; amount: number; ref: CounterRef | null }[]
  entry: UsageEntry | null
}

/** Ends a reservation: replaces what is reserved or charged, and writes the entry. */
function end(
  records: KeyRecords,
  key: Name,
  moment: Moment,
  before: ReservationRecord,
  { state, fingerprint, revision, charges, entry }: Ending,
): { counters: CounterChange[]; writes: Writes & { counters: readonly CounterWrite[] } } {
  const { now } = moment
  const { leaseEnd } = before
  const isHeld = before.state === "held"
  const forgetKeyAt = keyForgetTime(leaseEnd, moment)
  const changes: CounterChange[] = []
  const counters: CounterWrite[] = []
  const charged: ReservationCounter[] = []
  for (const { name, amount, ref } of charges) {
    const share = shareOf(before, name)
    charged.push({ name, amount: share.amount, onExpire: share.onExpire, charged: amount })
    const old = live(records.counters, name, now)
    // A reserved amount above 0 keeps its counter. A held amount of 0, or an unknown key, is charged in a new counter unless
    // the window is over. Any other absent counter was forgotten and stays so.
    const isCreated = isHeld && (share.amount > 0 || (ref !== null && !isOver(ref, moment)))
    if (old === undefined && !isCreated) {
      changes.push(unchangedCounter(name, undefined))
      continue
    }
    const by = { spent: amount - share.charged, reserved: isHeld ? -share.amount : 0 }
    const forgetAt = later(ref === null ? 0 : forgetTime(ref, moment), forgetKeyAt)
    const counter = change(old, by, laterForgetAt(old, forgetAt))
    counters.push({ name, counter })
    changes.push(changeOf(name, old, counter))
  }
  // Literals, because Node 20 is slow at copying these records with a spread (bench/memory.mjs).
  const reservation = {
    state,
    fingerprint,
    revision,
    leaseEnd,
    counters: charged,
    pendingEntry: null,
    forgetAt: forgetKeyAt,
  }
  if (entry === null) return { counters: changes, writes: { reservation, counters, time: now } }
  // `fromEntries` treats `__proto__` as an ordinary name.
  const amounts = Object.fromEntries(charges.map(({ name, amount }) => [name, amount]))
  const at = records.entry?.at ?? now
  const stored = { idempotencyKey: key, at, revision, state, charges: amounts, ...entry }
  return { counters: changes, writes: { reservation, counters, entry: stored, time: now } }
}

/** What a settle assumes of a key that has no record: a damaged one held the request's amounts, a lost one nothing. */
function missingReservation(request: SettleRequest, now: Millis, damaged: boolean): ReservationRecord {
  return {
    state: "held",
    fingerprint: request.fingerprint,
    revision: request.revision,
    leaseEnd: request.expiresAt ?? now,
    counters: request.counters.map(({ name, reserved }) => {
      return { name, amount: damaged ? reserved : 0, onExpire: 0, charged: 0 }
    }),
    pendingEntry: null,
    forgetAt: null,
  }
}

/** Whether an unknown key was lost, so that its money must be charged, rather than resolved and forgotten. */
function wasLost({ expiresAt }: SettleRequest, { now, retentionMs }: Moment): boolean {
  return expiresAt === null || now < sum(expiresAt, retentionMs)
}

/**
 * The time from which a resolved key may be forgotten. `wasLost` is false from then on: the key still exists as long as it
 * would be charged as lost, so that no cost is charged twice.
 */
function keyForgetTime(leaseEnd: Millis, { now, retentionMs }: Moment): Millis {
  return sum(Math.max(leaseEnd, now), retentionMs)
}

function liveReservation({ reservation }: KeyRecords, now: Millis): ReservationRecord | undefined {
  return reservation === undefined || isForgotten(reservation, now) ? undefined : reservation
}

function live(counters: KeyRecords["counters"], name: Name, now: Millis): CounterRecord | undefined {
  const counter = counters.get(name)
  return counter === undefined || isForgotten(counter, now) ? undefined : counter
}

/** How the reservation of an entry ended; undefined if it had none. */
function finalStateOf(entry: StoredEntry | undefined): FinalState | undefined {
  return entry === undefined || entry.state === "recorded" ? undefined : entry.state
}

/** Whether the window ended so long ago that its counter is forgotten. */
function isOver({ endsAt, keepMs }: CounterRef, { now, retentionMs }: Moment): boolean {
  return endsAt !== null && sum(endsAt, Math.max(retentionMs, keepMs ?? 0)) <= now
}

/** Compares with the remaining amount, because `spent + reserved + amount` may pass 2^53. */
function fits({ amount, limit }: ReserveCounter, counter: CounterRecord = EMPTY): boolean {
  const cap = limit === null ? MAX : Math.min(MAX, limit + counter.granted)
  return amount === 0 || amount <= cap - counter.spent - counter.reserved
}

function change(
  counter: CounterRecord = EMPTY,
  by: { spent?: number; reserved?: number; granted?: number },
  forgetAt: Millis | null,
): CounterRecord {
  const spent = sum(counter.spent, by.spent ?? 0)
  return {
    spent,
    // Below zero only if the amounts of a damaged reservation were wrong.
    reserved: Math.max(0, sum(counter.reserved, by.reserved ?? 0)),
    granted: sum(counter.granted, by.granted ?? 0),
    peak: Math.max(counter.peak, spent),
    forgetAt,
  }
}

/** The time from which a counter may be forgotten once no key names it; null: never. */
function forgetTime({ endsAt, keepMs }: CounterRef, { now, retentionMs }: Moment): Millis | null {
  if (endsAt !== null) return sum(endsAt, Math.max(retentionMs, keepMs ?? 0))
  return keepMs === null ? null : sum(now, keepMs)
}

/** `forgetAt` of a counter after a change: never earlier than before, so that it outlives every key that names it. */
function laterForgetAt(before: CounterRecord | undefined, forgetAt: Millis | null): Millis | null {
  return before === undefined ? forgetAt : later(before.forgetAt, forgetAt)
}

/** The later of two times; null is later than all. */
function later(a: Millis | null, b: Millis | null): Millis | null {
  return a === null || b === null ? null : Math.max(a, b)
}

/** Exact, and never outside ±(2^53 − 1). */
function sum(a: number, b: number): number {
  return Math.max(-MAX, Math.min(MAX, a + b))
}

function stateOf(name: Name, { spent, reserved, granted }: CounterRecord = EMPTY): CounterState {
  return { name, spent, reserved, granted }
}

function unchangedCounter(name: Name, counter: CounterRecord | undefined): CounterChange {
  return changeOf(name, counter, counter)
}

/** `after` is undefined if the counter is forgotten. */
function changeOf(name: Name, before: CounterRecord | undefined, after: CounterRecord | undefined): CounterChange {
  const { spent, reserved, granted, peak } = after ?? EMPTY
  return { name, spent, reserved, granted, peakBefore: before?.peak ?? 0, peak }
}

/** The part of a reservation that is in this counter. */
function shareOf({ counters }: ReservationRecord, name: Name): ReservationCounter {
  return counters.find((counter) => counter.name === name)!
}

function namesOf({ counters }: ReservationRecord): Name[] {
  return counters.map(({ name }) => name)
}

/** Names are unique in both, so that equal sizes and inclusion mean equal sets. */
function hasSameNames({ counters }: ReservationRecord, names: readonly Name[]): boolean {
  return counters.length === names.length && counters.every(({ name }) => names.includes(name))
}

function hasSameCharges({ counters }: ReservationRecord, request: { counters: readonly SettleCounter[] }): boolean {
  return counters.every(({ name, charged }) =>
    request.counters.some((ref) => ref.name === name && ref.amount === charged),
  )
}

function indexesWhere<T>(items: readonly T[], test: (item: T, index: number) => boolean): number[] {
  return items.some(test) ? items.flatMap((item, index) => (test(item, index) ? index : [])) : []
}
