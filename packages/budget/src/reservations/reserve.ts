import { checkOptions, InvalidArgumentError, toUsdNumber } from "@p2/core"
import type { OnExpire, ReserveOptions, ReserveResult, ReserveWait } from "../api/budget"
import { type BudgetContext, readCallback, readOnExpire } from "../api/budget-context"
import {
  BudgetExceededError,
  type DeniedLimit,
  fitsAfterReleases,
  IdempotencyKeyMismatchError,
  ReservationHeldError,
  ReservationResolvedError,
} from "../api/errors"
import { type Amount, amountOf, readAmount, UNITS } from "../limits/amount"
import { areOpen, type CallCounter, callCounters, fingerprintOf } from "../limits/counters"
import type { PlannedLimit } from "../limits/limit"
import { statusesOf, statusOf } from "../limits/limit-status"
import { toName } from "../limits/names"
import { readSubject, type Subject } from "../limits/subject"
import type { CounterState, ReserveReply } from "../store/budget-store"
import type { Millis, Name } from "../store/shape"
import { StoreError, unavailable } from "../store/store-error"
import { type AttemptEntry, attemptEntry, deniedEntry, expiredEntry } from "../usage/attempt-entry"
import { readEntry, type UsageEntry } from "../usage/entry"
import { carriesOver } from "./carry-overs"
import { abortable, atMost, checkSignal, throwIfAborted } from "./delays"
import { MAX_ROUNDS, repeatedReplyError } from "./process-state"
import { BudgetReservation, type ReservationContent, type ReservationState } from "./reservation"
import { checkWait, type Denial, reserveWithWait } from "./waiting"

/** The suggested wait when other calls have reserved the remaining amount: they may end at any moment. */
const BUSY_RETRY_MS = 1_000
const RESERVE_NAMES: ReadonlySet<string> = new Set([
  "subject",
  "amount",
  "idempotencyKey",
  "limits",
  "exclusive",
  "leaseMs",
  "maxLeaseMs",
  "wait",
  "signal",
  "onExpire",
  "entry",
  "onAlert",
  "recordDenial",
  "releaseUnanswered",
])

const IN_SUBJECT = "It is part of the subject: `subject: { userId, clientId, model, tags }`."
const RESERVE_ADVICE = {
  cost: "Did you mean `amount`?",
  limit: "Did you mean `limits`?",
  floor: "Pass that amount as `onExpire`.",
  draft: "Did you mean `entry`?",
  timeoutMs: "Did you mean `wait: { timeoutMs }`?",
  user: IN_SUBJECT,
  userId: IN_SUBJECT,
  clientId: IN_SUBJECT,
  tags: IN_SUBJECT,
  model: IN_SUBJECT,
} as const

type ReserveOutcome = { wait?: ReserveWait | undefined } & (
  | { status: "admitted"; reservation: BudgetReservation }
  | ({ status: "denied" } & Denial)
)

/** The validated options of a call. */
interface CallOptions extends ReservationContent {
  subject: Subject
  onExpire: Amount
  /** Fields of the usage entry that the caller knows. */
  entry: Partial<UsageEntry>
  signals: readonly AbortSignal[]
  /** Whether the caller chose the key, so that other calls may use it. */
  isKeyGiven: boolean
  /** Whether the key belongs to the first call that reserves it. */
  exclusive: boolean
  /** Whether no other call uses the key, so that a reservation without a reply can be released. */
  isKeyOwned: boolean
}

/** Sets an amount aside in every scope that the call touches, or in none. */
export async function reserve(
  context: BudgetContext,
  childLimits: readonly PlannedLimit[],
  options: ReserveOptions,
): Promise<ReserveResult & ({ ok: true; reservation: BudgetReservation } | { ok: false })> {
  checkOptions(options, RESERVE_NAMES, "options", RESERVE_ADVICE)
  const { wait, recordDenial = true } = options
  checkSignal(options.signal, "signal")
  if (wait !== undefined) checkWait(wait)
  context.throwIfClosed()
  // Copied before the first wait, so that later changes by the caller have no effect.
  const copied = copyOptions(context, options)
  const call = new ReserveCall(context, copied, await context.limitsFor(copied.subject, options.limits, childLimits))
  const outcome = wait === undefined ? await call.once() : await call.within(wait.timeoutMs)
  const { wait: waited } = outcome
  if (outcome.status === "admitted") return { ok: true, reservation: outcome.reservation, wait: waited }
  if (recordDenial) context.denials.add(copied.partition, deniedEntry(call.entry))
  return { ok: false, error: outcome.error, wait: waited }
}

