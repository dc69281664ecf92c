import { InvalidArgumentError } from "@p2/core"
import type { Amount, AmountInput, LimitStatus, Reservation, Settlement, SettleOptions } from "./budget"
import type { BudgetContext } from "./budget-context"
import { SettleMismatchError } from "./budget-errors"
import type { Beat, Heart } from "./heartbeats"
import type { IdUse } from "./id-uses"
import type { UsageDraft, UsageEntry } from "./ledger"
import { boundedEntry } from "./ledger-texts"
import { amountOf, type Plan, type PlannedCell, statusesOf } from "./plan"
import { readAmount } from "./read-amount"
import type { Millis, ReserveResult, SettleCell, SettleRequest, SettleResult } from "./store"
import { isStoreError } from "./store-calls"

/** What a reservation is made of. */
export interface Holding {
  id: string
  root: string
  /** Of root and id. */
  key: string
  amount: Amount
  plan: Plan
  fingerprint: string
  draft: UsageDraft
}

/** What the store said of it. */
type Held = Extract<ReserveResult, { result: "ok" }>

/** A reservation with its heartbeat. */
export class HeldReservation implements Reservation, Heart {
  readonly #context: BudgetContext
  readonly #holding: Holding
  readonly #cells: readonly PlannedCell[]
  readonly #answer: Held | undefined
  readonly #use: IdUse
  readonly #beatsUntil: Millis
  readonly #heartbeat: Beat | undefined
  #statuses: readonly LimitStatus[] | undefined
  #expiresAt: Millis | null
  #isAllowed: boolean
  #isHeld = true
  /** A settle was sent, and nobody has called it a mismatch or a mistake. */
  #isCommitted = false
  #isReleasedHere = false
  /** Set when another caller released what was held here: the id under which the call is charged instead. */
  #chargedAs: string | undefined
  #resolving = 0

  /** Without an answer it was admitted although the store is down. */
  constructor(context: BudgetContext, holding: Holding, cells: readonly PlannedCell[], answer: Held | undefined) {
    this.#context = context
    this.#holding = holding
    this.#cells = cells
    this.#answer = answer
    this.#expiresAt = answer === undefined ? null : answer.expiresAt
    this.#isAllowed = answer === undefined
    this.#use = context.uses.enter(holding.key)
    this.#use.held++
    this.#beatsUntil = Date.now() + context.maxHoldMs
    this.#heartbeat = answer === undefined || context.isClosed ? undefined : context.hearts.add(this)
  }

  get id(): string {
    return this.#holding.id
  }

  get root(): string {
    return this.#holding.root
  }

  get amount(): Amount {
    return this.#holding.amount
  }

  get cells(): readonly LimitStatus[] {
    const states = this.#answer?.cells
    this.#statuses ??= states === undefined ? [] : statusesOf(this.#holding.plan, this.#cells, states, "smallest")
    return this.#statuses
  }

  get replayed(): boolean {
    return this.#answer?.replayed ?? false
  }

  get expiresAt(): Millis | null {
    return this.#expiresAt
  }

  async settle(cost: AmountInput, entry?: UsageEntry, options: SettleOptions = {}): Promise<Settlement> {
    const charged = chargedOf(readAmount(cost, "cost"), this.amount, entry)
    const written = entry === undefined ? this.#entryOf(cost, options) : boundedEntry(entry, "entry")
    const request = this.#settleRequest("commit", charged, written, options.revision ?? 0)
    // Awaited: to hand a promise on costs two more turns of the event loop's queue.
    return await this.#send(request, charged)
  }

  async release(entry?: UsageEntry): Promise<Settlement> {
    // It could overtake a settle that is pending, and the money is gone.
    if (this.#isCommitted) throw new SettleMismatchError(this.id, "release")
    const request = this.#settleRequest("release", undefined, entry && boundedEntry(entry, "entry"), 0)
    return await this.#send(request, undefined)
  }

  stopHeartbeat(): void {
    if (this.#heartbeat !== undefined) this.#context.hearts.remove(this.#heartbeat)
    this.#letGo()
  }

  /** What the ledger is told when the caller does not say it. */
  #entryOf(cost: AmountInput, options: SettleOptions): UsageEntry {
    const { expireCostNanoUsd: _expireCost, ...attempt } = this.#holding.draft
    return Object.assign({}, attempt, {
      status: options.status ?? "succeeded",
      tokens: {},
      costNanoUsd: 0,
      // The reservation itself given as the cost: nobody knows it, so the most was charged.
      costSource: cost === this.amount ? ("bound" as const) : ("custom" as const),
    })
  }

  /** Not while a settlement is on its way: a release that overtakes it would make it a mismatch. */
  #letGo(): void {
    if (!this.#isHeld || this.#resolving > 0) return
    this.#isHeld = false
    this.#use.held--
    this.#context.uses.leave(this.#use)
  }

  /** `entry` is a copy of what the caller holds. */
  #settleRequest(
    outcome: "commit" | "release",
    charged: Amount | undefined,
    entry: UsageEntry | undefined,
    revision: number,
  ): SettleRequest {
    if (!Number.isSafeInteger(revision) || revision < 0)
      throw new InvalidArgumentError("revision", "a whole number of at least 0", revision)
    const { root, id, fingerprint, amount } = this.#holding
    const cells: SettleCell[] = []
    for (const { key, startsAt, endsAt, keepMs, limits } of this.#cells) {
      const { unit } = limits[0]!
      const reserved = amountOf(unit, amount)
      const spent = charged === undefined ? 0 : amountOf(unit, charged)
      cells.push({ key, startsAt, endsAt, keepMs, reserved, amount: spent })
    }
    const request: SettleRequest = {
      root,
      id: this.#chargedAs ?? id,
      fingerprint,
      outcome,
      revision,
      cells,
      expiresAt: this.#chargedAs === undefined ? this.#expiresAt : null,
      entry,
    }
    if (entry !== undefined) {
      entry.fingerprint = fingerprint
      // The ledger agrees with the money whatever the entry says.
      entry.costNanoUsd = charged?.nanoUsd ?? entry.costNanoUsd
    }
    this.#isReleasedHere ||= outcome === "release"
    return request
  }

