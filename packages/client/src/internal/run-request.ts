import { AbortedError, InvalidAnswerError, type Message, P2Error } from "@p2/core"
import { AnswerEmptyError, AnswerTruncatedError, DeadlineExceededError, ProviderError } from "../client-errors"
import type { AnswerMode, AttemptReason, AttemptReceipt, Receipt } from "../receipt"
import { firstMode, nextMode } from "./answer-modes"
import { blankReceipt } from "./attempt"
import { type Ask, inputOf } from "./chat-body"
import { DeadlineRace } from "./deadline-race"
import { tokensWithin } from "./estimate"
import { foldReceipt } from "./fold-receipt"
import { noteMode } from "./mode-memory"
import { FLOOR_MAX_TOKENS, planAttempt } from "./plan-attempt"
import { refusesMode } from "./provider-failure"
import { repairNotes } from "./repair-notes"
import { retryDelayMs } from "./retry-delay"
import { type AttemptOutcome, type Failure, runAttempt } from "./run-attempt"
import type { RunSetting } from "./run-setting"
import { entryOf } from "./usage-entry"

export type RunResult = ({ ok: true; answer: unknown; text: string } | { ok: false; error: P2Error }) & {
  receipt: Receipt
}

/** Runs a request to its end: attempts, retries, repairs, fallbacks, under one `maxBudget` and one total deadline. */
export function runRequest(setting: RunSetting): Promise<RunResult> {
  return new RequestRun(setting).run()
}

/** Why, and after how long, there is another attempt after one that was no success; undefined: there is none. */
type Next = { reason: AttemptReason; delayMs?: number } | undefined

class RequestRun {
  readonly #setting: RunSetting
  readonly #startedAt = performance.now()
  readonly #startedAtEpoch: number
  readonly #attempts: AttemptReceipt[] = []
  #routeIndex = 0
  #mode: AnswerMode
  #reason: AttemptReason = "first"
  /** Notes of repairs, for the model that made the mistake. */
  #notes: Message[] = []
  #failures = 0
  #repairs = 0
  #maxTokens: number | undefined
  #narrowed = false

  constructor(setting: RunSetting) {
    this.#setting = setting
    this.#startedAtEpoch = setting.clock.now()
    this.#mode = firstMode(setting.routes[0]!, setting.compiled !== undefined)
  }

  async run(): Promise<RunResult> {
    for (;;) {
      const ask = this.#ask()
      const outcome = await this.#attempt(ask)
      if (outcome.ok) {
        if (ask.mode !== "text") noteMode(ask.route.modeKey, ask.mode)
        return this.#end(outcome)
      }
      const next = "left" in outcome ? this.#afterRefusal(ask, outcome) : this.#afterFailure(ask, outcome)
      if (next === undefined) return this.#end(outcome)
      this.#reason = next.reason
      const { clock, signal } = this.#setting
      // Rejects only when the signal fires, which is looked at next.
      if (next.delayMs) await clock.sleep(next.delayMs, signal).catch(() => {})
      if (signal?.aborted) return this.#end({ ok: false, error: new AbortedError("The call", signal) })
    }
  }

  #ask(): Ask {
    const { request, routes, messages, compiled } = this.#setting
    return {
      request,
      route: routes[this.#routeIndex]!,
      messages: this.#notes.length === 0 ? messages : [...messages, ...this.#notes],
      compiled,
      mode: this.#mode,
    }
  }

