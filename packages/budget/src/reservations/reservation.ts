import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { BudgetOptions, Reservation, SettleOptions, SettleResult } from "../api/budget"
import type { BudgetContext } from "../api/budget-context"
import { ReservationResolvedError, SettleMismatchError, UnknownReservationError } from "../api/errors"
import { type Amount, type AmountInput, amountOf, type GivenAmount, isEmpty, readAmount } from "../limits/amount"
import { type CounterNameParts, counterRefOf, readCounterName } from "../limits/counters"
import type { LimitStatus } from "../limits/limit-status"
import { toName } from "../limits/names"
import { readSubject, type Subject, type Unit } from "../limits/subject"
import type { CounterRef, Millis, SettleCounter, SettleRequest } from "../store/budget-store"
import { check, integerFrom, natural, optional } from "../store/shape"
import { corrupt, StoreError } from "../store/store-error"
import { type AttemptEntry, attemptEntry, endedEntry } from "../usage/attempt-entry"
import type { UsageEntry } from "../usage/entry"
import type { ExtendedLease } from "./leases"
import { type FinalSettleReply, settleWhereReserved } from "./settles"

const SETTLE_NAMES: ReadonlySet<string> = new Set(["revision"])
const RESUME_NAMES: ReadonlySet<string> = new Set(["subject"])

/** What the caller reserved. */
export interface ReservationContent {
  idempotencyKey: string
  partition: string
  amount: Amount
  leaseMs: number
  maxLeaseMs: number
  /** Called when its charge crosses a threshold. */
  onAlert?: BudgetOptions["onAlert"]
}

/** What was sent to the store, and what it replied. */
export interface ReservationState {
  /** The usage entry before the call is sent. */
  entry: AttemptEntry
  counters: readonly (CounterRef & { unit: Unit })[]
  /** Null: `onStoreFailure` admitted it, and the store has no record of it. */
  expiresAt: Millis | null
  replayed: boolean
  limits: () => readonly LimitStatus[]
}

/** The reservation that `reserve` and `resume` return. */
export class BudgetReservation implements Reservation, ExtendedLease {
  readonly #context: BudgetContext
  readonly #content: ReservationContent
  readonly #state: ReservationState
  /** Local time after which the lease is not extended. */
  #extendUntil = 0
  #limits: readonly LimitStatus[] | undefined
  #expiresAt: Millis | null
  /** Whether the amount counts against the local allowance of `onStoreFailure`. */
  #isAllowance: boolean
  /** Whether a settle was sent and was not rejected as a mismatch or a usage error. */
  #isSettled = false
  #isReleasedHere = false
  /** Set when another caller released this reservation: the key under which the call is charged instead. */
  #chargedKey: string | undefined

  constructor(context: BudgetContext, content: ReservationContent, state: ReservationState) {
    this.#context = context
    this.#content = content
    this.#state = state
    this.#expiresAt = state.expiresAt
    this.#isAllowance = state.expiresAt === null
  }

  get idempotencyKey(): string {
    return this.#content.idempotencyKey
  }

  get partition(): string {
    return this.#content.partition
  }

  get amount(): Amount {
    return this.#content.amount
  }

  get limits(): readonly LimitStatus[] {
    this.#limits ??= this.#state.limits()
    return this.#limits
  }

  get leaseMs(): number {
    return this.#content.leaseMs
  }

  get replayed(): boolean {
    return this.#state.replayed
  }

  get expiresAt(): Millis | null {
    return this.#expiresAt
  }

