import { AbortedError, checkOptions, InvalidArgumentError } from "@p2/core"
import type { OnExpire, ReserveOptions, ReserveResult, RoomWait } from "../api/budget"
import { type BudgetContext, readCallback, readOnExpire } from "../api/budget-context"
import { IdempotencyKeyMismatchError, ReservationHeldError, ReservationResolvedError } from "../api/errors"
import { type Amount, amountOf, readAmount, UNITS } from "../limits/amount"
import { areOpen, type CallCounter, callCounters, fingerprintOf } from "../limits/counters"
import type { PlannedLimit } from "../limits/limit"
import { statusesOf } from "../limits/limit-status"
import { toName } from "../limits/names"
import { readSubject, type Subject } from "../limits/subject"
import type { ReserveReply, ReserveRequest } from "../store/budget-store"
import { StoreError, unavailable } from "../store/store-error"
import { attemptEntry, deniedEntry, expiredEntry } from "../usage/attempt-entry"
import { readEntry } from "../usage/entry"
import { carriesOver } from "./carry-overs"
import { abortable, atMost, checkSignal, throwIfAborted } from "./delays"
import { type Denial, denialOf } from "./denial"
import { MAX_ROUNDS, repeatedReplyError } from "./process-state"
import { BudgetReservation, type ReservationContent } from "./reservation"
import { checkWait, reserveWithWait } from "./waiting"

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

type ReserveOutcome = { wait?: RoomWait | undefined } & (
  | { status: "admitted"; reservation: BudgetReservation }
  | ({ status: "denied" } & Denial)
)

/** A validated call of `reserve`. */
interface ReserveCall extends ReservationContent {
  subject: Subject
  limits: readonly PlannedLimit[]
  /** The counters of the windows that were open when the call came. */
  counters: readonly CallCounter[]
  onExpire: Amount
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
  const call = await readCall(context, childLimits, options)
  const outcome =
    wait === undefined
      ? await reserveOnce(context, call)
      : await reserveWithWait(() => reserveOnce(context, call), {
          timeoutMs: wait.timeoutMs,
          signals: call.signals,
          waiting: context.waiting,
          counterKeys: context.waiting.keysOf(
            call.partition,
            call.counters.map(({ name }) => name),
          ),
        })
  const { wait: waited } = outcome
  if (outcome.status === "admitted") return { ok: true, reservation: outcome.reservation, wait: waited }
  if (recordDenial) context.denials.add(call.partition, deniedEntry(call.entry))
  return { ok: false, error: outcome.error, wait: waited }
}

