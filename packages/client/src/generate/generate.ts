import { AbortedError, P2Error } from "@p2/core"
import { recordDenial } from "../budget/reserve-call"
import { UnexpectedError } from "../errors"
import { type AttemptReceipt, type Receipt, sumReceipt } from "../receipt"
import { rememberMode } from "./answer-modes"
import { type GenerateCall, runAttempt } from "./attempt"
import { type AttemptStep, firstStep, nextStep } from "./next-step"

/** How a call ended. */
export type GenerateOutcome = { receipt: Receipt } & (
  | { status: "answered"; answer: unknown; text: string }
  | { status: "failed"; error: P2Error }
)

/**
 * Makes attempts (retries, repairs, fallbacks) under one `maxBudget` and one total deadline, until one is answered or
 * none may follow. Never rejects: usage errors are in the outcome too, with the receipt of the attempts before.
 */
export async function generate(call: GenerateCall): Promise<GenerateOutcome> {
  const { request, routes, clock, signal } = call
  const epochStart = clock.now()
  const start = performance.now()
  const attempts: AttemptReceipt[] = []
  const remainingMs = () => Math.max(0, request.timeoutMs - (performance.now() - start))
  const receipt = () =>
    sumReceipt({ requestId: call.requestId, metadata: request.metadata }, attempts, {
      startedAt: epochStart,
      totalMs: performance.now() - start,
    })
  const fail = async (error: P2Error): Promise<GenerateOutcome> => {
    const last = attempts.at(-1)
    // Attempts that were sent have entries. A request that was only denied is recorded once.
    if (last !== undefined && attempts.every(({ status }) => status === "denied"))
      await recordDenial(call.callBudget, call.requestId, last, { signal, remainingMs: remainingMs() })
    return { status: "failed", error, receipt: receipt() }
  }
  try {
    for (let step: AttemptStep | undefined = firstStep(routes[0]!, call.compiled !== undefined); ; ) {
      const {
        prompt,
        outcome,
        receipt: attempt,
      } = await runAttempt(call, step, {
        ms: remainingMs(),
        nanoUsd: remainingBudget(request.maxBudgetNanoUsd, attempts),
      })
      attempts.push(attempt)
      logAttempt(call, attempt)
      if (outcome.status === "answered") {
        rememberMode(prompt.route, prompt.mode)
        return { ...outcome, receipt: receipt() }
      }
      step = nextStep(outcome, {
        step,
        prompt,
        routes,
        maxTokens: attempt.maxTokens,
        signal,
        remainingMs: remainingMs(),
        remainingNanoUsd: remainingBudget(request.maxBudgetNanoUsd, attempts),
        random: () => clock.random(),
      })
      if (step === undefined) return await fail(outcome.error)
      // Rejects only when the signal fires.
      if (step.delayMs > 0) await clock.sleep(step.delayMs, signal).catch(() => {})
      if (signal?.aborted) throw new AbortedError("The call", signal)
    }
  } catch (error) {
    return await fail(P2Error.isInstance(error) ? error : new UnexpectedError(error))
  }
}

/** What the attempts have not spent of `maxBudget`; undefined: no limit. */
function remainingBudget(
  maxBudgetNanoUsd: number | undefined,
  attempts: readonly AttemptReceipt[],
): number | undefined {
  if (maxBudgetNanoUsd === undefined) return undefined
  return attempts.reduce((remaining, { costNanoUsd }) => remaining - costNanoUsd, maxBudgetNanoUsd)
}

function logAttempt({ logger }: GenerateCall, attempt: AttemptReceipt): void {
  const { id, model, status, errorCode, costNanoUsd, costSource, timings } = attempt
  const fields = { id, model, status, errorCode, costNanoUsd, costSource, totalMs: timings.totalMs }
  try {
    logger?.[status === "succeeded" ? "debug" : "warn"]?.(`p2: attempt ${status}`, fields)
  } catch {
    // A logger that throws must not lose the answer or the receipt.
  }
}