  async #send(request: SettleRequest, charged: Amount | undefined): Promise<Settlement> {
    this.#resolving++
    if (request.outcome === "commit") this.#isCommitted = true
    this.stopHeartbeat()
    try {
      const { store } = this.#context
      const answer =
        this.#context.callNow(store.settle, request) ?? (await this.#context.call(() => store.settle(request)))
      if (answer.result === "mismatch" && (await this.#isReleasedElsewhere()))
        return await this.#chargeAnew(request, charged)
      return this.#settled(answer, request.outcome, charged)
    } catch (error) {
      if (!isStoreError(error)) {
        // A mistake or a mismatch: nothing was settled by this.
        this.#isCommitted = false
        throw error
      }
      this.#context.pending.add(request, (answer) => this.#settledLater(answer, request, charged), error)
      return { status: "pending", error }
    } finally {
      this.#resolving--
      this.#letGo()
    }
  }

  /** An id has no owner: another caller of this one, whose reserve was not answered, has given back what is held here. */
  async #isReleasedElsewhere(): Promise<boolean> {
    if (this.#isReleasedHere || this.#chargedAs !== undefined) return false
    const { id, root } = this.#holding
    const { leaseMs, store } = this.#context
    return (await this.#context.call(() => store.extend({ root, id, leaseMs }))).state === "released"
  }

  /** The money is gone whoever released it, so it is charged under an id that nobody else has. */
  #chargeAnew(request: SettleRequest, charged: Amount | undefined): Promise<Settlement> {
    const id = crypto.randomUUID()
    this.#chargedAs = id
    this.#context.warn(
      `The reservation "${this.id}" was released by another caller of its id; what this call cost is charged under "${id}". Use one id for one call.`,
    )
    return this.#send({ ...request, id, expiresAt: null }, charged)
  }

  #settled(answer: SettleResult, outcome: "commit" | "release", charged: Amount | undefined): Settlement {
    this.#giveAllowanceBack()
    if (answer.result === "mismatch") throw new SettleMismatchError(this.id, outcome)
    if (answer.result === "forgotten") return { status: "forgotten" }
    const { replayed, late, recovered } = answer
    if (!replayed) this.#context.alerts.changed(this.root, this.#cells, answer.cells)
    const overrunNanoUsd = Math.max(0, (charged?.nanoUsd ?? 0) - (this.amount.nanoUsd ?? 0))
    return { status: "settled", replayed, late, recovered, overrunNanoUsd }
  }

  async #settledLater(
    answer: SettleResult | undefined,
    request: SettleRequest,
    charged: Amount | undefined,
  ): Promise<void> {
    try {
      if (answer === undefined) this.#giveAllowanceBack()
      else if (answer.result === "mismatch") await this.#send(request, charged)
      else this.#settled(answer, request.outcome, charged)
    } catch (error) {
      this.#isCommitted = false
      this.#context.warn(`The pending ${request.outcome} of reservation "${this.id}" was not accepted.`, error)
    }
  }

  /** Once the store knows what was charged, its own limits count it. */
  #giveAllowanceBack(): void {
    if (!this.#isAllowed) return
    this.#isAllowed = false
    this.#context.allowance?.giveBack(this.amount)
  }

  async beat(): Promise<boolean> {
    const { id, root } = this.#holding
    const { leaseMs, store } = this.#context
    try {
      const answer = await this.#context.call(() => store.extend({ root, id, leaseMs }))
      if (answer.state === "held") this.#expiresAt = answer.expiresAt
      if (answer.state === "held" && Date.now() < this.#beatsUntil) return true
    } catch (error) {
      // The next beat tries again; two may fail before the lease ends. Nobody waits for a beat: it must not throw.
      if (isStoreError(error) && Date.now() < this.#beatsUntil) return true
      if (!isStoreError(error)) this.#context.warn(`The lease of reservation "${id}" could not be extended.`, error)
    }
    this.#letGo()
    return false
  }
}

/** The cost by unit. What was reserved and not told is charged in full: unknown is never free. */
function chargedOf(cost: ReturnType<typeof readAmount>, reserved: Amount, entry: UsageEntry | undefined): Amount {
  if (cost.nanoUsd === undefined && cost.tokens === undefined && cost.requests === undefined)
    throw new InvalidArgumentError(
      "cost",
      "an amount such as { usd: 0.01 } or { nanoUsd, tokens }; 0 must be said",
      cost,
    )
  const { inputTokens, outputTokens } = entry?.tokens ?? {}
  const counted =
    inputTokens === undefined && outputTokens === undefined ? undefined : (inputTokens ?? 0) + (outputTokens ?? 0)
  return {
    nanoUsd: cost.nanoUsd ?? reserved.nanoUsd,
    tokens: cost.tokens ?? counted ?? reserved.tokens,
    requests: cost.requests ?? reserved.requests,
  }
}
