import { AbortedError, P2Error } from "@p2/core"
import { recordDenial } from "../budget/reserve-in-budget"
import { attachReceipt, UnexpectedError } from "../errors"
import { type AttemptReceipt, sumReceipt } from "../receipt"
import { rememberServer } from "./answer-modes"
import { runAttempt } from "./attempt"
import type { AttemptStep, GenerateCall } from "./generate-call"
import { firstStep, nextStep } from "./next-step"
import type { GenerateResult } from "./result"

/**
 * Makes attempts (retries, repairs, fallbacks) under one `maxBudget` and one total deadline, until one returns an answer or
 * no step follows. Never rejects: the result may also be a usage error, with the receipt of the attempts before it.
 */
export async function runAttempts(call: GenerateCall): Promise<GenerateResult<unknown>> {
  const { request, requestId, clock, signal } = call
  const startedAt = clock.now()
  const start = performance.now()
  const attempts: AttemptReceipt[] = []
  const remaining = () => ({
    ms: Math.max(0, request.timeoutMs - (performance.now() - start)),
    nanoUsd: remainingBudget(request.maxBudgetNanoUsd, attempts),
  })
  const sum = () =>
    sumReceipt({ requestId, metadata: request.metadata }, attempts, { startedAt, totalMs: performance.now() - start })
  const fail = async (error: P2Error): Promise<GenerateResult<unknown>> => {
    const last = attempts.at(-1)
    // Every sent attempt has an entry. A request whose attempts were all denied gets one entry.
    if (last !== undefined && attempts.every(({ status }) => status === "denied"))
      await recordDenial(call, last, remaining().ms)
    const receipt = sum()
    return { ok: false, error: attachReceipt(error, receipt), receipt }
  }
  try {
    for (let step: AttemptStep | undefined = firstStep(call); ; ) {
      const outcome = await runAttempt(call, step, remaining())
      attempts.push(outcome.receipt)
      logAttempt(call, outcome.receipt)
      if (outcome.status === "answered") {
        rememberServer(call.routes[step.routeIndex]!, step)
        call.addAnswer(outcome.text)
        return { ok: true, finishReason: "stop", answer: outcome.answer, receipt: sum() }
      }
      step = nextStep(call, step, outcome, remaining())
      if (step === undefined) return await fail(outcome.error)
      // The wait rejects only if the signal fires, which the next line checks.
      if (step.delayMs > 0) await clock.sleep(step.delayMs, signal).catch(() => {})
      if (signal?.aborted) throw new AbortedError("The call", signal)
    }
  } catch (error) {
    return await fail(P2Error.isInstance(error) ? error : new UnexpectedError(error))
  }
}

/** `maxBudget` minus the cost of the attempts; undefined: no limit. */
function remainingBudget(
  maxBudgetNanoUsd: number | undefined,
  attempts: readonly AttemptReceipt[],
): number | undefined {
  if (maxBudgetNanoUsd === undefined) return undefined
  return attempts.reduce((remaining, { costNanoUsd }) => remaining - costNanoUsd, maxBudgetNanoUsd)
}

function logAttempt({ logger }: GenerateCall, receipt: AttemptReceipt): void {
  const { id, model, status, errorCode, costNanoUsd, costSource, timings } = receipt
  const fields = { id, model, status, errorCode, costNanoUsd, costSource, totalMs: timings.totalMs }
  try {
    logger?.[status === "succeeded" ? "debug" : "warn"]?.(`p2: attempt ${status}`, fields)
  } catch {
    // A logger that throws must not lose the answer or the receipt.
  }
}
