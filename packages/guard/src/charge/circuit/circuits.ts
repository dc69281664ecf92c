import {
  type Budget,
  type BudgetExceededError,
  type BudgetStore,
  createBudget,
  type LimitStatus,
  type Reservation,
  type Subject,
} from "@p2/budget"
import { AbortedError, LruMap, type NanoUsd } from "@p2/core"
import type { Charge } from "../charge"
import { Circuit } from "./circuit"
import {
  allowedInDoubt,
  type CircuitStatus,
  circuitStatus,
  counterLimits,
  counterSubject,
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

/** A call that wants to be sent. */
export interface CircuitCall {
  provider: string
  model: string
  partition: string
  subject: Subject
  /** The limits that the call reserved in. */
  limits: readonly LimitStatus[]
  boundNanoUsd: NanoUsd
  signal: AbortSignal | undefined
}

/** The permission to send one call. */
export interface CircuitPass {
  circuit: Circuit
  /** {@link Circuit.failures} when the call was sent. */
  failures: number
  /** The subject of the counters; undefined: no limit is guarded. */
  counted: Subject | undefined
  guarded: readonly GuardedLimit[]
  /** Present if the provider was not proven to answer: the upper bound is reserved in the counters. */
  probe: { reservation: Reservation; status: CircuitStatus } | undefined
}

/**
 * The circuit breaker of a store: one circuit for each provider and model. What is in doubt is counted in a partition of its
 * own in the same store, so that all processes share it.
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
    const { name, circuit } = this.#circuit(call)
    const guarded = guardedLimits(call.limits, call.subject, this.#maxGuarded)
    const counted = guarded.length === 0 ? undefined : counterSubject(call.partition, name, guarded)
    const pass = { circuit, failures: circuit.failures, counted, guarded, probe: undefined }
    if (counted === undefined || circuit.isProven) return pass
    const probe = await this.#probe(call, circuit, counted, guarded)
    if (CircuitOpenError.isInstance(probe)) return probe
    return { ...pass, failures: circuit.failures, probe }
  }

  /** The rejection of a call like one that was rejected a moment ago. */
  rejectionOf(request: RejectedRequest): CircuitOpenError | undefined {
    return this.#circuit(request).circuit.isProven ? undefined : this.#rejections.find(request)
  }

  repeatRejection(request: RejectedRequest, error: CircuitOpenError): void {
    this.#rejections.add(request, error)
  }

  #circuit({ provider, model }: { provider: string; model: string }): { name: string; circuit: Circuit } {
    const name = `${provider} ${model}`
    return { name, circuit: this.#circuits.getOrCreate(name, () => new Circuit(this.#now)) }
  }

  async #probe(
    call: CircuitCall,
    circuit: Circuit,
    counted: Subject,
    guarded: readonly GuardedLimit[],
  ): Promise<CircuitPass["probe"] | CircuitOpenError> {
    const { boundNanoUsd, signal } = call
    const endsAt = this.#now() + MAX_WAIT_MS
    let limitsBefore: string | undefined
    for (let delayMs = MIN_DELAY_MS; ; ) {
      if (signal?.aborted) throw new AbortedError("waiting for the circuit breaker", signal)
      if (circuit.isProven) return undefined
      const status = circuitStatus(guarded, await this.#counters.status(counted))
      if (status.isHealthy && circuit.trustOthers()) return undefined
      const limits = allowedInDoubt(guarded, status, boundNanoUsd)
      const amount = { nanoUsd: boundNanoUsd, requests: 1 }
      const result = await this.#counters.reserve({ subject: counted, amount, limits, signal, recordDenial: false })
      if (result.ok) return { reservation: result.reservation, status }
      if (isBusy(result.error)) {
        if (this.#now() >= endsAt) return openError(call, guarded, status, BUSY_RETRY_MS)
        await circuit.change(delayMs * (0.5 + Math.random() / 2), signal)
        delayMs = Math.min(MAX_DELAY_MS, delayMs * 2)
        continue
      }
      // Other calls may have failed since the status was read: the limits of the next step decide then.
      const limitsNow = JSON.stringify(limits)
      if (limitsNow === limitsBefore) return openError(call, guarded, status, result.error.retryAfterMs ?? MAX_WAIT_MS)
      limitsBefore = limitsNow
    }
  }

  /** Counts what the call left in doubt, or takes its success as proof. Undefined: there is nothing to write. */
  leave(pass: CircuitPass, charge: Charge): Promise<void> | undefined {
    const { circuit, probe } = pass
    const { health, inDoubt, costNanoUsd } =
      charge.status === "charged" ? charge : { health: "unknown", inDoubt: false, costNanoUsd: 0 }
    const doubtNanoUsd = inDoubt && health === "failed" ? costNanoUsd : 0
    const isProof = health === "answered" && pass.failures === circuit.failures
    if (doubtNanoUsd > 0) circuit.fail()
    else if (isProof) circuit.succeed()
    if (probe === undefined) return doubtNanoUsd > 0 ? this.#add(pass, doubtNanoUsd) : undefined
    return this.#settle(pass, probe, doubtNanoUsd, isProof)
  }

  async #settle(
    pass: CircuitPass,
    { reservation, status }: NonNullable<CircuitPass["probe"]>,
    doubtNanoUsd: NanoUsd,
    isProof: boolean,
  ): Promise<void> {
    await quietly(reservation.settle({ nanoUsd: doubtNanoUsd, requests: isProof ? 1 : 0 }))
    if (isProof) await quietly(this.#clear(pass, status))
    pass.circuit.wake()
  }

  /** Counts what a call left in doubt that had reserved nothing here. */
  async #add({ counted }: CircuitPass, doubtNanoUsd: NanoUsd): Promise<void> {
    if (counted === undefined) return
    const amount = { nanoUsd: doubtNanoUsd, requests: 1 }
    const cost = { nanoUsd: doubtNanoUsd, requests: 0 }
    await quietly(this.#counters.run({ subject: counted, amount }, async () => ({ value: undefined, cost })))
  }

  /** After a success, clears what was in doubt, unless more was added since the call was sent. */
  async #clear({ counted, guarded }: CircuitPass, before: CircuitStatus): Promise<void> {
    if (counted === undefined || before.counters.every(({ spentNanoUsd }) => !spentNanoUsd)) return
    const { counters } = circuitStatus(guarded, await this.#counters.status(counted))
    const isUnchanged = counters.every(({ spentNanoUsd, startsAt }, index) => {
      const earlier = before.counters[index]
      return (spentNanoUsd ?? 0) === (startsAt === earlier?.startsAt ? (earlier?.spentNanoUsd ?? 0) : 0)
    })
    if (!isUnchanged) return
    const doubtful = counters.filter(({ spentNanoUsd }) => (spentNanoUsd ?? 0) > 0)
    await Promise.all(doubtful.map(({ scope, window: per }) => this.#counters.reset({ subject: counted, scope, per })))
  }
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

/** A failure to count does not fail the call, whose own settlement is confirmed or repeated by its budget. */
async function quietly(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch {
    // The process is unproven in any case.
  }
}
