import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { OnExpire, ReserveOptions } from "../api/budget"
import { type BudgetContext, readOnExpire } from "../api/budget-context"
import { IdempotencyKeyMismatchError, ReservationResolvedError } from "../api/budget-errors"
import { type Amount, amountOf, readAmount, UNITS } from "../limits/amount"
import { areOpen, type CallCounter, callCounters, fingerprintOf } from "../limits/call-counters"
import { statusesOf } from "../limits/limit-status"
import { toName } from "../limits/names"
import { type PlannedLimit, planLimits } from "../limits/planned-limit"
import { checkSubject, type Subject } from "../limits/subject"
import type { ReserveReply, ReserveRequest, SettleRequest } from "../store/budget-store"
import { StoreError } from "../store/store-error"
import { attemptEntry, endedEntry, expiredEntry } from "../usage/attempt-entry"
import type { UsageEntry } from "../usage/entry"
import { activeKey } from "./active-keys"
import { type Denial, denialOf } from "./denial"
import { HeldReservation, type ReservationContent } from "./held-reservation"
import { MAX_ROUNDS, repeatedReplyError } from "./max-rounds"
import { abortable, checkSignal, checkWait, throwIfAborted, waitForRoom } from "./wait-for-room"

const RESERVE_NAMES: ReadonlySet<string> = new Set([
  "subject",
  "amount",
  "idempotencyKey",
  "limits",
  "leaseMs",
  "maxLeaseMs",
  "wait",
  "signal",
  "onExpire",
  "entry",
  "recordDenial",
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

export type ReserveOutcome = { status: "admitted"; reservation: HeldReservation } | ({ status: "denied" } & Denial)

/** A validated call of `reserve`. */
interface ReserveCall extends ReservationContent {
  subject: Subject
  limits: readonly PlannedLimit[]
  /** The counters of the windows that were open when the call came. */
  counters: readonly CallCounter[]
  onExpire: Amount
  signals: readonly AbortSignal[]
}

/** Sets an amount aside in every scope that the call touches, or in none. */
export async function reserve(
  context: BudgetContext,
  childLimits: readonly PlannedLimit[],
  options: ReserveOptions,
): Promise<ReserveOutcome> {
  checkOptions(options, RESERVE_NAMES, "options", RESERVE_ADVICE)
  const { wait, recordDenial = true } = options
  checkSignal(options.signal, "signal")
  if (wait !== undefined) checkWait(wait)
  context.throwIfClosed()
  const call = await readCall(context, childLimits, options)
  const outcome =
    wait === undefined
      ? await reserveOnce(context, call)
      : await waitForRoom(() => reserveOnce(context, call), wait.timeoutMs, call.signals)
  if (outcome.status === "denied" && recordDenial) context.denials.add(call.partition, deniedEntry(call))
  return outcome
}

async function readCall(
  context: BudgetContext,
  childLimits: readonly PlannedLimit[],
  options: ReserveOptions,
): Promise<ReserveCall> {
  const { subject: given = {}, entry = {}, signal, wait } = options
  checkSubject(given)
  const idempotencyKey = toName(options.idempotencyKey ?? crypto.randomUUID(), "idempotencyKey")
  const { nanoUsd, tokens, requests = 1 } = readAmount(options.amount, "amount")
  const amount: Amount = { nanoUsd, tokens, requests }
  const onExpire = expiryAmount(context, options.onExpire, amount)
  const extraLimits = options.limits === undefined ? [] : planLimits(options.limits, "limits")
  const limits = [...(await context.limitsOf(given)), ...extraLimits, ...childLimits]
  const subject = { ...given, requestId: given.requestId ?? idempotencyKey }
  const partition = context.partitionOf(given)
  const counters = callCounters(limits, subject, context.clock.now(partition), "throw")
  for (const { unit } of counters) amountOf(unit, amount)
  const fingerprint = fingerprintOf(counters, amount, onExpire)
  return {
    idempotencyKey,
    partition,
    subject,
    limits,
    counters,
    amount,
    onExpire,
    fingerprint,
    entry: attemptEntry(subject, { idempotencyKey, amount, fingerprint, entry }),
    leaseMs: context.readLease(options.leaseMs, "leaseMs") ?? context.leaseMs,
    maxLeaseMs: context.readLease(options.maxLeaseMs, "maxLeaseMs") ?? context.maxLeaseMs,
    signals: [wait?.signal, signal].filter((each) => each !== undefined),
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

/** Tries once. Tries of the same key in this process run one after another. */
function reserveOnce(context: BudgetContext, call: ReserveCall): Promise<ReserveOutcome> {
  const key = activeKey(call.partition, call.idempotencyKey)
  return context.activeKeys.inTurn(key, async () => {
    throwIfAborted(call.signals, "reserve")
    if (context.pending.has(key))
      throw new StoreError(
        `The store has not confirmed an earlier use of the idempotency key "${call.idempotencyKey}" yet. Use a new key.`,
        { code: "store-unavailable", applied: "no" },
      )
    return new ReserveTry(context, call).run()
  })
}

/** Sends one reserve to the store until it is admitted or denied. */
class ReserveTry {
  readonly #context: BudgetContext
  readonly #call: ReserveCall
  /** The request that was sent and has no reply yet. */
  #sent: ReserveRequest | undefined

  constructor(context: BudgetContext, call: ReserveCall) {
    this.#context = context
    this.#call = call
  }

  async run(): Promise<ReserveOutcome> {
    const exchange = this.#exchange()
    try {
      return await abortable(exchange, this.#call.signals, "reserve")
    } catch (error) {
      const admitted = this.#admitByAllowance(error)
      if (admitted !== undefined) return { status: "admitted", reservation: admitted }
      if (isUnanswered(error)) this.#releaseInBackground()
      // The exchange continues after an abort and may still be admitted.
      exchange.then(
        (late) => {
          if (late.status === "denied") return
          late.reservation.abandon()
          this.#releaseInBackground()
        },
        () => {},
      )
      throw error
    }
  }

  /** Sends the reserve. Sends it again if the reply asks for other windows, a sweep, or the expiry of a lease. */
  async #exchange(): Promise<ReserveOutcome> {
    const { partition, idempotencyKey, signals, amount } = this.#call
    const { sweeper, clock, store } = this.#context
    await this.#context.requireChecked()
    let isSwept = false
    for (let round = 1; ; ) {
      throwIfAborted(signals, "reserve")
      const counters = this.#counters()
      this.#sent = this.#request(counters)
      const reply = await store.reserve(this.#sent)
      clock.update(partition, reply.now)
      // This call reserved nothing: if a sweep below fails, no release may be sent, because another owner may have reserved the key.
      if (reply.status !== "ok") this.#sent = undefined
      if (reply.status === "exceeded" && reply.due && !isSwept) {
        isSwept = true
        await this.#waitForSweep()
        continue
      }
      if (reply.due) sweeper.start(partition)
      if (reply.status === "ok") return { status: "admitted", reservation: this.#admitted(counters, reply) }
      if (reply.status === "exceeded") return { status: "denied", ...denialOf(counters, amount, reply) }
      if (reply.status === "mismatch") throw new IdempotencyKeyMismatchError(idempotencyKey)
      if (reply.status === "resolved") throw new ReservationResolvedError(idempotencyKey, reply.state)
      if (round++ === MAX_ROUNDS) throw repeatedReplyError(store.name, reply.status)
      // After `stale-window`, the next round names the windows of the store's time.
      if (reply.status === "lease-ended") await sweeper.expire(partition, idempotencyKey, reply.storedCounters)
    }
  }

  /** Waits until abandoned reservations are expired, at most for the store's timeout. */
  async #waitForSweep(): Promise<void> {
    const { sweeper, store } = this.#context
    let timer: ReturnType<typeof setTimeout> | undefined
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, store.capabilities.timeoutMs)
    })
    // If the sweep fails, the next reserve decides.
    const sweep = sweeper.join(this.#call.partition).catch(() => {})
    await Promise.race([sweep, timeout])
    clearTimeout(timer)
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

  #admitted(counters: readonly CallCounter[], reply: Extract<ReserveReply, { status: "ok" }>): HeldReservation {
    this.#context.alerts.remember(this.#call.partition, counters)
    return new HeldReservation(this.#context, this.#call, {
      counters,
      expiresAt: reply.expiresAt,
      replayed: reply.replayed,
      limits: () => statusesOf(this.#call.limits, counters, reply.counters, "smallest"),
    })
  }

  /** Admits the call by `onStoreFailure` while the store is down. */
  #admitByAllowance(error: unknown): HeldReservation | undefined {
    const { allowance } = this.#context
    if (allowance === undefined || !StoreError.isInstance(error) || error.code !== "store-unavailable") return undefined
    const counters = this.#counters()
    if (!allowance.admit(this.#call.amount, new Set(counters.map(({ unit }) => unit)))) return undefined
    return new HeldReservation(this.#context, this.#call, {
      counters,
      expiresAt: null,
      replayed: false,
      limits: () => [],
    })
  }

  /** Releases what the store may have reserved, and repeats that until the store confirms it. */
  #releaseInBackground(): void {
    const { partition, idempotencyKey, fingerprint, entry, amount, leaseMs } = this.#call
    const { activeKeys, pending, clock } = this.#context
    const key = activeKey(partition, idempotencyKey)
    // If this process has the reservation, the reserve that got no reply was a replay of it.
    if (this.#sent === undefined || activeKeys.isReserved(key) || pending.has(key)) return
    const end = { status: "released", costNanoUsd: 0, costSource: "none" } as const
    const request: SettleRequest = {
      partition,
      key: idempotencyKey,
      fingerprint,
      outcome: "released",
      revision: 0,
      counters: this.#sent.counters.map(({ name, startsAt, endsAt, keepMs, amount }) => ({
        ...{ name, startsAt, endsAt, keepMs },
        reserved: amount,
        amount: 0,
      })),
      expiresAt: clock.now(partition) + leaseMs,
      entry: endedEntry(entry, amount, end, {}),
    }
    pending.add({ request, leaseMs, onReply: () => {} })
  }
}

/** Whether the store may have reserved the amount without confirming it. */
function isUnanswered(error: unknown): boolean {
  if (StoreError.isInstance(error)) return error.applied === "maybe"
  return (error as Error | undefined)?.name === "AbortedError"
}

function deniedEntry({ entry: { fingerprint: _fingerprint, ...entry } }: ReserveCall): UsageEntry {
  const none = { reservedNanoUsd: 0, costNanoUsd: 0, costSource: "none" } as const
  return { ...entry, ...none, status: "denied", errorCode: "budget-exceeded" }
}