  /** Extends the lease each time a third of it has passed, until it is settled, released or lost, or `maxLeaseMs` is over. */
  startHeartbeat(): this {
    if (this.#expiresAt === null || this.#context.isClosed) return this
    this.#extendUntil = performance.now() + this.#content.maxLeaseMs
    this.#context.heartbeats.start(this)
    return this
  }

  /** Leaves the reservation to its lease, or to another caller of the key. */
  stopHeartbeat(): void {
    this.#context.heartbeats.stop(this)
  }

  async settle(cost: AmountInput, entry: Partial<UsageEntry> = {}, options: SettleOptions = {}): Promise<SettleResult> {
    checkOptions(options, SETTLE_NAMES)
    const { revision = 0 } = options
    check(revision, integerFrom(0), "revision")
    const charged = chargedAmount(readAmount(cost, "cost"), this.amount, entry)
    // A caller that passes the reservation's own amount does not know the usage: the charge is the upper bound.
    const isBound = cost === this.amount
    const costSource = isBound ? "bound" : "custom"
    const end = { status: "succeeded", costNanoUsd: charged.nanoUsd, costSource, isBound } as const
    const ended = endedEntry(this.#state.entry, this.amount, end, entry)
    return await this.#send(this.#request("settled", charged, ended, revision))
  }

  async release(entry: Partial<UsageEntry> = {}): Promise<SettleResult> {
    // The amount is spent: a release must not overtake a pending settle.
    if (this.#isSettled) throw new SettleMismatchError(this.idempotencyKey, "released")
    const request = this.#releaseRequest(entry)
    this.#isReleasedHere = true
    return await this.#send(request)
  }

  /** Releases what the store may have reserved, and repeats that until the store confirms it. */
  releaseInBackground(): void {
    this.stopHeartbeat()
    this.#isReleasedHere = true
    this.#addPending(this.#releaseRequest({}))
  }

  #releaseRequest(entry: Partial<UsageEntry>): SettleRequest {
    const end = { status: "released", costNanoUsd: 0, costSource: "none" } as const
    return this.#request("released", undefined, endedEntry(this.#state.entry, this.amount, end, entry), 0)
  }

  #request(
    outcome: SettleRequest["outcome"],
    charged: Amount | undefined,
    entry: UsageEntry,
    revision: number,
  ): SettleRequest {
    const { partition, idempotencyKey, amount } = this.#content
    return {
      partition,
      key: this.#chargedKey ?? idempotencyKey,
      fingerprint: this.#state.entry.fingerprint,
      outcome,
      revision,
      counters: this.#state.counters.map(({ unit, name, startsAt, endsAt, keepMs }): SettleCounter => {
        const reserved = amountOf(unit, amount)
        return { name, startsAt, endsAt, keepMs, reserved, amount: charged === undefined ? 0 : amountOf(unit, charged) }
      }),
      expiresAt: this.#chargedKey === undefined ? this.#expiresAt : null,
      entry,
    }
  }

  async #send(request: SettleRequest): Promise<SettleResult> {
    if (request.outcome === "settled") this.#isSettled = true
    try {
      const reply = await settleWhereReserved(this.#context.store, request)
      if (reply.status === "mismatch" && (await this.#isReleasedElsewhere()))
        return await this.#chargeUnderNewKey(request)
      const result = this.#confirm(reply, request)
      this.stopHeartbeat()
      return result
    } catch (error) {
      if (!StoreError.isInstance(error)) {
        // A mismatch or a usage error: this request changed nothing.
        if (request.outcome === "settled") this.#isSettled = false
        else this.#isReleasedHere = false
        throw error
      }
      this.stopHeartbeat()
      this.#addPending(request, error)
      return { status: "pending", error }
    }
  }

  #addPending(request: SettleRequest, failure?: StoreError): void {
    const { leaseMs } = this.#content
    this.#context.unconfirmedSettles.add({
      request,
      leaseMs,
      failure,
      onReply: (reply) => this.#confirmLater(reply, request),
    })
  }

  /** Callers may share a key, and one of them may have released this reservation. */
  async #isReleasedElsewhere(): Promise<boolean> {
    if (this.#isReleasedHere || this.#chargedKey !== undefined) return false
    const { idempotencyKey: key, partition, leaseMs } = this.#content
    return (await this.#context.store.extend({ partition, key, leaseMs })).status === "released"
  }

  /** The money is spent, whoever released the reservation. Charges it under a key that no other caller has. */
  #chargeUnderNewKey(request: SettleRequest): Promise<SettleResult> {
    const key = crypto.randomUUID()
    this.#chargedKey = key
    this.#context.warn(
      `The reservation "${this.idempotencyKey}" was released by another caller of its key; its call is charged under "${key}". Use one key for one call.`,
    )
    return this.#send({ ...request, key, expiresAt: null })
  }

  #confirm(reply: FinalSettleReply, request: SettleRequest): SettleResult {
    this.#releaseAllowance()
    if (reply.status === "mismatch") throw new SettleMismatchError(this.idempotencyKey, request.outcome)
    if (reply.status === "forgotten") return { status: "forgotten" }
    const { status, replayed, late, recovered } = reply
    if (!replayed) this.#context.changed(this.partition, reply.counters, this.#content.onAlert)
    const cost = status === "settled" ? request.entry.costNanoUsd : 0
    const overrunNanoUsd = Math.max(0, cost - (this.amount.nanoUsd ?? cost))
    return { status, replayed, late, recovered, overrunNanoUsd }
  }

  async #confirmLater(reply: FinalSettleReply | undefined, request: SettleRequest): Promise<void> {
    try {
      if (reply === undefined) this.#releaseAllowance()
      else if (reply.status === "mismatch") await this.#send(request)
      else this.#confirm(reply, request)
    } catch (error) {
      this.#isSettled = false
      const noun = request.outcome === "settled" ? "settlement" : "release"
      this.#context.warn(`The pending ${noun} of reservation "${this.idempotencyKey}" was rejected.`, error)
    }
  }

  /** Once the store has recorded the charge, its own limits count it. */
  #releaseAllowance(): void {
    if (!this.#isAllowance) return
    this.#isAllowance = false
    this.#context.allowance?.release(this.amount)
  }

  async extendLease(): Promise<boolean> {
    if (performance.now() >= this.#extendUntil) return false
    const { idempotencyKey: key, partition, leaseMs } = this.#content
    try {
      const reply = await this.#context.store.extend({ partition, key, leaseMs })
      if (reply.status === "held") this.#expiresAt = reply.expiresAt
      return reply.status === "held"
    } catch (error) {
      // The next beat tries again; two may fail before the lease ends.
      if (StoreError.isInstance(error)) return true
      this.#context.warn(`The lease of reservation "${key}" could not be extended.`, error)
      return false
    }
  }
}

