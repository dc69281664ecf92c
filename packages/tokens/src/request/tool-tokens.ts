import type { AnswerFormat, CustomToolDefinition, ToolDefinition } from "@p2/core"
import { about, type Counted } from "./counted"
import { jsonOf, stringAt } from "./field-checks"
import { type RequestModel, textTokens } from "./request-model"

type AnyTool = ToolDefinition | CustomToolDefinition

/**
 * Anthropic adds up to 804 tokens of instructions to a request with tools (Opus 4.7), and has changed these numbers for the same
 * model: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing, as of 2026-11-30
 */
const TOOLS_MARGIN = 1024
const TOOLS_INSTRUCTIONS = 350

const FORMAT_MARGIN = 128
const FORMAT_INSTRUCTIONS = 10

const TOOL_FORM = '{ type: "function", function: { name, description, parameters } }'

/** Models for which OpenAI's cookbook counts 10 tokens for each tool instead of 7. */
const TEN_PER_TOOL = /^(gpt-4(?!o|\.)|gpt-3\.5|gpt-35)/

/** Providers do not publish how tools are sent to the model. Twice their JSON plus a margin is the bound. */
export function toolTokens(model: RequestModel, tools: readonly AnyTool[]): Counted {
  const json = jsonOf(tools, "tools")
  for (const [index, tool] of tools.entries())
    if (tool?.type === "custom") stringAt(tool.custom?.name, `tools[${index}].custom.name`)
    else stringAt(tool?.function?.name, `tools[${index}].function.name`, TOOL_FORM)
  const counted = textTokens(model, json)
  const tokens =
    model.encoding === undefined
      ? counted.tokens + TOOLS_INSTRUCTIONS
      : cookbookTokens(tools, (text) => textTokens(model, text).tokens, TEN_PER_TOOL.test(model.name) ? 10 : 7)
  return about("tools", tokens, 2 * counted.upperBound + TOOLS_MARGIN)
}

/** Providers do not publish how an answer format is sent to the model. Its JSON is the estimate, twice that is the bound. */
export function formatTokens(model: RequestModel, answerFormat: AnswerFormat): Counted {
  const { type, json_schema: schema, ...others } = { json_schema: undefined, ...answerFormat }
  const sent = type === "json_schema" && Object.keys(others).length === 0 ? schema : (answerFormat ?? undefined)
  const counted = textTokens(model, jsonOf(sent, "answerFormat"))
  return about("format", counted.tokens + FORMAT_INSTRUCTIONS, 2 * counted.upperBound + FORMAT_MARGIN)
}

/**
 * The formula of OpenAI's cookbook, "How to count tokens with tiktoken", section 7.
 * https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb
 */
function cookbookTokens(tools: readonly AnyTool[], count: (text: string) => number, tokensPerTool: number): number {
  let tokens = 12
  for (const tool of tools) {
    const { name, description } = tool.type === "custom" ? tool.custom : tool.function
    tokens += tokensPerTool + count(`${name}:${withoutFullStop(description)}`)
    // The formula has no rule for a grammar; its JSON is the best estimate.
    if (tool.type === "custom" && tool.custom.format != null) tokens += count(JSON.stringify(tool.custom.format))
    const parameters = tool.type === "custom" ? undefined : tool.function.parameters
    const properties = Object.entries((parameters?.properties ?? {}) as Record<string, unknown>)
    if (properties.length > 0) tokens += 3
    for (const [name, schema] of properties) tokens += propertyTokens(name, schema, count)
  }
  return tokens
}

function propertyTokens(name: string, schema: unknown, count: (text: string) => number): number {
  const field = (typeof schema === "object" && schema !== null ? schema : {}) as Record<string, unknown>
  let tokens = 3 + count(`${name}:${stringOf(field.type ?? "")}:${withoutFullStop(field.description)}`)
  if (Array.isArray(field.enum)) {
    tokens -= 3
    for (const item of field.enum) tokens += 3 + count(stringOf(item))
  }
  // The formula has no rule for nested fields; their JSON is the best estimate.
  const nested = field.properties ?? field.items ?? field.anyOf
  return nested === undefined ? tokens : tokens + count(JSON.stringify(nested))
}

function withoutFullStop(text: unknown): string {
  return typeof text === "string" ? text.replace(/\.$/, "") : ""
}

/** A string as it is, anything else as JSON, because some objects have no `toString`. */
function stringOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "")
}
