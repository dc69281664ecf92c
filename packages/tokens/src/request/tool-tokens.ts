import type { ToolDefinition } from "@p2/core"

/** Counts a text in the model's tokens. */
export type CountText = (text: string) => number

/**
 * OpenAI's cookbook, "How to count tokens with tiktoken", 7: tokens for tool calls. `functionTokens` is 7 for gpt-4o and
 * 10 for gpt-4 and gpt-3.5-turbo.
 * https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb
 */
export function toolTokens(tools: readonly ToolDefinition[], count: CountText, functionTokens: number): number {
  if (tools.length === 0) return 0
  let tokens = 12
  for (const { function: definition } of tools) {
    tokens += functionTokens + count(`${definition.name}:${withoutFullStop(definition.description)}`)
    const properties = Object.entries((definition.parameters?.properties ?? {}) as Record<string, unknown>)
    if (properties.length > 0) tokens += 3
    for (const [name, schema] of properties) tokens += propertyTokens(name, schema, count)
  }
  return tokens
}

function propertyTokens(name: string, schema: unknown, count: CountText): number {
  const field = (typeof schema === "object" && schema !== null ? schema : {}) as Record<string, unknown>
  let tokens = 3 + count(`${name}:${textOf(field.type ?? "")}:${withoutFullStop(field.description)}`)
  if (Array.isArray(field.enum)) {
    tokens -= 3
    for (const item of field.enum) tokens += 3 + count(textOf(item))
  }
  // The formula knows no inner fields; their JSON is what they can add.
  const inner = field.properties ?? field.items ?? field.anyOf
  return inner === undefined ? tokens : tokens + count(JSON.stringify(inner))
}

function withoutFullStop(text: unknown): string {
  return typeof text === "string" ? text.replace(/\.$/, "") : ""
}

/** As text; what is no text as its JSON, because an object may have no form as text. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "")
}
