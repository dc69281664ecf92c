import type { AnswerModel } from "@p2/core"

/** What `execute` receives in addition to the arguments. */
export interface ToolContext {
  /** The id of the call, as the model sees it. */
  toolCallId: string
  requestId: string
  /** Number of the step in which the model called the tool, from 1. */
  step: number
  /** Fires when the caller aborts, and at the total deadline. */
  signal: AbortSignal
}

/**
 * The price of one tool call, in dollars: a fixed amount, or the actual amount under a maximum. `actual` returns what
 * the call cost, from its result and its arguments.
 */
export type ToolCost<Input = unknown, Output = unknown> =
  | number
  | string
  | { max: number | string; actual: (output: Output, input: Input) => number | string }

/** A function that the model may call. Create it with {@link tool}. */
export interface Tool<Input = unknown, Output = unknown> {
  /** Says when to use the tool, and what it returns. Counted as input of every step. @defaultValue that of `parameters` */
  description?: string | undefined
  /** Schema of the arguments, as for `answerModel`. @defaultValue no arguments */
  parameters?: AnswerModel<Input> | undefined
  /**
   * Runs the tool. Its result is sent to the model: a string as it is, anything else as YAML. If it throws, the model sees the
   * message of the error. Without it, calls of the tool are returned to the caller.
   */
  execute?: ((input: Input, context: ToolContext) => Output) | undefined
  /**
   * What a call costs, in dollars. It is reserved before `execute`, in every budget of the request, and settled afterwards. A
   * call that throws, or does not end, is charged the maximum.
   * @defaultValue free
   */
  cost?: ToolCost<Input, Awaited<Output>> | undefined
  /** The longest result that is sent to the model, in characters. The rest is cut off, and the model is informed. @defaultValue 50000 */
  maxResultLength?: number | undefined
}

/**
 * A function that the model may call, with types from its schema.
 *
 * @example
 * const weather = tool({
 *   description: "The weather in a city",
 *   parameters: z.object({ city: z.string() }),
 *   execute: async ({ city }) => ({ celsius: await measure(city) }),
 * })
 * const client = new LLMClient({ model: "gpt-4o-mini" }, { tools: { weather }, maxSteps: 5 })
 */
export function tool<Input = Record<string, never>, Output = never>(
  definition: Tool<Input, Output>,
): Tool<Input, Output> {
  return definition
}

/** Any tool. */
export interface AnyTool {
  description?: string | undefined
  parameters?: AnswerModel<unknown> | undefined
  execute?: ((input: never, context: ToolContext) => unknown) | undefined
  cost?: ToolCost<never, never> | undefined
  maxResultLength?: number | undefined
}

/** Tools by name: 1 to 64 letters, digits, `_` or `-`. */
export type ToolSet = Readonly<Record<string, AnyTool>>

/** The arguments of a tool. */
export type ToolInput<T> = T extends Tool<infer Input, infer _Output> ? Input : never

/** The result of a tool. */
export type ToolOutput<T> = T extends Tool<infer _Input, infer Output> ? Awaited<Output> : never

/** A call to one of the tools, with valid arguments. */
export type ToolCallOf<Tools extends ToolSet> = {
  [Name in keyof Tools & string]: { id: string; name: Name; input: ToolInput<Tools[Name]> }
}[keyof Tools & string]

/**
 * A call that was answered: by the result of its tool, or by a message that the model saw in its place. `failed`: the tool
 * threw. `invalid`: the tool does not exist, or its arguments do not fit; `input` is what the model wrote. `denied`: the
 * budget does not cover the tool's cost.
 */
export type ToolResultOf<Tools extends ToolSet> =
  | {
      [Name in keyof Tools & string]:
        | {
            status: "succeeded"
            id: string
            name: Name
            input: ToolInput<Tools[Name]>
            output: ToolOutput<Tools[Name]>
          }
        | { status: "failed" | "denied"; id: string; name: Name; input: ToolInput<Tools[Name]>; error: unknown }
    }[keyof Tools & string]
  | { status: "invalid"; id: string; name: string; input: string; error: unknown }

/** Which tools the model may or must call. Applies to the first step, except `none`, which applies to all. */
export type ToolChoice<Tools extends ToolSet | undefined = ToolSet> =
  | "auto"
  | "none"
  | "required"
  | { tool: Tools extends ToolSet ? keyof Tools & string : string }
