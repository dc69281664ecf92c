import { AbortedError, callObserver, type Message, P2Error } from "@p2/core"
import { recordDeniedRequest } from "../budget/reserve-in-budget"
import { attachReceipt, UnexpectedError } from "../errors"
import { type AttemptReceipt, sumReceipt, type ToolReceipt } from "../receipt"
import { runStep } from "../steps/run-step"
import type { ToolCallOf, ToolResultOf, ToolSet } from "../steps/tool"
import { runAttempt } from "./attempt"
import { firstSettings, nextSettings, nextStepSettings, rememberServer } from "./attempt-settings"
import type { GenerateCall, Generated, GenerateResult } from "./generate-call"

/**
 * Makes attempts (retries, repairs, fallbacks) under one `maxBudget` and one total deadline, until one returns an answer or
 * no attempt follows. When the model calls tools, runs them and begins the next step, up to `maxSteps`. Never rejects: the
 * result may also be a usage error, with the receipt of the attempts before it.
 */
export async function runAttempts(call: GenerateCall): Promise<GenerateResult<unknown, ToolSet | undefined>> {
  const { request, requestId, clock, signal, tools } = call
  const startedAt = clock.now()
  const start = performance.now()
  const attempts: AttemptReceipt[] = []
  const toolCalls: ToolReceipt[] = []
  const toolResults: ToolResultOf<ToolSet>[] = []
  /** The tool calls of the steps that have ended, and their results. */
  const stepMessages: Message[] = []
  const remaining = () => ({
    ms: Math.max(0, request.timeoutMs - (performance.now() - start)),
    nanoUsd: remainingBudget(request.maxBudgetNanoUsd, [...attempts, ...toolCalls]),
  })
  const sum = () => {
    const times = { startedAt, totalMs: performance.now() - start }
    return sumReceipt({ requestId, metadata: request.metadata }, { attempts, toolCalls }, times)
  }
  const succeed = (
    result:
      | { finishReason: "stop" | "length"; answer: unknown }
      | { finishReason: "tool-calls"; toolCalls: ToolCallOf<ToolSet>[] },
  ) => {
    const calls = tools === undefined ? {} : { toolCalls: [], toolResults }
    return { ok: true as const, ...calls, ...result, receipt: sum() } as { ok: true } & Generated<unknown, ToolSet>
  }
  const fail = async (error: P2Error) => {
    const last = attempts.at(-1)
    // Every sent attempt has an entry. A request whose attempts were all denied gets one entry.
    if (last !== undefined && attempts.every(({ status }) => status === "denied"))
      await recordDeniedRequest(call, last, remaining().ms)
    // The tools of earlier steps have run, so the next call continues after their results.
    if (stepMessages.length > 0) call.addTurn(stepMessages)
    const receipt = sum()
    return { ok: false as const, error: attachReceipt(error, receipt), receipt }
  }
  try {
    let settings = firstSettings(call, { attempt: call.firstAttempt })
    for (;;) {
      const outcome = await runAttempt(call, settings, remaining())
      attempts.push(outcome.receipt)
      logAttempt(call, outcome.receipt)
      if (outcome.status === "answered" || outcome.status === "called")
        rememberServer(call.routes[settings.routeIndex]!, settings)
      if (outcome.status === "answered") {
        call.addTurn([...stepMessages, { role: "assistant", content: outcome.text }])
        return succeed({ finishReason: outcome.finishReason, answer: outcome.answer })
      }
      if (outcome.status === "called") {
        const step = await runStep(call, settings, outcome, remaining())
        toolCalls.push(...step.receipts)
        for (const receipt of step.receipts) logTool(call, receipt)
        if (step.status === "failed") return await fail(step.error)
        stepMessages.push(...step.messages)
        toolResults.push(...step.results)
        if (step.pending.length > 0) {
          call.addTurn(stepMessages)
          return succeed({ finishReason: "tool-calls", toolCalls: step.pending })
        }
        settings = nextStepSettings(call, settings, step.messages)
        continue
      }
      const next = nextSettings(call, settings, outcome, remaining())
      if (next === undefined) return await fail(outcome.error)
      settings = next
      // The wait rejects only if the signal fires, which the next line checks.
      if (settings.delayMs > 0) await clock.sleep(settings.delayMs, signal).catch(() => {})
      if (signal?.aborted) throw new AbortedError("The call", signal)
    }
  } catch (error) {
    return await fail(P2Error.isInstance(error) ? error : new UnexpectedError(error))
  }
}

/** `maxBudget` minus what was charged; undefined: no limit. */
function remainingBudget(
  maxBudgetNanoUsd: number | undefined,
  charged: readonly { costNanoUsd: number }[],
): number | undefined {
  if (maxBudgetNanoUsd === undefined) return undefined
  return charged.reduce((remaining, { costNanoUsd }) => remaining - costNanoUsd, maxBudgetNanoUsd)
}

function logAttempt(call: GenerateCall, receipt: AttemptReceipt): void {
  if (call.logger === undefined) return
  const { id, model, status, errorCode, costNanoUsd, costSource, timings } = receipt
  const fields = { id, model, status, errorCode, costNanoUsd, costSource, totalMs: timings.totalMs }
  log(call, `p2: attempt ${status}`, fields)
}

function logTool(call: GenerateCall, receipt: ToolReceipt): void {
  const { id, name, status, errorCode, costNanoUsd, costSource, durationMs } = receipt
  log(call, `p2: tool call ${status}`, { id, name, status, errorCode, costNanoUsd, costSource, durationMs })
}

function log({ logger }: GenerateCall, message: string, fields: Record<string, unknown>): void {
  callObserver(() => logger?.[fields.status === "succeeded" ? "debug" : "warn"]?.(message, fields))
}
