import { type CompiledAnswer, cutReasoning, findJson, isRecord, type P2Error, parseJson } from "@p2/core"
import type { CalledTool, ChatCompletion } from "@p2/guard/protocols"
import {
  AnswerEmptyError,
  AnswerRefusedError,
  AnswerTruncatedError,
  ContentFilteredError,
  ProviderError,
} from "../errors"
import { type CheckedCall, type CompiledTools, checkCalls } from "../steps/compiled-tools"
import type { AttemptPlan, GenerateCall } from "./generate-call"

/**
 * What the model returned. `answered`: an answer; `length`: a text answer that ended at the output limit. `called`: tool calls,
 * with the fields of reasoning that the provider requires in the next step. `failed`: neither, for this reason. `text` is what
 * the model wrote, without reasoning: in the mode `tool` the arguments of the answer's call.
 */
export type Verdict = { text: string } & (
  | { status: "answered"; answer: unknown; finishReason: "stop" | "length" }
  | { status: "called"; calls: readonly CheckedCall[]; reasoning: Readonly<Record<string, unknown>> }
  | { status: "failed"; error: P2Error }
)

/** Checks and parses what arrived. Never rejects: an error of the user's schema is an `InvalidAnswerError`. */
export async function judgeAnswer(
  { compiled, tools, request }: GenerateCall,
  { route, maxTokens, settings }: AttemptPlan,
  completion: ChatCompletion,
): Promise<Verdict> {
  const { refusal, answerEnd } = completion
  if (tools !== undefined && refusal === "") {
    const called = completion.toolCalls.filter(({ name }) => name !== compiled?.name)
    if (called.length > 0 && (answerEnd === "complete" || answerEnd === "truncated"))
      return judgeCalls(called, tools, settings.step, completion, maxTokens)
  }
  if (answerEnd === "complete" && refusal === "" && compiled !== undefined)
    return parseAnswer(completion.texts, compiled)
  const text = cutReasoning(completion.text)
  const failed = (error: P2Error): Verdict => ({ status: "failed", error, text })
  if (refusal !== "") return failed(new AnswerRefusedError(refusal))
  switch (answerEnd) {
    case "filtered":
      return failed(new ContentFilteredError())
    case "failed": {
      const { finishReason: providerCode } = completion
      const provider = route.provider.name
      return failed(new ProviderError({ code: "provider-error", provider, providerCode, retryable: true }))
    }
    case "truncated": {
      if (compiled === undefined && request.onTruncated === "return" && text.trim() !== "")
        return { status: "answered", answer: text, text, finishReason: "length" }
      // An object is complete if only white space after it was cut off.
      const isWhole = compiled !== undefined && parseJson(text) !== undefined
      const verdict = isWhole ? await parseAnswer([text], compiled) : undefined
      return verdict?.status === "answered" ? verdict : failed(new AnswerTruncatedError(maxTokens, text))
    }
    case "complete":
      return text.trim() === ""
        ? failed(new AnswerEmptyError())
        : { status: "answered", answer: text, text, finishReason: "stop" }
  }
}

/**
 * Checks the calls of tools. In the last step they are returned to the caller, so that a call that does not fit fails like an
 * answer, and is repaired.
 */
async function judgeCalls(
  called: readonly CalledTool[],
  tools: CompiledTools,
  step: number,
  { content, reasoning, answerEnd }: ChatCompletion,
  maxTokens: number,
): Promise<Verdict> {
  const text = cutReasoning(content)
  if (answerEnd === "truncated") return { status: "failed", error: new AnswerTruncatedError(maxTokens, text), text }
  const calls = await checkCalls(called, tools, step)
  const invalid = step < tools.maxSteps ? undefined : calls.find((call) => call.status === "invalid")
  if (invalid?.status === "invalid")
    return { status: "failed", error: invalid.error, text: `${invalid.name}(${invalid.arguments})` }
  return { status: "called", calls, text, reasoning }
}

