import { isRecord } from "@p2/core"
import { camelKeys } from "../../protocols/gemini/camel-keys"
import type { PricedCall, ProviderCall } from "../../protocols/protocol"
import { words } from "../../protocols/variants/body-fields"

type Body = Readonly<Record<string, unknown>>

/** A request for the count of a prompt, at a free endpoint of the provider. */
export interface CountRequest {
  url: URL
  body: Body
  /** The body without the list to which a conversation appends its turns. */
  head: Body
  turns: readonly unknown[]
  /** Additional turns only append to the prompt. False: the provider may drop earlier turns. */
  appends: boolean
  /** A call of the same wire format that has only these turns. */
  callWith(turns: readonly unknown[]): ProviderCall
  /** The field of the answer that contains the count. */
  countField: string
}

/**
 * The request that counts the input of a call. Undefined: no endpoint counts it as it is billed. Tools that the provider runs are counted
 * for the first pass at Anthropic (https://platform.claude.com/docs/en/build-with-claude/token-counting, 2026-11), without the definitions
 * that a search for tools adds later, and no source says how OpenAI counts them.
 */
export function countRequestOf(call: ProviderCall, described: PricedCall): CountRequest | undefined {
  if (call.body.kind !== "json" || described.input.prompt?.passes !== 1) return undefined
  switch (described.provider) {
    case "anthropic":
      return anthropicRequest(call, call.body.value)
    case "openai":
      return openaiRequest(call, call.body.value)
    case "gemini":
    case "google":
      return geminiRequest(call, call.body.value, described)
    default:
      return undefined
  }
}

/** The parameters of `/messages/count_tokens` in `@anthropic-ai/sdk` 1.14.0. */
const ANTHROPIC_FIELDS = words(
  "messages model system tools tool_choice thinking cache_control output_config output_format context_management speed billing_policy",
)

function anthropicRequest(call: ProviderCall, body: Body): CountRequest | undefined {
  if (!call.url.pathname.endsWith("/messages") || !Array.isArray(body.messages)) return undefined
  const counted = pick(body, ANTHROPIC_FIELDS)
  const { messages: _, ...head } = counted
  return {
    url: withPath(call.url, (path) => `${path}/count_tokens`),
    body: counted,
    head,
    turns: body.messages,
    appends: body.context_management === undefined && !hasLaterTools(body),
    callWith: (messages) => withBody(call, { model: body.model, max_tokens: body.max_tokens, messages }),
    countField: "input_tokens",
  }
}

/** The parameters of `/responses/input_tokens` in `openai` 7.57.0. */
const OPENAI_FIELDS = words(
  "conversation input instructions model parallel_tool_calls previous_response_id reasoning text tool_choice tools truncation",
)

function openaiRequest(call: ProviderCall, body: Body): CountRequest | undefined {
  if (!call.url.pathname.endsWith("/responses")) return undefined
  const counted = pick(body, OPENAI_FIELDS)
  const { input: _, ...head } = counted
  return {
    url: withPath(call.url, (path) => `${path}/input_tokens`),
    body: counted,
    head,
    turns: Array.isArray(body.input) ? body.input : [body.input],
    appends: body.truncation !== "auto" && body.conversation === undefined && !hasLaterTools(body),
    callWith: (turns) => withBody(call, { model: body.model, input: turns }),
    countField: "input_tokens",
  }
}

/**
 * Media are not counted as they are billed: 258 tokens for an image that was billed 1,806 with Gemini 2.0, about 200 instead of 1,000
 * with Gemini 2.5 (https://github.com/googleapis/python-genai/issues/470, https://discuss.ai.google.dev/t/70143).
 */
function geminiRequest(call: ProviderCall, body: Body, { model }: PricedCall): CountRequest | undefined {
  const { contents, systemInstruction } = camelKeys(body)
  if (!/:(generate|streamGenerate)Content$/.test(call.url.pathname)) return undefined
  if (hasField([contents, systemInstruction], MEDIA)) return undefined
  const { contents: _, ...head } = body
  const url = withPath(call.url, (path) => path.replace(/:\w+$/, ":countTokens"))
  url.searchParams.delete("alt")
  return {
    url,
    body: { generateContentRequest: { ...body, model: `models/${model}` } },
    head,
    turns: Array.isArray(contents) ? contents : [contents],
    appends: true,
    callWith: (turns) => withBody(call, { contents: turns }),
    countField: "totalTokens",
  }
}

/** Whether a turn can add the definition of a tool to the prompt without showing it. */
function hasLaterTools({ tools, messages }: Body): boolean {
  return hasField(tools, LATER_TOOLS) || hasBlock(messages, "tool_addition")
}

const LATER_TOOLS = words("defer_loading")
const MEDIA = words("inlineData inline_data fileData file_data")

/** Whether an object at any depth has one of these fields. */
function hasField(value: unknown, names: ReadonlySet<string>): boolean {
  if (Array.isArray(value)) return value.some((item) => hasField(item, names))
  return isRecord(value) && Object.entries(value).some(([name, inner]) => names.has(name) || hasField(inner, names))
}

function hasBlock(value: unknown, type: string): boolean {
  if (Array.isArray(value)) return value.some((item) => hasBlock(item, type))
  return isRecord(value) && (value.type === type || hasBlock(value.content, type))
}

function pick(body: Body, names: ReadonlySet<string>): Body {
  return Object.fromEntries(Object.entries(body).filter(([name]) => names.has(name)))
}

function withPath(url: URL, change: (path: string) => string): URL {
  const changed = new URL(url)
  changed.pathname = change(url.pathname)
  return changed
}

function withBody(call: ProviderCall, value: Body): ProviderCall {
  return { ...call, body: { kind: "json", value } }
}
