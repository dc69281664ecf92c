import { AbortedError, callObserver, type Message, P2Error } from "@p2/core"
import { recordDenial } from "../budget/reserve-in-budget"
import { attachReceipt, UnexpectedError } from "../errors"
import { type AttemptReceipt, sumReceipt, type ToolReceipt } from "../receipt"
import { type CheckedCall, sentArguments } from "../steps/compiled-tools"
import { runTools, type ToolOutcome } from "../steps/run-tools"
import type { ToolCallOf, ToolResultOf, ToolSet } from "../steps/tool"
import { writtenBy } from "../steps/tool-messages"
import { runAttempt } from "./attempt"
import { firstSettings, nextSettings, rememberServer } from "./attempt-settings"
import type { AttemptSettings, GenerateCall, Generated, GenerateResult } from "./generate-call"
import type { Verdict } from "./judge-answer"

/**
 * Makes attempts (retries, repairs, fallbacks) under one `maxBudget` and one total deadline, until one returns an answer or
 * no attempt follows. When the model calls tools, runs them and begins the next step, up to `maxSteps`. Never rejects: the
 * result may also be a usage error, with the receipt of the attempts before it.
 */
export async function runAttempts(firstCall: GenerateCall): Promise<GenerateResult<unknown, ToolSet | undefined>> {
  const { request, requestId, clock, signal, tools } = firstCall
  const startedAt = clock.now()
  const start = performance.now()
  const attempts: AttemptReceipt[] = []
  const toolCalls: ToolReceipt[] = []
  const toolResults: ToolResultOf<ToolSet>[] = []
  /** The messages of the steps that have ended. */
  const turn: Message[] = []
  const remaining = () => ({
    ms: Math.max(0, request.timeoutMs - (performance.now() - start)),
    nanoUsd: remainingBudget(request.maxBudgetNanoUsd, [...attempts, ...toolCalls]),
  })
  const sum = () => {
    const times = { startedAt, totalMs: performance.now() - start }
    return sumReceipt({ requestId, metadata: request.metadata }, { attempts, toolCalls }, times)
  }
  const end = (result: { finishReason: "stop" | "length"; answer: unknown } | PendingCalls) => {
    const calls = tools === undefined ? {} : { toolCalls: [], toolResults }
    return { ok: true as const, ...calls, ...result, receipt: sum() } as { ok: true } & Generated<unknown, ToolSet>
  }
  const fail = async (error: P2Error) => {
    const last = attempts.at(-1)
    // Every sent attempt has an entry. A request whose attempts were all denied gets one entry.
    if (last !== undefined && attempts.every(({ status }) => status === "denied"))
      await recordDenial(firstCall, last, remaining().ms)
    // The tools of earlier steps have run, so that the next call continues after their results.
    if (turn.length > 0) firstCall.addTurn(turn)
    const receipt = sum()
    return { ok: false as const, error: attachReceipt(error, receipt), receipt }
  }
  try {
    let call = firstCall
    for (let settings: AttemptSettings | undefined = firstSettings(call, { attempt: call.firstAttempt }); ; ) {
      const outcome = await runAttempt(call, settings, remaining())
      attempts.push(outcome.receipt)
      logAttempt(call, outcome.receipt)
      if (outcome.status === "answered" || outcome.status === "called")
        rememberServer(call.routes[settings.routeIndex]!, settings)
      if (outcome.status === "answered") {
        call.addTurn([...turn, { role: "assistant", content: outcome.text }])
        return end({ finishReason: outcome.finishReason, answer: outcome.answer })
      }
      if (outcome.status === "called") {
        const { pending, runnable } = partCalls(outcome.calls, call)
        const outcomes = await runTools(call, settings.attempt, runnable, remaining())
        for (const { receipt } of outcomes) {
          toolCalls.push(receipt)
          logTool(call, receipt)
        }
        const ended = outcomes.find((each) => each.status === "ended")
        if (ended?.status === "ended") return await fail(ended.error)
        const message = writtenBy(callMessage(outcome), call.routes[settings.routeIndex]!)
        turn.push(message, ...outcomes.flatMap(resultMessage))
        toolResults.push(...outcomes.flatMap((each) => (each.status === "answered" ? [each.result] : [])))
        if (pending.length > 0) {
          call.addTurn(turn)
          return end({ finishReason: "tool-calls", toolCalls: pending.map(typedCall) })
        }
        call = { ...call, step: call.step + 1, messages: [...firstCall.messages, ...turn] }
        settings = {
          ...firstSettings(call, { routeIndex: settings.routeIndex, attempt: settings.attempt + 1 }),
          reason: "tools",
        }
        continue
      }
      settings = nextSettings(call, settings, outcome, remaining())
      if (settings === undefined) return await fail(outcome.error)
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

interface PendingCalls {
  finishReason: "tool-calls"
  toolCalls: ToolCallOf<ToolSet>[]
}

type ValidCall = CheckedCall & { status: "valid" }

/** The calls that are returned to the caller, and those that run or are answered with an error. */
function partCalls(calls: readonly CheckedCall[], { tools, step }: GenerateCall) {
  const isLast = step >= (tools?.maxSteps ?? 1)
  const isPending = (call: CheckedCall): call is ValidCall =>
    call.status === "valid" && (isLast || call.tool.execute === undefined)
  return { pending: calls.filter(isPending), runnable: calls.filter((call) => !isPending(call)) }
}

function typedCall({ id, name, input }: ValidCall): ToolCallOf<ToolSet> {
  return { id, name, input: input as never }
}

function callMessage({ text, calls, reasoning }: Verdict & { status: "called" }): Message {
  return {
    role: "assistant",
    content: text === "" ? null : text,
    ...reasoning,
    tool_calls: calls.map(({ id, name, arguments: written, extraContent }) => ({
      id,
      type: "function",
      function: { name, arguments: sentArguments(written) },
      ...(extraContent === undefined ? {} : { extra_content: extraContent }),
    })),
  }
}

function resultMessage(outcome: ToolOutcome): Message[] {
  if (outcome.status === "ended") return []
  return [{ role: "tool", tool_call_id: outcome.result.id, content: outcome.content }]
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
