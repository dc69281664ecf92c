import type { ReceivedRequest } from "@p2/local-provider"
import type { Agent } from "./agents"

/** A request of a program as a test replays it: with the shape of the real one, without its text and ids. */
export interface Recording {
  program: string
  recorded: string
  path: string
  headers: Record<string, string>
  body: unknown
}

/** Headers that decide how a call is read. */
const HEADERS = /^(content-type|anthropic-(beta|version)|x-openai-internal-.*)$/
/** Fields that `p2 run` adds to OpenAI calls. */
const ADDED = new Set(["max_tool_calls", "service_tier"])
const TOOLS = new Set(["tools", "functionDeclarations"])
const MAX_LENGTH = 60

export function recordingOf({ npm, version }: Agent, { path, headers, body }: ReceivedRequest): Recording {
  const own = Object.entries(body).filter(([name]) => !ADDED.has(name))
  return {
    program: `${npm} ${version}`,
    recorded: new Date().toISOString().slice(0, 10),
    path: path.replace(/^\/(anthropic|gemini)/, ""),
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) => (HEADERS.test(name) ? [[name, String(value)]] : [])),
    ),
    body: anonymized(Object.fromEntries(own)),
  }
}

function anonymized(value: unknown): unknown {
  if (typeof value === "string") return anonymizedText(value)
  if (Array.isArray(value)) return value.map(anonymized)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      anonymized(TOOLS.has(name) && Array.isArray(inner) ? firstOfEachType(inner) : inner),
    ]),
  )
}

/** Two tools of each type. */
function firstOfEachType(tools: readonly { type?: string }[]): readonly unknown[] {
  return tools.filter((tool, index) => tools.slice(0, index).filter(({ type }) => type === tool.type).length < 2)
}

/** Replaces digits of ids with zeros, paths of the run with a user's paths, and text with other text. */
function anonymizedText(text: string): string {
  if (text.length > MAX_LENGTH) return "A longer text."
  return text
    .replace(/\/tmp\/p2-agent-\w+/g, "/user")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "00000000-0000-4000-8000-000000000000")
    .replace(/[0-9a-f]{20,}/g, (digits) => "0".repeat(digits.length))
}
