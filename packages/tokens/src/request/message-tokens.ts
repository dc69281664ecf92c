import { type CustomToolCall, InvalidArgumentError, type Message, type ToolCall } from "@p2/core"
import { UnboundedInputError } from "../errors"
import { about, type Counted } from "./counted"
import { stringAt } from "./field-checks"
import { otherFieldTokens } from "./other-fields"
import { type AnyPart, partTokens } from "./part-tokens"
import { type RequestModel, textTokens } from "./request-model"

/** Tokens that a provider may add to each message or name, and to each tool call, without publishing it. */
export const MESSAGE_MARGIN = 8
const CALL_MARGIN = 24

const ROLES: readonly string[] = [
  "system",
  "developer",
  "user",
  "assistant",
  "tool",
  "function",
] satisfies Message["role"][]
const EXPECTED_ROLE = '"system", "developer", "user", "assistant" or "tool"'

/** Fields that have their own rule, of a message and of a tool call. */
const COUNTED_FIELDS = new Set(["role", "name", "content", "refusal", "tool_calls", "tool_call_id"])
const CALL_FIELDS = new Set(["id", "type", "index", "function", "custom", "name", "arguments", "input"])

/**
 * Counts the parts of one message by OpenAI's published formula: 3 tokens, the role, the content, and 1 for a name.
 * Example: `{ role: "user", content: "Hi" }` has 3 + 1 + 1 tokens.
 *
 * @throws InvalidArgumentError for a message that the API would reject
 */
export function messageTokens(model: RequestModel, message: Message, path: string): Counted[] {
  if (typeof message !== "object" || message === null) throw new InvalidArgumentError(path, "a message", message)
  const { role } = message
  if (!ROLES.includes(role)) throw new InvalidArgumentError(`${path}.role`, EXPECTED_ROLE, role)
  checkAudio(message, path)
  return [
    { tokens: 3, upperBound: 3 + MESSAGE_MARGIN },
    textTokens(model, role),
    ...nameTokens(model, message, path),
    ...contentTokens(model, message, path),
    ...otherFieldTokens(model, message, COUNTED_FIELDS, path),
    ...toolFieldTokens(model, message, path),
  ]
}

function nameTokens(model: RequestModel, message: Message, path: string): Counted[] {
  if (!("name" in message) || (message.name ?? undefined) === undefined) return []
  const name = textTokens(model, stringAt(message.name, `${path}.name`))
  return [name, { tokens: 1, upperBound: 1 + MESSAGE_MARGIN }]
}

function contentTokens(model: RequestModel, { role, content }: Message, path: string): Counted[] {
  if (Array.isArray(content))
    return Array.from<AnyPart>(content).flatMap((part, index) => partTokens(model, part, `${path}.content[${index}]`))
  if ((role === "assistant" || role === "function") && (content === undefined || content === null)) return []
  if (typeof content !== "string")
    throw new InvalidArgumentError(`${path}.content`, "a string or an array of content parts", content)
  return content === "" ? [] : [textTokens(model, content)]
}

function checkAudio(message: Message, path: string): void {
  if ("audio" in message && (message.audio ?? undefined) !== undefined)
    throw new UnboundedInputError(`${path}.audio`, "the audio of an earlier response", "Send its transcript instead.")
}

function toolFieldTokens(model: RequestModel, message: Message, path: string): Counted[] {
  if (message.role === "tool") {
    const id = textTokens(model, stringAt(message.tool_call_id, `${path}.tool_call_id`))
    return [{ kind: "tools", tokens: 0, upperBound: id.upperBound + CALL_MARGIN }]
  }
  if (message.role !== "assistant") return []
  const refusal = message.refusal ? [textTokens(model, stringAt(message.refusal, `${path}.refusal`))] : []
  const calls = Array.from(message.tool_calls ?? []).flatMap((call, index) => {
    const at = `${path}.tool_calls[${index}]`
    const [name, input] = callTokens(model, call, at)
    const id = textTokens(model, stringAt(call.id, `${at}.id`))
    const others = [call, call.type === "custom" ? call.custom : call.function].flatMap((object) =>
      otherFieldTokens(model, object, CALL_FIELDS, at),
    )
    return [name, input, about("tools", 4, id.upperBound + CALL_MARGIN), ...others]
  })
  return [...refusal, ...calls]
}

/** The name and the input of a tool call. */
function callTokens(model: RequestModel, call: ToolCall | CustomToolCall, at: string): [name: Counted, input: Counted] {
  const [path, name, input] =
    call?.type === "custom"
      ? (["custom", call.custom?.name, call.custom?.input] as const)
      : (["function", call?.function?.name, call?.function?.arguments] as const)
  return [
    textTokens(model, stringAt(name, `${at}.${path}.name`)),
    textTokens(model, stringAt(input, `${at}.${path}.${path === "custom" ? "input" : "arguments"}`)),
  ]
}
