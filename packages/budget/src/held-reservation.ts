import { InvalidArgumentError } from "@p2/core"
import type { Amount, AmountInput, LimitStatus, Reservation, Settlement, SettleOptions } from "./budget"
import type { BudgetContext } from "./budget-context"
import { SettleMismatchError } from "./budget-errors"
import type { UsageDraft, UsageEntry } from "./ledger"
import { amountOf, type PlannedCell } from "./plan"
import { readAmount } from "./read-amount"
import type { Millis, SettleRequest, SettleResult } from "./store"
import { isStoreError } from "./store-calls"

/** What a reservation is made of. */
export interface Holding {
  id: string
  root: string
  amount: Amount
  fingerprint: string
  cells: readonly PlannedCell[]
  statuses: readonly LimitStatus[]
  expiresAt: Millis | null
  replayed: boolean
  draft: UsageDraft
}

/** A reservation with its heartbeat. */
export class HeldReservation implements Reservation {
  readonly #context: BudgetContext
  readonly #holding: Holding
  readonly #beatsUntil: Millis
  readonly #stop = () => this.stopHeartbeat()
  #timer: ReturnType<typeof setTimeout> | undefined
  #expiresAt: Millis | null
  #isAllowed: boolean
  #isHeld = true
  /** A settle was sent, and nobody has called it a mismatch or a mistake. */
  #isCommitted = false
  #isReleasedHere = false
  /** Set when another caller released what was held here: the id under which the call is charged instead. */
  #chargedAs: string | undefined
  #resolving = 0

  constructor(context: BudgetContext, holding: Holding) {
    this.#context = context
    this.#holding = holding
    this.#expiresAt = holding.expiresAt
    this.#isAllowed = holding.expiresAt === null
    context.hold(holding.root, holding.id)
    this.#beatsUntil = Date.now() + context.maxHoldMs
    if (holding.expiresAt !== null) this.#startHeartbeat()
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
    return this.#holding.statuses
  }

  get replayed(): boolean {
    return this.#holding.replayed
  }

  get expiresAt(): Millis | null {
    return this.#expiresAt
  }

  async settle(cost: AmountInput, entry?: UsageEntry, options: SettleOptions = {}): Promise<Settlement> {
    const charged = chargedOf(readAmount(cost, "cost"), this.amount, entry)
    const { draft, fingerprint } = this.#holding
    const { expireCostNanoUsd: _expireCost, ...attempt } = draft
    const written: UsageEntry = entry ?? {
      ...attempt,
      status: options.status ?? "succeeded",
      tokens: {},
      costNanoUsd: 0,
      // The reservation itself given as the cost: nobody knows it, so the most was charged.
      costSource: cost === this.amount ? "bound" : "custom",
    }
    // The ledger agrees with the money whatever the entry says.
    const costNanoUsd = charged.nanoUsd ?? written.costNanoUsd
    return this.#resolve("commit", charged, { ...written, costNanoUsd, fingerprint }, options.revision ?? 0)
  }

  async release(entry?: UsageEntry): Promise<Settlement> {
    // It could overtake a settle that is pending, and the money is gone.
    if (this.#isCommitted) throw new SettleMismatchError(this.id, "release")
    const { fingerprint } = this.#holding
    return this.#resolve("release", undefined, entry && { ...entry, fingerprint }, 0)
  }

  stopHeartbeat(): void {
    clearTimeout(this.#timer)
    this.#context.hearts.delete(this.#stop)
    this.#letGo()
  }

  /** Not while a settlement is on its way: a release that overtakes it would make it a mismatch. */
  #letGo(): void {
    if (!this.#isHeld || this.#resolving > 0) return
    this.#isHeld = false
    this.#context.letGo(this.root, this.id)
  }

  async #resolve(
    outcome: "commit" | "release",
    charged: Amount | undefined,
    entry: UsageEntry | undefined,
    revision: number,
  ): Promise<Settlement> {
    if (!Number.isSafeInteger(revision) || revision < 0)
      throw new InvalidArgumentError("revision", "a whole number of at least 0", revision)
    const { root, id, fingerprint, cells } = this.#holding
    const request: SettleRequest = {
      root,
      id: this.#chargedAs ?? id,
      fingerprint,
      outcome,
      revision,
      cells: cells.map((cell) => ({
        key: cell.key,
        startsAt: cell.startsAt,
        endsAt: cell.endsAt,
        keepMs: cell.keepMs,
        reserved: amountOf(cell.limits[0]!.unit, this.amount),
        amount: charged === undefined ? 0 : amountOf(cell.limits[0]!.unit, charged),
      })),
      expiresAt: this.#chargedAs === undefined ? this.#expiresAt : null,
      entry,
    }
    this.#isReleasedHere ||= outcome === "release"
    return this.#send(request, charged)
  }

  async #send(request: SettleRequest, charged: Amount | undefined): Promise<Settlement> {
    this.#resolving++
    if (request.outcome === "commit") this.#isCommitted = true
    this.stopHeartbeat()
    try {
      const answer = await this.#context.call(() => this.#context.store.settle(request))
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
    if (!replayed) this.#context.alerts.changed(this.root, this.#holding.cells, answer.cells)
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

  #startHeartbeat(): void {
    if (this.#context.isClosed) return
    this.#context.hearts.add(this.#stop)
    this.#timer = setTimeout(() => void this.#beat(), this.#context.leaseMs / 3)
    // A reservation must not keep a process alive: if it ends, the lease decides.
    this.#timer.unref?.()
  }

  async #beat(): Promise<void> {
    const { id, root } = this.#holding
    const { leaseMs, store } = this.#context
    try {
      const answer = await this.#context.call(() => store.extend({ root, id, leaseMs }))
      if (answer.state !== "held") return this.stopHeartbeat()
      this.#expiresAt = answer.expiresAt
    } catch (error) {
      // The next beat tries again; two may fail before the lease ends. Nobody waits for a beat: it must not throw.
      if (!isStoreError(error)) {
        this.#context.warn(`The lease of reservation "${id}" could not be extended.`, error)
        return this.stopHeartbeat()
      }
    }
    if (!this.#context.hearts.has(this.#stop)) return
    if (Date.now() < this.#beatsUntil) this.#startHeartbeat()
    else this.stopHeartbeat()
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
