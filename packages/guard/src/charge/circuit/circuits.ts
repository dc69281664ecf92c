import {
  type Budget,
  type BudgetExceededError,
  type BudgetStore,
  createBudget,
  type Reservation,
  StoreError,
  type Subject,
} from "@p2/budget"
import { AbortedError, InvalidArgumentError, LruMap, type NanoUsd } from "@p2/core"
import type { Charge } from "../charge"
import { Circuit } from "./circuit"
import {
  allowedInDoubt,
  type CircuitStatus,
  circuitStatus,
  counterLimits,
  counterSubject,
  inDoubt,
  maxGuardedLimits,
} from "./circuit-counters"
import { CircuitOpenError } from "./circuit-open-error"
import { type GuardedLimit, guardedLimits } from "./guarded-limit"
import { RecentRejections, type RejectedRequest } from "./recent-rejections"

const MAX_CIRCUITS = 1_000
/** How long a call waits while other calls, which are still running, use the share of the limit. */
const MAX_WAIT_MS = 300_000
const MIN_DELAY_MS = 50
const MAX_DELAY_MS = 1_000
/** `retryAfterMs` when other calls may end at any moment. */
const BUSY_RETRY_MS = 1_000

/** A call to be sent. */
export interface CircuitCall {
  provider: string
  model: string
  subject: Subject
  /** The reservation of the upper bound in the budget of the call. */
  reservation: Reservation
  signal: AbortSignal | undefined
}

/** The counters of a call: the limits that are guarded, and the subject whose tags name the counters. */
interface CallCounters {
  guarded: readonly GuardedLimit[]
  subject: Subject
}

/** What a call reserved in the counters while its provider was not proven to answer. */
interface Probe {
  reservation: Reservation
  counters: CallCounters
  /** The status before the reserve. */
  status: CircuitStatus
}

/** The permission to send one call. */
export interface CircuitPass {
  call: CircuitCall
  circuit: Circuit
  /** {@link Circuit.failures} when the call was sent. */
  failures: number
  /** Undefined: the provider is proven to answer, or no limit is guarded. */
  probe: Probe | undefined
}

/**
 * The circuit breaker of a store: one circuit for each provider and model. What is in doubt is counted in a separate
 * partition of the same store, so that all processes share it.
 */
export class Circuits {
  readonly #now: () => number
  readonly #counters: Budget
  readonly #maxGuarded: number
  readonly #circuits = new LruMap<string, Circuit>(MAX_CIRCUITS)
  readonly #rejections: RecentRejections

