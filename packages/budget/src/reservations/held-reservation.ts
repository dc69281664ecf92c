import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { Reservation, Settlement, SettleOptions } from "../api/budget"
import type { BudgetContext } from "../api/budget-context"
import { SettleMismatchError } from "../api/budget-errors"
import { type Amount, type AmountInput, amountOf, type GivenAmount, isEmpty, readAmount } from "../limits/amount"
import type { LimitStatus } from "../limits/limit-status"
import type { Unit } from "../limits/subject"
import type { CounterRef, SettleCounter, SettleRequest } from "../store/budget-store"
import type { Millis } from "../store/name"
import { StoreError } from "../store/store-error"
import { endedEntry } from "../usage/attempt-entry"
import type { UsageEntry } from "../usage/entry"
import { activeKey } from "./active-keys"
import type { Heartbeat } from "./heartbeats"
import type { FinalSettleReply } from "./settle-where-reserved"

const SETTLE_NAMES: ReadonlySet<string> = new Set(["revision"])

/** What the caller reserved. */
export interface ReservationContent {
  idempotencyKey: string
  partition: string
  fingerprint: string
  amount: Amount
  /** The usage entry as far as it is known before the call is sent. */
  entry: UsageEntry
  leaseMs: number
  maxLeaseMs: number
}

/** How the store keeps the reservation. */
export interface StoredReservation {
  counters: readonly (CounterRef & { unit: Unit })[]
  /** Null: `onStoreFailure` admitted it, and the store has no record of it. */
  expiresAt: Millis | null
  replayed: boolean
  limits: () => readonly LimitStatus[]
}

/** A reservation with its heartbeat. */
export class HeldReservation implements Reservation {
  readonly #context: BudgetContext
  readonly #content: ReservationContent
  readonly #stored: StoredReservation
  readonly #activeKey: string
  readonly #heartbeat: Heartbeat | undefined
  #limits: readonly LimitStatus[] | undefined
  #expiresAt: Millis | null
  /** Whether the key counts as reserved by this process. */
  #isReserved = true
  /** Whether the amount counts against the local allowance of `onStoreFailure`. */
  #isAllowance: boolean
  #runningSettles = 0
  /** Whether a settle was sent and was not rejected as a mismatch or a usage error. */
  #isSettled = false
  #isReleasedHere = false
  /** Set when another caller released this reservation: the key under which the call is charged instead. */
  #chargedKey: string | undefined

  constructor(context: BudgetContext, content: ReservationContent, stored: StoredReservation) {
    this.#context = context
    this.#content = content
    this.#stored = stored
    this.#expiresAt = stored.expiresAt
    this.#isAllowance = stored.expiresAt === null
    this.#activeKey = activeKey(content.partition, content.idempotencyKey)
    context.activeKeys.add(this.#activeKey)
    if (stored.expiresAt === null || context.isClosed) return
    const endsAt = performance.now() + content.maxLeaseMs
    this.#heartbeat = context.heartbeats.start(content.leaseMs / 3, () => this.#beat(endsAt))
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
    this.#limits ??= this.#stored.limits()
    return this.#limits
  }

  get replayed(): boolean {
    return this.#stored.replayed
  }

  get expiresAt(): Millis | null {
    return this.#expiresAt
  }

  async settle(cost: AmountInput, entry: Partial<UsageEntry> = {}, options: SettleOptions = {}): Promise<Settlement> {
    checkOptions(options, SETTLE_NAMES)
    const charged = chargedAmount(readAmount(cost, "cost"), this.amount, entry)
    // A caller that passes the reservation's own amount does not know the usage: the charge is the upper bound.
    const isBound = cost === this.amount
    const end = {
      status: "succeeded",
      costNanoUsd: charged.nanoUsd,
      costSource: isBound ? "bound" : "custom",
      ...(isBound && entry?.costSource === undefined && { inDoubt: true as const }),
    } as const
    const ended = endedEntry(this.#content.entry, this.amount, end, entry)
    return this.#send(this.#request("settled", charged, ended, readRevision(options.revision)))
  }

  async release(entry: Partial<UsageEntry> = {}): Promise<Settlement> {
    // The money is spent: a release must not overtake a pending settle.
    if (this.#isSettled) throw new SettleMismatchError(this.idempotencyKey, "released")
    const end = { status: "released", costNanoUsd: 0, costSource: "none" } as const
    const ended = endedEntry(this.#content.entry, this.amount, end, entry)
    const request = this.#request("released", undefined, ended, 0)
    this.#isReleasedHere = true
    return this.#send(request)
  }

  /** Stops the heartbeat. Another caller of the key settles the reservation, or its lease ends. */
  abandon(): void {
    this.#heartbeat?.stop()
    this.#removeActiveKey()
  }

  #request(
    outcome: SettleRequest["outcome"],
    charged: Amount | undefined,
    entry: UsageEntry,
    revision: number,
  ): SettleRequest {
    const { partition, idempotencyKey, fingerprint, amount } = this.#content
    return {
      partition,
      key: this.#chargedKey ?? idempotencyKey,
      fingerprint,
      outcome,
      revision,
      counters: this.#stored.counters.map(({ unit, name, startsAt, endsAt, keepMs }): SettleCounter => {
        const reserved = amountOf(unit, amount)
        return { name, startsAt, endsAt, keepMs, reserved, amount: charged === undefined ? 0 : amountOf(unit, charged) }
      }),
      expiresAt: this.#chargedKey === undefined ? this.#expiresAt : null,
      entry,
    }
  }

  async #send(request: SettleRequest): Promise<Settlement> {
    this.#runningSettles++
    if (request.outcome === "settled") this.#isSettled = true
    try {
      const reply = await this.#context.settle(request)
      if (reply.status === "mismatch" && (await this.#isReleasedElsewhere()))
        return await this.#chargeUnderNewKey(request)
      const settlement = this.#confirm(reply, request)
      this.#heartbeat?.stop()
      return settlement
    } catch (error) {
      if (!StoreError.isInstance(error)) {
        // A mismatch or a usage error: this request changed nothing.
        if (request.outcome === "settled") this.#isSettled = false
        else this.#isReleasedHere = false
        throw error
      }
      this.#heartbeat?.stop()
      const { leaseMs } = this.#content
      this.#context.pending.add({
        request,
        leaseMs,
        failure: error,
        onReply: (reply) => this.#confirmLater(reply, request),
      })
      return { status: "pending", error }
    } finally {
      this.#runningSettles--
      if (this.#isSettled || this.#isReleasedHere) this.#removeActiveKey()
    }
  }

  /** Callers may share a key: one whose reserve got no reply may have released this reservation. */
  async #isReleasedElsewhere(): Promise<boolean> {
    if (this.#isReleasedHere || this.#chargedKey !== undefined) return false
    const { idempotencyKey: key, partition, leaseMs } = this.#content
    return (await this.#context.store.extend({ partition, key, leaseMs })).status === "released"
  }

  /** The money is spent, whoever released the reservation. Charges it under a key that no other caller has. */
  #chargeUnderNewKey(request: SettleRequest): Promise<Settlement> {
    const key = crypto.randomUUID()
    this.#chargedKey = key
    this.#context.warn(
      `The reservation "${this.idempotencyKey}" was released by another caller of its key; its call is charged under "${key}". Use one key for one call.`,
    )
    return this.#send({ ...request, key, expiresAt: null })
  }