/** The cost by unit. A unit that was reserved and is not in the cost is charged in full: unknown is never zero. */
function chargedAmount(cost: GivenAmount, reserved: Amount, entry: Partial<UsageEntry> | null): Amount {
  if (isEmpty(cost))
    throw new InvalidArgumentError("cost", "an amount such as 0.01 or { nanoUsd, tokens }; write 0 for nothing", cost)
  const { inputTokens, outputTokens } = entry?.tokens ?? {}
  const isCounted = inputTokens !== undefined || outputTokens !== undefined
  const countedTokens = isCounted ? (inputTokens ?? 0) + (outputTokens ?? 0) : undefined
  check(countedTokens, optional(natural), "entry.tokens")
  return {
    nanoUsd: cost.nanoUsd ?? reserved.nanoUsd,
    tokens: cost.tokens ?? countedTokens ?? reserved.tokens,
    requests: cost.requests ?? reserved.requests,
  }
}

/** Restores a reservation from the store's record, in any process. */
export async function resume(
  context: BudgetContext,
  key: string,
  options: { subject?: Subject | undefined },
): Promise<BudgetReservation> {
  checkOptions(options, RESUME_NAMES)
  const subject = readSubject(options.subject)
  context.throwIfClosed()
  const idempotencyKey = toName(key, "idempotencyKey")
  const partition = context.partitionOf(subject)
  const { leaseMs, maxLeaseMs, store } = context
  await context.requireChecked()
  const reply = await store.extend({ partition, key: idempotencyKey, leaseMs })
  if (reply.status === "unknown") throw new UnknownReservationError(idempotencyKey)
  if (reply.status !== "held") throw new ReservationResolvedError(idempotencyKey, reply.status)
  const { expiresAt, fingerprint } = reply
  const counters = reply.counters.map(({ name, amount }) => {
    const parts = readCounterName(name)
    if (parts !== undefined) return { ...counterRefOf(name, parts), unit: parts.unit, amount, parts }
    throw corrupt(`The store "${store.name}" has a reservation in the counter "${name}", which no budget created.`)
  })
  const amountIn = (unit: Unit) => counters.find((counter) => counter.unit === unit)?.amount
  const [nanoUsd, tokens, requests = 1] = [amountIn("nanoUsd"), amountIn("tokens"), amountIn("requests")]
  const amount: Amount = { nanoUsd, tokens, requests }
  const completed = subjectOf(
    counters.map(({ parts }) => parts),
    subject,
  )
  const entry = attemptEntry(completed, { idempotencyKey, amount, fingerprint, entry: {} })
  const content = { idempotencyKey, partition, amount, leaseMs, maxLeaseMs }
  const state = { entry, counters, expiresAt, replayed: true, limits: () => [] }
  return new BudgetReservation(context, content, state).startHeartbeat()
}

/** The subject that the caller gave, completed from the names of the counters. */
function subjectOf(counters: readonly CounterNameParts[], given: Subject): Subject {
  const valueIn = (scope: CounterNameParts["scope"]) =>
    counters.find((counter) => counter.scope === scope)?.value ?? undefined
  const tags = counters.flatMap(({ tag, value }) => (tag === undefined || value == null ? [] : [[tag, value]]))
  return {
    requestId: given.requestId ?? valueIn("request"),
    userId: given.userId ?? valueIn("user"),
    clientId: given.clientId ?? valueIn("client"),
    model: given.model ?? valueIn("model"),
    tags: given.tags ?? (tags.length > 0 ? Object.fromEntries(tags) : undefined),
  }
}
