import type { Message, P2Error } from "@p2/core"
import type { AttemptSettings, GenerateCall, Remaining } from "../generate/generate-call"
import type { Verdict } from "../generate/judge-answer"
import type { ToolReceipt } from "../receipt"
import { type CheckedCall, sentArguments } from "./compiled-tools"
import { runTools, type ToolOutcome } from "./run-tools"
import type { ToolCallOf, ToolResultOf, ToolSet } from "./tool"
import { writtenBy } from "./tool-messages"

/**
 * How a step in which the model called tools ended. `failed`: a call ended the request. `run`: every call that can run has a
 * result, which may be an error. `pending` are the calls that are returned to the caller; without any, the next step begins.
 */
type StepOutcome = { receipts: readonly ToolReceipt[] } & (
  | { status: "failed"; error: P2Error }
  | {
      status: "run"
      /** The message of the model with its calls, then their results. */
      messages: readonly Message[]
      results: readonly ToolResultOf<ToolSet>[]
      pending: ToolCallOf<ToolSet>[]
    }
)

/** Runs the tools that the model called in an attempt. Never rejects. */
export async function runStep(
  call: GenerateCall,
  settings: AttemptSettings,
  verdict: Verdict & { status: "called" },
  remaining: Remaining,
): Promise<StepOutcome> {
  const message = writtenBy(callMessage(verdict), call.routes[settings.routeIndex]!)
  const { pending, runnable } = partCalls(verdict.calls, call, settings)
  const outcomes = await runTools(call, settings, runnable, remaining)
  const receipts = outcomes.map(({ receipt }) => receipt)
  const ended = outcomes.find((outcome) => outcome.status === "ended")
  if (ended !== undefined) return { status: "failed", error: ended.error, receipts }
  const answered = outcomes.filter((outcome) => outcome.status === "answered")
  return {
    status: "run",
    messages: [message, ...answered.map(resultMessage)],
    results: answered.map(({ result }) => result),
    pending: pending.map(({ id, name, input }) => ({ id, name, input: input as never })),
    receipts,
  }
}

/** The calls that are returned to the caller, and those that run or are answered with an error. */
function partCalls(calls: readonly CheckedCall[], { tools }: GenerateCall, { step }: AttemptSettings) {
  const isLast = step >= (tools?.maxSteps ?? 1)
  const isPending = (call: CheckedCall): call is CheckedCall & { status: "valid" } =>
    call.status === "valid" && (isLast || call.tool.execute === undefined)
  return { pending: calls.filter(isPending), runnable: calls.filter((call) => !isPending(call)) }
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

function resultMessage({ result, content }: ToolOutcome & { status: "answered" }): Message {
  return { role: "tool", tool_call_id: result.id, content }
}