/** @throws InvalidArgumentError */
function copyOptions(context: BudgetContext, options: ReserveOptions): CallOptions {
  const { signal, wait, exclusive = false } = options
  if (typeof exclusive !== "boolean") throw new InvalidArgumentError("exclusive", "true or false", exclusive)
  const subject = readSubject(options.subject)
  const isKeyGiven = options.idempotencyKey !== undefined
  const isKeyOwned = options.releaseUnanswered ?? (exclusive || !isKeyGiven)
  if (typeof isKeyOwned !== "boolean") throw new InvalidArgumentError("releaseUnanswered", "true or false", isKeyOwned)
  const { nanoUsd, tokens, requests = 1 } = readAmount(options.amount, "amount")
  const amount: Amount = { nanoUsd, tokens, requests }
  return {
    idempotencyKey: toName(options.idempotencyKey ?? crypto.randomUUID(), "idempotencyKey"),
    partition: context.partitionOf(subject),
    subject,
    amount,
    onExpire: expiryAmount(context, options.onExpire, amount),
    entry: readEntry(options.entry ?? {}, "entry"),
    leaseMs: context.readLease(options.leaseMs, "leaseMs") ?? context.leaseMs,
    maxLeaseMs: context.readLease(options.maxLeaseMs, "maxLeaseMs") ?? context.maxLeaseMs,
    onAlert: readCallback(options.onAlert, "onAlert"),
    signals: [wait?.signal, signal].filter((each) => each !== undefined),
    isKeyGiven,
    isKeyOwned,
    exclusive,
  }
}

/** The charge on expiry. A unit without an amount is charged in full. */
function expiryAmount(context: BudgetContext, own: OnExpire | undefined, amount: Amount): Amount {
  const choice = own === undefined ? context.onExpire : readOnExpire(own, "onExpire")
  if (choice === "charge") return amount
  if (choice === "release") return { nanoUsd: 0, tokens: 0, requests: 0 }
  const expiry = { ...amount }
  for (const unit of UNITS) {
    const [requested, given] = [amount[unit] ?? 0, choice[unit]]
    if (given === undefined) continue
    if (own !== undefined && given > requested)
      throw new InvalidArgumentError(`onExpire.${unit}`, `at most the amount of ${requested}`, given)
    expiry[unit] = Math.min(given, requested)
  }
  return expiry
}

/** One call of `reserve`. */
class ReserveCall {
  /** The usage entry before the call is sent. */
  readonly entry: AttemptEntry
  readonly #context: BudgetContext
  readonly #options: CallOptions
  readonly #limits: readonly PlannedLimit[]
  /** The counters of the windows that are open. */
  #counters: readonly CallCounter[]
  /** The counters of the last request, if it may have reserved the amount. */
  #sent: readonly CallCounter[] | undefined

