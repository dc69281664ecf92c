import type { NanoUsd } from "@p2/core"
import type { GuardAttempt } from "@p2/guard"

/** What the calls of one model cost. */
export interface ModelTotals {
  provider: string
  model: string
  calls: number
  inputTokens: number
  outputTokens: number
  costNanoUsd: NanoUsd
}

/** Calls that were answered with an error and not sent, with its message. */
export interface RejectedCalls {
  message: string
  calls: number
}

/** Maximum number of different messages; further ones count as the last one. */
const MAX_MESSAGES = 20

/** What the calls of a run cost, as the proxy settled them. */
export class RunTotals {
  readonly #models = new Map<string, ModelTotals>()
  readonly #rejected = new Map<string, number>()
  calls = 0
  costNanoUsd: NanoUsd = 0
  /** Sent, and their cost is unknown: charged by a rule. */
  inDoubtCalls = 0
  inDoubtNanoUsd: NanoUsd = 0
  /** Not sent, because a limit denied them. */
  denied = 0
  /** The providers of these calls. */
  readonly deniedProviders = new Set<string>()
  /** The message of the last denial, because programs do not always show it. */
  lastDenial: string | undefined

  /** Counts an attempt. A background response that continues is counted when it ends. */
  add({ status, provider, model, costNanoUsd, inDoubt, inputTokens = 0, outputTokens = 0 }: GuardAttempt): void {
    if (status === "denied") {
      this.denied++
      this.deniedProviders.add(provider)
    }
    if (status === "denied" || status === "released" || status === "continued") return
    this.calls++
    this.costNanoUsd += costNanoUsd
    if (inDoubt) {
      this.inDoubtCalls++
      this.inDoubtNanoUsd += costNanoUsd
    }
    const key = `${provider}\n${model}`
    const totals = this.#models.get(key) ?? {
      ...{ provider, model, calls: 0, inputTokens: 0, outputTokens: 0, costNanoUsd: 0 },
    }
    totals.calls++
    totals.inputTokens += inputTokens
    totals.outputTokens += outputTokens
    totals.costNanoUsd += costNanoUsd
    this.#models.set(key, totals)
  }

  /** Counts a call that the proxy answered itself. */
  reject(message: string): void {
    const isFull = this.#rejected.size >= MAX_MESSAGES && !this.#rejected.has(message)
    const key = isFull ? [...this.#rejected.keys()].at(-1)! : message
    this.#rejected.set(key, (this.#rejected.get(key) ?? 0) + 1)
  }

  /** The most expensive model first. */
  get models(): ModelTotals[] {
    return [...this.#models.values()].sort((a, b) => b.costNanoUsd - a.costNanoUsd)
  }

  get rejected(): RejectedCalls[] {
    return [...this.#rejected].map(([message, calls]) => ({ message, calls }))
  }
}