/** Copies what the caller passed before the first wait, so that later changes have no effect. */
async function readCall(
  context: BudgetContext,
  childLimits: readonly PlannedLimit[],
  options: ReserveOptions,
): Promise<ReserveCall> {
  const { signal, wait, exclusive = false } = options
  if (typeof exclusive !== "boolean") throw new InvalidArgumentError("exclusive", "true or false", exclusive)
  const subject = readSubject(options.subject)
  const isKeyGiven = options.idempotencyKey !== undefined
  const idempotencyKey = toName(options.idempotencyKey ?? crypto.randomUUID(), "idempotencyKey")
  const isKeyOwned = options.releaseUnanswered ?? (exclusive || !isKeyGiven)
  if (typeof isKeyOwned !== "boolean") throw new InvalidArgumentError("releaseUnanswered", "true or false", isKeyOwned)
  const { nanoUsd, tokens, requests = 1 } = readAmount(options.amount, "amount")
  const amount: Amount = { nanoUsd, tokens, requests }
  const onExpire = expiryAmount(context, options.onExpire, amount)
  const entry = readEntry(options.entry ?? {}, "entry")
  const leaseMs = context.readLease(options.leaseMs, "leaseMs") ?? context.leaseMs
  const maxLeaseMs = context.readLease(options.maxLeaseMs, "maxLeaseMs") ?? context.maxLeaseMs
  const onAlert = readCallback(options.onAlert, "onAlert")
  const signals = [wait?.signal, signal].filter((each) => each !== undefined)
  const partition = context.partitionOf(subject)
  const limits = await context.limitsFor(subject, options.limits ?? [], childLimits)
  subject.requestId ??= idempotencyKey
  const counters = callCounters(limits, subject, context.clock.now(partition), "throw")
  const { maxCounters } = context.store.capabilities
  if (counters.length > maxCounters)
    throw new InvalidArgumentError("limits", `limits in at most ${maxCounters} counters`, limits)
  for (const { unit } of counters) amountOf(unit, amount)
  // No other call has a random fingerprint, so that neither a reserve nor a release of another call applies to this one.
  const fingerprint = exclusive ? crypto.randomUUID() : fingerprintOf(counters, amount, onExpire)
  return {
    idempotencyKey,
    isKeyGiven,
    isKeyOwned,
    exclusive,
    partition,
    subject,
    limits,
    counters,
    amount,
    onExpire,
    fingerprint,
    entry: attemptEntry(subject, { idempotencyKey, amount, fingerprint, entry }),
    leaseMs,
    maxLeaseMs,
    onAlert,
    signals,
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

/** Tries once. Tries of a key that several calls may use run one after another in this process. */
function reserveOnce(context: BudgetContext, call: ReserveCall): Promise<ReserveOutcome> {
  const { idempotencyKey, partition, signals, isKeyOwned } = call
  const attempt = new ReserveTry(context, call)
  const turn = isKeyOwned ? attempt.run() : context.turns.run(`${partition} ${idempotencyKey}`, () => attempt.run())
  return signals.length === 0 ? turn : untilAborted(call, attempt, turn)
}

/** Resolves like the try, or rejects when a signal fires: the try continues and may still be admitted. */
async function untilAborted(
  call: ReserveCall,
  attempt: ReserveTry,
  turn: Promise<ReserveOutcome>,
): Promise<ReserveOutcome> {
  try {
    return await abortable(turn, call.signals, "`reserve`")
  } catch (error) {
    if (AbortedError.isInstance(error)) {
      attempt.releaseSent()
      turn.then((outcome) => undo(call, outcome), ignore)
    }
    throw error
  }
}

/** Releases a reservation that is not returned to the caller, unless another call may have made it. */
function undo({ isKeyOwned }: ReserveCall, outcome: ReserveOutcome): void {
  if (outcome.status === "denied") return
  const { reservation } = outcome
  const isInStore = reservation.expiresAt !== null
  // `releaseSent` has released a key that only this call uses.
  if (isInStore && (isKeyOwned || reservation.replayed)) reservation.stopHeartbeat()
  else reservation.releaseInBackground()
}

function ignore(): void {}

/** Sends one reserve to the store until it is admitted or denied. */
class ReserveTry {
  readonly #context: BudgetContext
  readonly #call: ReserveCall
  /** The counters of the last request, if it may have reserved the amount. */
  #sent: readonly CallCounter[] | undefined

  constructor(context: BudgetContext, call: ReserveCall) {
    this.#context = context
    this.#call = call
  }

  async run(): Promise<ReserveOutcome> {
    const { idempotencyKey, partition, signals, isKeyGiven } = this.#call
    throwIfAborted(signals, "`reserve`")
    if (isKeyGiven && this.#context.unconfirmedSettles.has(partition, idempotencyKey))
      throw unavailable(
        `The store has not confirmed an earlier use of the idempotency key "${idempotencyKey}" yet. Try again later; another call needs a key of its own.`,
      )
    try {
      return await this.#exchange()
    } catch (error) {
      const reservation = this.#admitByAllowance(error)
      if (reservation !== undefined) return { status: "admitted", reservation }
      this.releaseSent()
      throw error
    }
  }

  /** Sends the reserve. Sends it again if the reply asks for other windows, a sweep, or the expiry of a lease. */
  async #exchange(): Promise<ReserveOutcome> {
    const { partition, idempotencyKey, exclusive, signals, amount } = this.#call
    const { sweeper, clock, store, carryOvers } = this.#context
    await this.#context.requireChecked()
    let isSwept = false
    for (let round = 1; ; ) {
      const counters = this.#counters()
      if (counters.some(carriesOver)) await carryOvers.grant(partition, counters)
      // Directly before the request: `releaseSent` of an aborted call releases only what was sent before.
      throwIfAborted(signals, "`reserve`")
      const reply = await this.#send(counters)
      clock.update(partition, reply.now)
      if (reply.status === "exceeded" && reply.due && !isSwept) {
        isSwept = true
        await this.#waitForSweep()
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
  }

  #send(counters: readonly CallCounter[]): Promise<ReserveReply> {
    this.#sent = counters
    return this.#context.store.reserve(this.#request(counters)).then(
      (reply) => {
        // A random key that has expired was reserved by an earlier delivery of this call, whose reply was lost.
        const isExpired = reply.status === "lease-ended" || (reply.status === "resolved" && reply.state === "expired")
        const hasReserved = reply.status === "ok" || (isExpired && !this.#call.isKeyGiven)
        if (!hasReserved) this.#sent = undefined
        return reply
      },
      (error: unknown) => {
        if (!StoreError.isInstance(error) || error.applied === "no") this.#sent = undefined
        throw error
      },
    )
  }

  /**
   * Releases what the store may have reserved for a caller that does not get it. A key that other calls may use is left to
   * its lease: its reservation may be that of another call, which may have been sent.
   */
  releaseSent(): void {
    const { clock } = this.#context
    const { partition, leaseMs, isKeyOwned } = this.#call
    if (this.#sent === undefined || !isKeyOwned) return
    const state = { counters: this.#sent, expiresAt: clock.now(partition) + leaseMs, replayed: false, limits: () => [] }
    this.#sent = undefined
    new BudgetReservation(this.#context, this.#call, state).releaseInBackground()
  }

  /** Waits until abandoned reservations are expired, at most for the store's timeout. */
  async #waitForSweep(): Promise<void> {
    const { sweeper, store } = this.#context
    // If the sweep fails, the next reserve decides.
    const sweep = sweeper.join(this.#call.partition).catch(() => {})
    await atMost(store.capabilities.timeoutMs, sweep)
  }

  #counters(): readonly CallCounter[] {
    const { partition, subject, limits, counters } = this.#call
    const now = this.#context.clock.now(partition)
    return areOpen(counters, now) ? counters : callCounters(limits, subject, now, "throw")
  }

  #request(counters: readonly CallCounter[]): ReserveRequest {
    const { partition, idempotencyKey, fingerprint, leaseMs, amount, onExpire, entry } = this.#call
    return {
      partition,
      key: idempotencyKey,
      fingerprint,
      counters: counters.map(({ name, startsAt, endsAt, keepMs, unit, limits: [smallest] }) => {
        const requested = amountOf(unit, amount)
        const limit = smallest!.limit
        return { name, startsAt, endsAt, keepMs, amount: requested, limit, onExpire: onExpire[unit] ?? 0 }
      }),
      leaseMs,
      pendingEntry: expiredEntry(entry, amount, onExpire),
    }
  }

  #admitted(counters: readonly CallCounter[], reply: Extract<ReserveReply, { status: "ok" }>): BudgetReservation {
    this.#context.alerts.remember(this.#call.partition, counters, this.#call.onAlert)
    return new BudgetReservation(this.#context, this.#call, {
      counters,
      expiresAt: reply.expiresAt,
      replayed: reply.replayed,
      limits: () => statusesOf(this.#call.limits, counters, reply.counters, "smallest"),
    }).startHeartbeat()
  }

  /** Admits the call by `onStoreFailure` while the store is down. */
  #admitByAllowance(error: unknown): BudgetReservation | undefined {
    const { allowance } = this.#context
    if (allowance === undefined || !StoreError.isInstance(error) || error.code !== "store-unavailable") return undefined
    const counters = this.#counters()
    if (!allowance.admit(this.#call.amount, new Set(counters.map(({ unit }) => unit)))) return undefined
    const state = { counters, expiresAt: null, replayed: false, limits: () => [] }
    return new BudgetReservation(this.#context, this.#call, state)
  }
}
