import type { ErrorWithReceipt } from "../errors"
import type { Receipt } from "../receipt"
import type { ToolCallOf, ToolResultOf, ToolSet } from "../steps/tool"

/**
 * The result of a call that did not fail. `finishReason` is `length` if a text answer ended at `maxTokens`. With tools
 * it is `tool-calls` if the model called tools that were not run, because they have no `execute` or `maxSteps` was
 * reached: there is no answer yet, and the conversation ends with the calls. Add their results with
 * `client.msg.addToolResult(id, result)`, and call again.
 */
export type Generated<Answer, Tools extends ToolSet | undefined = undefined> = Tools extends ToolSet
  ? {
      /** The calls that were not run; empty if there is an answer. */
      toolCalls: ToolCallOf<Tools>[]
      /** The calls that were answered, in order. */
      toolResults: ToolResultOf<Tools>[]
      receipt: Receipt
    } & ({ finishReason: "stop" | "length"; answer: Answer } | { finishReason: "tool-calls"; answer?: undefined })
  : { finishReason: "stop" | "length"; answer: Answer; receipt: Receipt }

/** The result of a call. `error.code` narrows `error` to its fields. */
export type GenerateResult<Answer, Tools extends ToolSet | undefined = undefined> =
  | ({ ok: true } & Generated<Answer, Tools>)
  | { ok: false; error: ErrorWithReceipt; receipt: Receipt }