  /** @throws InvalidArgumentError */
  constructor(context: BudgetContext, options: CallOptions, limits: readonly PlannedLimit[]) {
    this.#context = context
    this.#options = options
    this.#limits = limits
    const { subject, idempotencyKey, partition, amount, onExpire, exclusive, entry } = options
    subject.requestId ??= idempotencyKey
    this.#counters = callCounters(limits, subject, context.clock.now(partition), "throw")
    const { maxCounters } = context.store.capabilities
    if (this.#counters.length > maxCounters)
      throw new InvalidArgumentError("limits", `limits in at most ${maxCounters} counters`, limits)
    for (const { unit } of this.#counters) amountOf(unit, amount)
    // No other call has a random fingerprint, so that neither a reserve nor a release of another call applies to this one.
    const fingerprint = exclusive ? crypto.randomUUID() : fingerprintOf(this.#counters, amount, onExpire)
    this.entry = attemptEntry(subject, { idempotencyKey, amount, fingerprint, entry })
  }

  /** Tries once. Tries of a key that several calls may use run one after another in this process. */
  once(): Promise<ReserveOutcome> {
    const { idempotencyKey, partition, signals, isKeyOwned } = this.#options
    const turn = isKeyOwned ? this.#try() : this.#context.turns.run(`${partition} ${idempotencyKey}`, () => this.#try())
    if (signals.length === 0) return turn
    return abortable(turn, signals, "`reserve`", () => {
      this.#releaseSent()
      // The try continues, and may still be admitted.
      turn.then((outcome) => this.#undo(outcome), ignore)
    })
  }

  /** Tries until the call fits or the time is over. */
  within(timeoutMs: number): Promise<ReserveOutcome> {
    const { partition, signals } = this.#options
    const { waiting } = this.#context
    const names = this.#counters.map(({ name }) => name)
    const counterKeys = waiting.keysOf(partition, names)
    return reserveWithWait(() => this.once(), { timeoutMs, signals, waiting, counterKeys })
  }

  /** Sends the reserve. Sends it again if the reply asks for other windows, a sweep, or the expiry of a lease. */
  async #try(): Promise<ReserveOutcome> {
    const { partition, idempotencyKey, exclusive, isKeyGiven, signals, amount } = this.#options
    const { sweeper, clock, store, carryOvers, unconfirmedSettles } = this.#context
    throwIfAborted(signals, "`reserve`")
    if (isKeyGiven && unconfirmedSettles.has(partition, idempotencyKey))
      throw unavailable(
        `The store has not confirmed an earlier use of the idempotency key "${idempotencyKey}" yet. Try again later; another call needs a key of its own.`,
      )
    try {
      if (!this.#context.isChecked) await this.#context.requireChecked()
      let isSwept = false
      for (let round = 1; ; ) {
        const counters = this.#openCounters()
        if (counters.some(carriesOver)) await carryOvers.grant(partition, counters)
        // Directly before the request: an aborted call releases only what was sent before.
        throwIfAborted(signals, "`reserve`")
        const reply = await this.#send(counters)
        clock.update(partition, reply.now)
        if (reply.status === "exceeded" && reply.due && !isSwept) {
          isSwept = true
          // If the sweep fails or is slow, the next reserve decides.
          await atMost(store.capabilities.timeoutMs, sweeper.join(partition).catch(ignore))
          continue
        }
        if (reply.due) sweeper.start(partition)
        if (reply.status === "ok") return { status: "admitted", reservation: this.#admitted(counters, reply) }
        if (reply.status === "exceeded") return { status: "denied", ...denialOf(partition, counters, amount, reply) }
        if (reply.status === "mismatch")
          throw exclusive ? new ReservationHeldError(idempotencyKey) : new IdempotencyKeyMismatchError(idempotencyKey)
        if (reply.status === "resolved") throw new ReservationResolvedError(idempotencyKey, reply.state)
        if (round++ === MAX_ROUNDS) throw repeatedReplyError(store.name, reply.status)
        // After `stale-window`, the next round names the windows of the store's time.
        if (reply.status === "lease-ended") await sweeper.expire(partition, idempotencyKey, reply.storedCounters)
      }
    } catch (error) {
      const reservation = this.#admittedByAllowance(error)
      if (reservation !== undefined) return { status: "admitted", reservation }
      this.#releaseSent()
      throw error
    }
  }

  async #send(counters: readonly CallCounter[]): Promise<ReserveReply> {
    const { partition, idempotencyKey, leaseMs, amount, onExpire, isKeyGiven } = this.#options
    this.#sent = counters
    try {
      const reply = await this.#context.store.reserve({
        partition,
        key: idempotencyKey,
        fingerprint: this.entry.fingerprint,
        counters: counters.map(({ name, startsAt, endsAt, keepMs, unit, limits: [smallest] }) => {
          const requested = amountOf(unit, amount)
          const limit = smallest!.limit
          return { name, startsAt, endsAt, keepMs, amount: requested, limit, onExpire: onExpire[unit] ?? 0 }
        }),
        leaseMs,
        pendingEntry: expiredEntry(this.entry, amount, onExpire),
      })
      // A random key that has expired was reserved by an earlier delivery of this call, whose reply was lost.
      const isExpired = reply.status === "lease-ended" || (reply.status === "resolved" && reply.state === "expired")
      const hasReserved = reply.status === "ok" || (isExpired && !isKeyGiven)
      if (!hasReserved) this.#sent = undefined
      return reply
    } catch (error) {
      if (!StoreError.isInstance(error) || error.applied === "no") this.#sent = undefined
      throw error
    }
  }

  #openCounters(): readonly CallCounter[] {
    const { partition, subject } = this.#options
    const now = this.#context.clock.now(partition)
    if (!areOpen(this.#counters, now)) this.#counters = callCounters(this.#limits, subject, now, "throw")
    return this.#counters
  }

  #admitted(counters: readonly CallCounter[], reply: Extract<ReserveReply, { status: "ok" }>): BudgetReservation {
    const { partition, onAlert } = this.#options
    this.#context.alerts.remember(partition, counters, onAlert)
    const limits = () => statusesOf(this.#limits, counters, reply.counters, "smallest")
    const { expiresAt, replayed } = reply
    return this.#reservation({ entry: this.entry, counters, expiresAt, replayed, limits }).startHeartbeat()
  }

  /** Admits the call by `onStoreFailure` while the store is down. */
  #admittedByAllowance(error: unknown): BudgetReservation | undefined {
    const { allowance } = this.#context
    if (allowance === undefined || !StoreError.isInstance(error) || error.code !== "store-unavailable") return undefined
    const counters = this.#openCounters()
    if (!allowance.admit(this.#options.amount, new Set(counters.map(({ unit }) => unit)))) return undefined
    return this.#reservation({ entry: this.entry, counters, expiresAt: null, replayed: false, limits: () => [] })
  }

  #reservation(state: ReservationState): BudgetReservation {
    return new BudgetReservation(this.#context, this.#options, state)
  }

  /**
   * Releases what the store may have reserved for a caller that does not get it. A key that other calls may use is left to
   * its lease: its reservation may be that of another call, which may have been sent.
   */
  #releaseSent(): void {
    const counters = this.#sent
    const { partition, leaseMs, isKeyOwned } = this.#options
    if (counters === undefined || !isKeyOwned) return
    this.#sent = undefined
    const expiresAt = this.#context.clock.now(partition) + leaseMs
    this.#reservation({
      entry: this.entry,
      counters,
      expiresAt,
      replayed: false,
      limits: () => [],
    }).releaseInBackground()
  }

  /** Releases a reservation that is not returned to the caller, unless another call may have made it. */
  #undo(outcome: ReserveOutcome): void {
    if (outcome.status === "denied") return
    const { reservation } = outcome
    const isInStore = reservation.expiresAt !== null
    // `#releaseSent` has released a key that only this call uses.
    if (isInStore && (this.#options.isKeyOwned || reservation.replayed)) reservation.stopHeartbeat()
    else reservation.releaseInBackground()
  }
}

function ignore(): void {}

/** Creates the denial for the counters that `which` lists. */
function denialOf(
  partition: Name,
  counters: readonly CallCounter[],
  amount: Amount,
  reply: { counters: readonly CounterState[]; which: readonly number[]; now: Millis; due: boolean },
): Denial {
  const denied = reply.which.map((index) => deniedLimit(counters[index]!, reply.counters[index]!, amount, reply.now))
  denied.sort((a, b) => (b.retryAfterMs ?? Infinity) - (a.retryAfterMs ?? Infinity) || 0)
  const blocked = denied.map((limit) => (fitsAfterReleases(limit) ? 0 : limit.retryAfterMs))
  return {
    error: new BudgetExceededError(denied as [DeniedLimit, ...DeniedLimit[]], { dueLeases: reply.due }),
    blockedMs: blocked.includes(null) ? null : Math.max(...(blocked as number[])),
    partition,
    counters: reply.which.map((index) => counters[index]!.name),
  }
}

function deniedLimit(counter: CallCounter, state: CounterState, amount: Amount, now: Millis): DeniedLimit {
  const smallest = counter.limits[0]!
  // A counter without a limit denies only amounts that exceed a safe integer.
  const limit = smallest.limit ?? Number.MAX_SAFE_INTEGER
  const requested = amountOf(counter.unit, amount)
  const status = statusOf({ ...smallest, limit }, counter, state)
  const isMoney = counter.unit === "nanoUsd"
  const denied = {
    ...status,
    limit: status.limit!,
    remaining: status.remaining!,
    requested: isMoney ? toUsdNumber(requested) : requested,
    requestedNanoUsd: isMoney ? requested : null,
    retryAfterMs: null,
  }
  const untilReset = counter.endsAt === null ? null : Math.max(0, counter.endsAt - now)
  if (fitsAfterReleases(denied))
    return { ...denied, retryAfterMs: Math.min(BUSY_RETRY_MS, untilReset ?? BUSY_RETRY_MS) }
  // Top-ups end with the window.
  return { ...denied, retryAfterMs: requested <= limit ? untilReset : null }
}