  /** @param now milliseconds of a clock that never runs backwards. @defaultValue performance.now */
  constructor(store: BudgetStore, now: () => number = () => performance.now()) {
    this.#now = now
    this.#rejections = new RecentRejections(now)
    this.#maxGuarded = maxGuardedLimits(store.capabilities.maxCounters)
    this.#counters = createBudget({
      store,
      limits: counterLimits,
      partition: ({ tags }) => `circuits.${tags?.partition}`,
      // The budget of the calls reports the warnings of the store itself.
      onWarning: (message, cause) => {
        if (cause !== undefined) console.warn(`@p2/guard: circuit breaker: ${message}`, cause)
      },
    })
  }

  /**
   * Resolves to a pass when the call may be sent. A provider that is not proven to answer gets few calls at a time: the others
   * wait for their end.
   * @throws StoreError if the store fails. AbortedError if the signal fires.
   */
  async enter(call: CircuitCall): Promise<CircuitPass | CircuitOpenError> {
    const circuit = this.#circuit(call)
    const probe = circuit.isProven ? undefined : await this.#probe(call, circuit)
    return CircuitOpenError.isInstance(probe) ? probe : { call, circuit, failures: circuit.failures, probe }
  }

  /** The rejection of a call like one that was rejected a moment ago. */
  rejectionOf(request: RejectedRequest): CircuitOpenError | undefined {
    return this.#circuit(request).isProven ? undefined : this.#rejections.find(request)
  }

  repeatRejection(request: RejectedRequest, error: CircuitOpenError): void {
    this.#rejections.add(request, error)
  }

  #circuit(call: { provider: string; model: string }): Circuit {
    return this.#circuits.getOrCreate(nameOf(call), () => new Circuit(this.#now))
  }

  #countersOf(call: CircuitCall): CallCounters | undefined {
    const { limits, partition } = call.reservation
    const guarded = guardedLimits(limits, call.subject, this.#maxGuarded)
    return guarded.length === 0 ? undefined : { guarded, subject: counterSubject(partition, nameOf(call), guarded) }
  }

  async #read({ guarded, subject }: CallCounters): Promise<CircuitStatus> {
    return circuitStatus(guarded, await this.#counters.status(subject))
  }

  async #probe(call: CircuitCall, circuit: Circuit): Promise<Probe | CircuitOpenError | undefined> {
    const { reservation, signal } = call
    const nanoUsd = reservation.amount.nanoUsd ?? 0
    const counters = nanoUsd === 0 ? undefined : this.#countersOf(call)
    if (counters === undefined) return undefined
    const { guarded, subject } = counters
    const endsAt = this.#now() + MAX_WAIT_MS
    let limitsBefore: string | undefined
    for (let delayMs = MIN_DELAY_MS; ; ) {
      if (signal?.aborted) throw new AbortedError("The wait for the circuit breaker", signal)
      if (circuit.isProven) return undefined
      const status = await this.#read(counters)
      if (status.isHealthy && circuit.trustOthers()) return undefined
      const limits = allowedInDoubt(guarded, status, nanoUsd)
      const amount = { nanoUsd, requests: 1, tokens: 1 }
      const result = await this.#counters.reserve({ subject, amount, limits, signal, recordDenial: false })
      if (result.ok) return { reservation: result.reservation, counters, status }
      if (isBusy(result.error)) {
        if (this.#now() >= endsAt) return openError(call, guarded, status, BUSY_RETRY_MS)
        await circuit.change(delayMs * (0.5 + Math.random() / 2), signal)
        delayMs = Math.min(MAX_DELAY_MS, delayMs * 2)
        continue
      }
      // If other calls failed after the status was read, the limits of the next step decide.
      const limitsNow = JSON.stringify(limits)
      if (limitsNow === limitsBefore) return openError(call, guarded, status, result.error.retryAfterMs ?? MAX_WAIT_MS)
      limitsBefore = limitsNow
    }
  }

  /** Counts what the call left in doubt, or takes its success as proof. Undefined: there is nothing to write. */
  leave(pass: CircuitPass, charge: Charge): Promise<void> | undefined {
    const { circuit, probe } = pass
    const isFailure = charge.status === "charged" && charge.inDoubt && charge.health === "failed"
    const doubtNanoUsd = isFailure ? charge.costNanoUsd : 0
    const isProof = charge.status === "charged" && charge.health === "answered" && pass.failures === circuit.failures
    if (doubtNanoUsd > 0) circuit.fail()
    else if (isProof) circuit.succeed()
    if (probe === undefined) return doubtNanoUsd > 0 ? this.#add(pass, doubtNanoUsd) : undefined
    return this.#settle(pass, probe, doubtNanoUsd, isProof)
  }

  async #settle({ circuit }: CircuitPass, probe: Probe, doubtNanoUsd: NanoUsd, isProof: boolean): Promise<void> {
    const counts = { requests: isProof ? 1 : 0, tokens: doubtNanoUsd > 0 ? 1 : 0 }
    await quietly(probe.reservation.settle({ nanoUsd: doubtNanoUsd, ...counts }))
    if (isProof) await quietly(this.#clear(probe))
    circuit.wake()
  }

  /** Counts what a call left in doubt that had reserved nothing here. */
  async #add({ call }: CircuitPass, doubtNanoUsd: NanoUsd): Promise<void> {
    const counters = this.#countersOf(call)
    if (counters === undefined) return
    const amount = { nanoUsd: doubtNanoUsd, requests: 1, tokens: 1 }
    const cost = { nanoUsd: doubtNanoUsd, requests: 0, tokens: 0 }
    const { subject } = counters
    await quietly(this.#counters.run({ subject, amount }, async () => ({ value: undefined, cost })))
  }

  /**
   * After a success, clears what was in doubt when its call was sent. The key of a top-up names what was granted before, so
   * that of several successes only the first one clears the same amount.
   */
  async #clear({ counters, status }: Probe): Promise<void> {
    if (status.doubts.every((counter) => inDoubt(counter) <= 0)) return
    const { subject } = counters
    const now = (await this.#read(counters)).doubts
    const clearing = status.doubts.map(async (before, index) => {
      const cleared = inDoubt(before)
      if (cleared <= 0 || now[index]?.startsAt !== before.startsAt) return
      const { scope, window: per, startsAt, unit, granted } = before
      const amount = unit === "usd" ? { nanoUsd: cleared } : { tokens: cleared }
      const idempotencyKey = JSON.stringify([subject.model, scope, startsAt, unit, granted])
      await quietly(this.#counters.topUp({ subject, scope, per, amount, idempotencyKey }))
    })
    await Promise.all(clearing)
  }
}

function nameOf({ provider, model }: { provider: string; model: string }): string {
  return `${provider} ${model}`
}

/** Whether only calls that are still running prevent this one. */
function isBusy({ all }: BudgetExceededError): boolean {
  return all.every(
    ({ requestedNanoUsd, limitNanoUsd, grantedNanoUsd, spentNanoUsd }) =>
      (requestedNanoUsd ?? 0) <= (limitNanoUsd ?? 0) + (grantedNanoUsd ?? 0) - (spentNanoUsd ?? 0),
  )
}

function openError(
  { provider, model }: CircuitCall,
  guarded: readonly GuardedLimit[],
  { inDoubtNanoUsd }: CircuitStatus,
  retryAfterMs: number,
): CircuitOpenError {
  // The limit of which the largest part is in doubt.
  const parts = guarded.map(({ nanoUsd }, index) => ({
    limitNanoUsd: nanoUsd,
    inDoubtNanoUsd: inDoubtNanoUsd[index] ?? 0,
  }))
  const most = parts.reduce((a, b) => (b.inDoubtNanoUsd / b.limitNanoUsd > a.inDoubtNanoUsd / a.limitNanoUsd ? b : a))
  return new CircuitOpenError({ provider, model, retryAfterMs, ...most })
}

/**
 * A failure of the store to count does not fail the call, whose own settlement is confirmed or repeated by its budget. An
 * idempotency key that was used with another amount was used by another success.
 */
async function quietly(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    const isUsedKey = InvalidArgumentError.isInstance(error) && error.argument === "idempotencyKey"
    if (!isUsedKey && !StoreError.isInstance(error)) throw error
  }
}