  #confirm(reply: FinalSettleReply, request: SettleRequest): Settlement {
    this.#releaseAllowance()
    if (reply.status === "mismatch") throw new SettleMismatchError(this.idempotencyKey, request.outcome)
    if (reply.status === "forgotten") return { status: "forgotten" }
    const { replayed, late, recovered } = reply
    if (!replayed) this.#context.alerts.changed(this.partition, reply.counters)
    const cost = request.outcome === "settled" ? request.entry.costNanoUsd : 0
    const overrunNanoUsd = Math.max(0, cost - (this.amount.nanoUsd ?? cost))
    return { status: "settled", replayed, late, recovered, overrunNanoUsd }
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

  /** Waits for running settles: a release that overtook one would make it a mismatch. */
  #removeActiveKey(): void {
    if (!this.#isReserved || this.#runningSettles > 0) return
    this.#isReserved = false
    this.#context.activeKeys.remove(this.#activeKey)
  }

  /** Extends the lease. Resolves to false when it should not be extended again. */
  async #beat(endsAt: number): Promise<boolean> {
    const { idempotencyKey: key, partition, leaseMs } = this.#content
    if (performance.now() < endsAt) {
      try {
        const reply = await this.#context.store.extend({ partition, key, leaseMs })
        if (reply.status === "held") {
          this.#expiresAt = reply.expiresAt
          return true
        }
      } catch (error) {
        // The next beat tries again; two may fail before the lease ends.
        if (StoreError.isInstance(error)) return true
        this.#context.warn(`The lease of reservation "${key}" could not be extended.`, error)
      }
    }
    this.#removeActiveKey()
    return false
  }
}

/** The cost by unit. A unit that was reserved and is not in the cost is charged in full: unknown is never zero. */
function chargedAmount(cost: GivenAmount, reserved: Amount, entry: Partial<UsageEntry> | null): Amount {
  if (isEmpty(cost))
    throw new InvalidArgumentError("cost", "an amount such as 0.01 or { nanoUsd, tokens }; write 0 for nothing", cost)
  const { inputTokens, outputTokens } = entry?.tokens ?? {}
  const isCounted = inputTokens !== undefined || outputTokens !== undefined
  const countedTokens = isCounted ? (inputTokens ?? 0) + (outputTokens ?? 0) : undefined
  return {
    nanoUsd: cost.nanoUsd ?? reserved.nanoUsd,
    tokens: cost.tokens ?? countedTokens ?? reserved.tokens,
    requests: cost.requests ?? reserved.requests,
  }
}

function readRevision(revision: number | undefined): number {
  if (revision === undefined) return 0
  if (Number.isSafeInteger(revision) && revision >= 0) return revision
  throw new InvalidArgumentError("revision", "an integer from 0", revision)
}