  async #attempt(ask: Ask): Promise<AttemptOutcome> {
    const { request, budget, subject, signal, stream } = this.#setting
    const race = new DeadlineRace(signal)
    race.start("total", request.timeoutMs, { inMs: this.#leftMs() })
    let abortTransport = true
    try {
      const plan = this.#plan(ask, this.#maxTokens)
      const receipt = blankReceipt(this.#setting, ask, {
        attempt: this.#attempts.length + 1,
        reason: this.#reason,
        maxTokens: plan.ok ? plan.maxTokens : (request.maxTokens ?? 0),
        streamed: stream || (plan.ok && plan.mustStream),
      })
      this.#attempts.push(receipt)
      const startedAt = performance.now()
      const outcome = plan.ok ? await runAttempt({ run: this.#setting, ask, plan, race, receipt, startedAt }) : plan
      if (!outcome.ok) receipt.errorCode ??= outcome.error.code
      if ("left" in outcome) {
        receipt.status = "refused"
        // Statistics never stand in the way of a refusal, nor does a store that hangs.
        await race.race(budget.usage.record(receipt.id, entryOf(ask, receipt), { subject })).catch(() => {})
      } else abortTransport = !outcome.ok
      this.#log(receipt)
      return outcome
    } finally {
      race.finish({ abortTransport })
    }
  }

  /** A model whose cost has no bound (a fallback of `:nitro`, say) is refused like one that does not fit. */
  #plan(ask: Ask, maxTokens: number | undefined): ReturnType<typeof planAttempt> {
    try {
      return planAttempt(ask, { maxTokens, leftNanoUsd: this.#leftNanoUsd() })
    } catch (error) {
      if (P2Error.isInstance(error)) return { ok: false, error, left: undefined }
      throw error
    }
  }

  /** Once, where nobody said how long the answer may be: ask for what the refusing scope has left. */
  #afterRefusal(ask: Ask, { left }: Failure): Next {
    if (this.#narrowed || ask.request.maxTokens !== undefined || left === undefined) return this.#orFallback()
    const input = inputOf(ask)
    const fits = tokensWithin(left, ask.route, input)
    if (fits < FLOOR_MAX_TOKENS || fits >= this.#last.maxTokens) return this.#orFallback()
    this.#narrowed = true
    this.#maxTokens = fits
    return { reason: this.#reason }
  }

  #afterFailure(ask: Ask, { error, text }: Failure): Next {
    const { request, signal } = this.#setting
    if (signal?.aborted || (error instanceof DeadlineExceededError && error.deadline === "total")) return undefined
    // Nothing was sent, for no fault of the model's: another attempt needs the store too.
    if (text === undefined) return undefined
    if (error instanceof ProviderError && refusesMode(error, ask.mode)) {
      const mode = nextMode(ask.route, ask.mode)
      if (mode !== undefined) {
        this.#mode = mode
        return { reason: "mode" }
      }
    }
    if (error instanceof InvalidAnswerError || error instanceof AnswerEmptyError) return this.#repair(error, text)
    if (error instanceof AnswerTruncatedError) return this.#longer(ask)
    if (/^(answer-refused|content-filtered)$/.test(error.code)) return undefined
    if (error.retryable && this.#failures < request.retries) {
      this.#failures++
      const retryAfterMs = error instanceof ProviderError ? error.retryAfterMs : undefined
      const delayMs = retryDelayMs(this.#failures, retryAfterMs, this.#setting.clock.random())
      // What comes back later than the deadline need not be waited for.
      if (delayMs !== undefined && delayMs < this.#leftMs()) return { reason: "retry", delayMs }
    }
    return this.#orFallback()
  }

  #repair(error: InvalidAnswerError | AnswerEmptyError, text: string): Next {
    // A refinement that threw will throw again: the answer is not to blame.
    if (error instanceof InvalidAnswerError && error.reason === "code") return undefined
    if (this.#repairs >= this.#setting.request.repairs) return this.#orFallback()
    this.#repairs++
    this.#notes = error instanceof InvalidAnswerError ? repairNotes(text, error) : []
    return { reason: "repair" }
  }

  /** A cut answer is only asked for again with more room, which a given `maxTokens` forbids. */
  #longer(ask: Ask): Next {
    const { request } = this.#setting
    const { maxTokens } = this.#last
    if (request.maxTokens !== undefined || this.#repairs >= request.repairs) return this.#orFallback()
    const wanted = maxTokens * 4
    const plan = this.#plan(ask, wanted)
    if (!plan.ok || plan.maxTokens <= maxTokens) return this.#orFallback()
    this.#repairs++
    this.#maxTokens = wanted
    return { reason: "longer" }
  }

  /** Goes on with the next model, where there is one. */
  #orFallback(): Next {
    const { routes, compiled } = this.#setting
    const route = routes[this.#routeIndex + 1]
    if (route === undefined) return undefined
    this.#routeIndex++
    this.#mode = firstMode(route, compiled !== undefined)
    this.#notes = []
    this.#failures = 0
    this.#maxTokens = undefined
    this.#narrowed = false
    return { reason: "fallback" }
  }

  /** Of `maxBudget`; undefined: no limit. */
  #leftNanoUsd(): number | undefined {
    const { maxBudgetNanoUsd } = this.#setting.request
    if (maxBudgetNanoUsd === undefined) return undefined
    return this.#attempts.reduce((left, { costNanoUsd }) => left - costNanoUsd, maxBudgetNanoUsd)
  }

  #leftMs(): number {
    return Math.max(0, this.#setting.request.timeoutMs - (performance.now() - this.#startedAt))
  }

  /** The attempt that was made last. */
  get #last(): AttemptReceipt {
    return this.#attempts.at(-1)!
  }

  #end<Outcome extends object>(outcome: Outcome): Outcome & { receipt: Receipt } {
    const { requestId, request } = this.#setting
    const totalMs = performance.now() - this.#startedAt
    return Object.assign(outcome, {
      receipt: foldReceipt({ requestId, metadata: request.metadata }, this.#attempts, this.#startedAtEpoch, totalMs),
    })
  }

  #log({ id, model, status, errorCode, costNanoUsd, costSource, timings }: AttemptReceipt): void {
    const { logger } = this.#setting
    const fields = { id, model, status, errorCode, costNanoUsd, costSource, totalMs: timings.totalMs }
    try {
      logger?.[status === "succeeded" ? "debug" : "warn"]?.(`p2: attempt ${status}`, fields)
    } catch {
      // A logger that throws takes neither the answer nor the receipt.
    }
  }
}