/** Maximum number of values in an answer that are tried. */
const MAX_VALUES = 100

/**
 * Parses the last JSON value that fits the schema. Models and servers put prose, a code fence or reasoning around the
 * answer, encode it twice, or write the tool call as content. If no value fits, the error is that of the longest one.
 */
async function parseAnswer(texts: readonly string[], compiled: CompiledAnswer<unknown>): Promise<Verdict> {
  const [first = ""] = texts
  const whole = await compiled.parseAsync(first)
  if (whole.ok && argumentsIn(first, compiled.name).length === 0)
    return { status: "answered", answer: whole.answer, text: first, finishReason: "stop" }
  let error = whole.ok ? undefined : whole.error
  // If the whole text is JSON, no other value is longer.
  let longest = error?.reason === "json" ? 0 : first.length
  const values = texts.flatMap((text) => valuesIn(text, compiled.name))
  for (const value of values.slice(0, MAX_VALUES)) {
    // A check of the schema that threw is a bug in the schema, so no other value is tried.
    if (error?.reason === "code") break
    if (value === first && !whole.ok) continue
    const result = await compiled.parseAsync(value)
    if (result.ok) return { status: "answered", answer: result.answer, text: value, finishReason: "stop" }
    if (value.length > longest || result.error.reason === "code") [longest, error] = [value.length, result.error]
  }
  const text = cutReasoning(first)
  return { status: "failed", error: text.trim() === "" || error === undefined ? new AnswerEmptyError() : error, text }
}

/** The JSON values in the text of an answer, the most likely first. */
function valuesIn(text: string, toolName: string): string[] {
  return findJson(text).flatMap((json) => [
    ...argumentsIn(json, toolName),
    json,
    ...decoded(json, toolName),
    ...unwrapped(json, toolName),
  ])
}

/** Wrappers that models put around an answer, other than the name of its tool. */
const WRAPPERS: readonly string[] = [
  ...["answer", "final_answer", "result", "response", "output", "data", "json"],
  ...["arguments", "parameters", "input", "properties"],
]

/** Keys under which models write their reasoning next to an answer. */
const REASONING = /^(?:thinking|thoughts?|reasoning|rationale|explanation|analysis|thought_process|chain_of_thought)$/

/** The value inside a list or an object that otherwise contains only reasoning: `[{…}]`, `{"answer":{…}}`. */
function unwrapped(json: string, toolName: string): string[] {
  const value = parseJson(json)
  const [[key, inner] = [], ...others] = Object.entries(Object(value) as object).filter(
    ([name]) => !REASONING.test(name),
  )
  if (typeof value === "string" || key === undefined || others.length > 0) return []
  if (!Array.isArray(value) && key !== toolName && !WRAPPERS.includes(key)) return []
  return typeof inner === "string" ? findJson(inner) : isRecord(inner) ? [JSON.stringify(inner)] : []
}

/**
 * The arguments in a tool call that is written as content: `{"name":"answer","arguments":{…}}`, a list with it, or
 * `{"tool_calls":[…]}`.
 */
function argumentsIn(json: string, toolName: string): string[] {
  if (!/"(?:arguments|parameters|input)"/.test(json)) return []
  const value = parseJson(json)
  const [call] = [isRecord(value) ? (value.tool_calls ?? value) : value].flat() as unknown[]
  if (!isRecord(call)) return []
  const holder = isRecord(call.function) ? call.function : call
  const given = holder.arguments ?? holder.parameters ?? holder.input
  if (holder.name !== toolName || given === undefined) return []
  return typeof given === "string" ? findJson(given) : [JSON.stringify(given)]
}

/** The values in a JSON string that contains JSON. */
function decoded(json: string, toolName: string): string[] {
  if (!json.startsWith('"')) return []
  const inner = parseJson(json)
  return typeof inner === "string" ? valuesIn(inner, toolName) : []
}
