import { type ContentPart, isRecord, type ToolCall } from "@p2/core"
import type { Modality } from "@p2/pricing"
import type { CountableInput } from "../../protocols/counted-input"
import { shownName } from "../../protocols/identifier"
import { recordsIn } from "../../protocols/prompt-parts"
import type { Rejection } from "../../protocols/protocol"
import { invalidBody, rejected } from "../../protocols/rejection"
import type { Fields, LanguageCall } from "../specification"
import { addFile } from "./file-input"

/** Tokens of the instructions with which some providers ask for JSON, such as a tool in place of the schema. */
const FORMAT_TOKENS = 1_024

/** Converts the prompt, the function tools and the format of a call to the form in which tokens are counted. */
export function promptInput({ prompt, tools, responseFormat }: LanguageCall): CountableInput | Rejection {
  const input: CountableInput = {
    messages: [],
    tools: [],
    answerFormat: undefined,
    otherText: [],
    addedTokens: 0,
    unseen: [],
    modalities: new Set<Modality>(["text"]),
  }
  const messages = recordsIn(prompt)
  if (messages === undefined || messages.length === 0) return invalidBody("prompt", "an array of at least one message")
  for (const [index, message] of messages.entries()) {
    const rejection = addMessage(input, message, `prompt[${index}]`)
    if (rejection !== undefined) return rejection
  }
  for (const tool of recordsIn(tools ?? []) ?? []) if (tool.type === "function") addFunction(input, tool)
  addFormat(input, responseFormat)
  return input
}

function addMessage(input: CountableInput, { role, content }: Fields, path: string): Rejection | undefined {
  if (role === "system" && typeof content === "string") {
    input.messages.push({ role, content })
    return undefined
  }
  const parts = recordsIn(content)
  if (parts === undefined || (role !== "user" && role !== "assistant" && role !== "tool"))
    return invalidBody(path, "a message of the AI SDK")
  const shown: ContentPart[] = []
  const calls: ToolCall[] = []
  for (const [index, part] of parts.entries()) {
    const rejection = addPart(input, { shown, calls }, part, `${path}.content[${index}]`)
    if (rejection !== undefined) return rejection
  }
  // A tool's result may be an image, which only a user message may contain here. Its tokens are the same.
  if (shown.length > 0 || role === "user") input.messages.push({ role: "user", content: shown })
  if (calls.length > 0) input.messages.push({ role: "assistant", content: null, tool_calls: calls })
  return undefined
}

/** What the parts of one message add to it. */
interface MessageParts {
  shown: ContentPart[]
  calls: ToolCall[]
}

function addPart(input: CountableInput, parts: MessageParts, part: Fields, path: string): Rejection | undefined {
  const { type, text } = part
  switch (type) {
    case "text":
      if (typeof text !== "string") return invalidBody(`${path}.text`, "a string")
      parts.shown.push({ type, text })
      return undefined
    case "file":
    case "reasoning-file":
      return addFile(input, parts.shown, part, path)
    case "reasoning":
      input.otherText.push(String(text))
      return undefined
    case "tool-call":
      parts.calls.push(toolCall(part))
      return undefined
    case "tool-result":
      return addResult(input, parts.shown, part, path)
    case "tool-approval-response":
      input.otherText.push(jsonOf(part))
      return undefined
    case "custom":
      // Its content is in a provider's options, which may refer to what the provider stores.
      input.unseen.push(`\`${path}\``)
      input.modalities = undefined
      return undefined
    default:
      return rejected(
        "unknown-field",
        `Unknown part ${shownName(type)} at \`${path}\`: its cost is unknown. Send its text, or an image or a file.`,
      )
  }
}

function toolCall({ toolCallId, toolName, input }: Fields): ToolCall {
  const json = typeof input === "string" ? input : jsonOf(input)
  return { id: String(toolCallId), type: "function", function: { name: String(toolName), arguments: json } }
}

/** The result of a tool: text, JSON, or a list of text and files. */
function addResult(
  input: CountableInput,
  shown: ContentPart[],
  { toolCallId, toolName, output }: Fields,
  path: string,
): Rejection | undefined {
  input.otherText.push(jsonOf({ toolCallId, toolName }))
  if (!isRecord(output)) return invalidBody(`${path}.output`, "the output of a tool")
  const { type, value } = output
  if (type !== "content") {
    if (typeof value === "string") shown.push({ type: "text", text: value })
    else input.otherText.push(jsonOf(value ?? output))
    return undefined
  }
  for (const [index, part] of (recordsIn(value) ?? []).entries()) {
    const at = `${path}.output.value[${index}]`
    if (part.type === "text") shown.push({ type: "text", text: String(part.text) })
    else {
      const rejection = addFile(input, shown, part, at)
      if (rejection !== undefined) return rejection
    }
  }
  return undefined
}

function addFunction(input: CountableInput, tool: Fields): void {
  const { name, description, inputSchema, inputExamples } = tool
  const definition = {
    name: String(name),
    ...(typeof description === "string" && { description }),
    ...(isRecord(inputSchema) && { parameters: inputSchema }),
  }
  input.tools.push({ type: "function", function: definition })
  if (inputExamples !== undefined) input.otherText.push(jsonOf(inputExamples))
}

function addFormat(input: CountableInput, format: unknown): void {
  if (!isRecord(format) || format.type !== "json") return
  const { schema, name = "response", description } = format
  input.addedTokens += FORMAT_TOKENS
  input.answerFormat = {
    type: "json_schema",
    json_schema: {
      name: String(name),
      ...(typeof description === "string" && { description }),
      schema: isRecord(schema) ? schema : {},
    },
  }
}

/** The JSON of a value; an empty string if it has none. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value) ?? ""
}
