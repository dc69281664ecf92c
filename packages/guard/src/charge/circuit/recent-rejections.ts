import type { Budget, ReserveOptions } from "@p2/budget"
import { LruMap } from "@p2/core"
import { CircuitOpenError } from "./circuit-open-error"

/** How long a rejection is repeated. Another process may close the circuit earlier than the rejection says. */
const REPEAT_MS = 5_000
const MAX_REJECTIONS = 1_000
/** A longer subject, which may be hostile, is not remembered. */
const MAX_KEY_LENGTH = 4_096

/** The fields of a request that decide its rejection. */
export type RejectedRequest = Pick<ReserveOptions, "subject" | "limits" | "amount"> & {
  budget: Budget
  provider: string
  model: string
}

interface Rejection {
  error: CircuitOpenError
  at: number
  boundNanoUsd: number
}

/** Repeats a rejection for a few seconds, so that a caller who retries neither loads the store nor fills the ledger. */
export class RecentRejections {
  readonly #now: () => number
  readonly #ofBudgets = new WeakMap<Budget, LruMap<string, Rejection>>()

  constructor(now: () => number) {
    this.#now = now
  }

  add(request: RejectedRequest, error: CircuitOpenError): void {
    const { budget } = request
    const key = keyOf(request)
    if (key.length > MAX_KEY_LENGTH) return
    const rejections = this.#ofBudgets.get(budget) ?? new LruMap<string, Rejection>(MAX_REJECTIONS)
    this.#ofBudgets.set(budget, rejections)
    rejections.set(key, { error, at: this.#now(), boundNanoUsd: boundOf(request) })
  }

  /** The rejection of a call that costs at least as much as a rejected one. */
  find(request: RejectedRequest): CircuitOpenError | undefined {
    const rejection = this.#ofBudgets.get(request.budget)?.get(keyOf(request))
    if (rejection === undefined || !(boundOf(request) >= rejection.boundNanoUsd)) return undefined
    const { error, at } = rejection
    const elapsedMs = this.#now() - at
    if (elapsedMs >= Math.min(REPEAT_MS, error.retryAfterMs)) return undefined
    const { provider, model, inDoubtNanoUsd, limitNanoUsd } = error
    const retryAfterMs = Math.ceil(error.retryAfterMs - elapsedMs)
    return new CircuitOpenError({ provider, model, inDoubtNanoUsd, limitNanoUsd, retryAfterMs })
  }
}

function keyOf({
  subject: { requestId: _requestId, ...subject } = {},
  limits,
  provider,
  model,
}: RejectedRequest): string {
  return JSON.stringify([provider, model, subject, limits])
}

function boundOf({ amount }: RejectedRequest): number {
  // Other forms of an amount are not compared: the store decides.
  return typeof amount === "object" ? (amount.nanoUsd ?? Number.NaN) : Number.NaN
}
