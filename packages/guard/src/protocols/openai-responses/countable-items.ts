import { type AnswerFormat, isRecord, type Message, type ToolDefinition } from "@p2/core"
import type { Modality } from "@p2/pricing"
import type { CountableInput } from "../counted-input"
import { shownName } from "../identifier"
import type { Rejection } from "../protocol"
import { invalidBody, rejected, unbounded } from "../rejection"

type Fields = Readonly<Record<string, unknown>>

/** Items that show all their content. Twice their JSON is the bound. */
const SHOWN_ITEMS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "apply_patch_call",
  "apply_patch_call_output",
  "computer_call",
  "configuration_update",
  "custom_tool_call",
  "function_call",
  "local_shell_call",
  "local_shell_call_output",
  "mcp_approval_request",
  "mcp_approval_response",
  "mcp_call",
  "mcp_list_tools",
  "shell_call",
  "shell_call_output",
  "tool_search_call",
])

/** Items whose content the provider has stored, or keeps encrypted in a form of unknown size. */
const STORED_ITEMS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "code_interpreter_call",
  "compaction",
  "file_search_call",
  "image_generation_call",
  "item_reference",
  "web_search_call",
])

/** Converts the input, instructions and format of a response to the form that is counted. Tools are added separately. */
export function countableResponse(body: Fields): CountableInput | Rejection {
  const input: CountableInput = {
    messages: [],
    tools: [],
    answerFormat: answerFormatOf(body.text),
    otherText: [],
    addedTokens: 0,
    unseen: [],
    modalities: new Set<Modality>(["text"]),
  }
  const { instructions, input: items } = body
  if (typeof instructions === "string") input.messages.push({ role: "system", content: instructions })
  else if ((instructions ?? undefined) !== undefined) return invalidBody("instructions", "a string")
  addEarlierTurns(input, body)
  if (typeof items === "string") input.messages.push({ role: "user", content: items })
  else if (Array.isArray(items))
    for (const [index, item] of items.entries()) {
      const rejection = addItem(input, item, `input[${index}]`)
      if (rejection !== undefined) return rejection
    }
  else if ((items ?? undefined) !== undefined) return invalidBody("input", "a string or an array of items")
  return input
}

/** The turns that the provider has stored. */
function addEarlierTurns(input: CountableInput, body: Fields): void {
  for (const name of ["previous_response_id", "conversation"]) {
    if ((body[name] ?? undefined) === undefined) continue
    input.unseen.push(`\`${name}\``)
    input.modalities = undefined
  }
}

function addItem(input: CountableInput, item: unknown, path: string): Rejection | undefined {
  if (!isRecord(item)) return invalidBody(path, "an item")
  const { type = "message" } = item
  if (type === "message") return addMessage(input, item, path)
  if (type === "function_call_output" || type === "custom_tool_call_output") return addOutput(input, item, path)
  if (type === "computer_call_output") return addScreenshot(input, item, path)
  if (type === "reasoning") return addReasoning(input, item, path)
  if (type === "additional_tools" || type === "tool_search_output") addOtherFields(input, { ...item, tools: undefined })
  else if (SHOWN_ITEMS.has(String(type))) input.otherText.push(JSON.stringify(item))
  else if (STORED_ITEMS.has(String(type))) {
    input.unseen.push(`\`${path}\``)
    input.modalities = undefined
  } else if (type === "compaction_trigger")
    return unbounded(`\`${path}\``, "the model runs further passes to compact the conversation", "Omit it.")
  else
    return rejected(
      "unknown-field",
      `Unknown item ${shownName(type)} at \`${path}\`: its cost is unknown. Send it as a message.`,
    )
  return undefined
}

function addMessage(input: CountableInput, item: Fields, path: string): Rejection | undefined {
  const { role, content, type: _type, id: _id, status: _status, ...others } = item
  if (typeof role !== "string") return invalidBody(`${path}.role`, "the role of a message")
  const parts = partsOf(input, content, `${path}.content`)
  if (!Array.isArray(parts)) return parts
  addOtherFields(input, others)
  input.messages.push({ role, content: parts } as unknown as Message)
  return undefined
}

/** The result of a function or a custom tool. */
function addOutput(input: CountableInput, item: Fields, path: string): Rejection | undefined {
  const { output, call_id, type: _type, id: _id, status: _status, ...others } = item
  const parts = partsOf(input, output, `${path}.output`)
  if (!Array.isArray(parts)) return parts
  addOtherFields(input, others)
  const id = String(call_id)
  input.messages.push({ role: "tool", content: parts, tool_call_id: id } as unknown as Message)
  return undefined
}

function addScreenshot(input: CountableInput, item: Fields, path: string): Rejection | undefined {
  const { output, ...rest } = item
  input.otherText.push(JSON.stringify(rest))
  const parts = partsOf(input, isRecord(output) ? [{ ...output, type: "input_image" }] : output, `${path}.output`)
  if (!Array.isArray(parts)) return parts
  input.messages.push({ role: "user", content: parts } as unknown as Message)
  return undefined
}

/**
 * Reasoning of earlier turns: in clear, encrypted (at most two tokens for each character), or stored by the provider, which
 * shows only an id.
 */
function addReasoning(input: CountableInput, item: Fields, path: string): undefined {
  const { encrypted_content: encrypted, content } = item
  if (typeof encrypted === "string") input.addedTokens += 2 * encrypted.length
  if (typeof encrypted !== "string" && !Array.isArray(content)) input.unseen.push(`\`${path}\``)
  const { encrypted_content: _, ...shown } = item
  input.otherText.push(JSON.stringify(shown))
}

type Parts = Record<string, unknown>[]

/** Converts content to the parts that are counted. What the caller does not send is bounded by the context window. */
function partsOf(input: CountableInput, content: unknown, path: string): Parts | Rejection {
  if (typeof content === "string") return [{ type: "text", text: content }]
  if (!Array.isArray(content)) return invalidBody(path, "a string or an array of content parts")
  const parts: Parts = []
  for (const [index, part] of content.entries()) {
    const at = `${path}[${index}]`
    if (!isRecord(part)) return invalidBody(at, "a content part")
    switch (part.type) {
      case "input_text":
      case "output_text":
      case "text":
      case "summary_text":
      case "reasoning_text":
        addTextPart(input, parts, part)
        break
      case "refusal":
        parts.push({ type: "refusal", refusal: part.refusal })
        break
      case "input_image":
        input.modalities?.add("image")
        if (typeof part.image_url === "string")
          parts.push({ type: "image_url", image_url: { url: part.image_url, detail: detailOf(part.detail) } })
        else input.unseen.push(`\`${at}\``)
        break
      case "input_audio":
        input.modalities?.add("audio")
        parts.push({ type: "input_audio", input_audio: part.input_audio })
        break
      case "input_file":
        input.unseen.push(`\`${at}\``)
        input.modalities = undefined
        break
      default:
        return rejected(
          "unknown-field",
          `Unknown content part ${shownName(part.type)} at \`${at}\`: its cost is unknown. Send its text, or an image, audio or file part.`,
        )
    }
  }
  return parts
}

/** Citations may reach the model; log probabilities do not. */
function addTextPart(input: CountableInput, parts: Parts, part: Fields): void {
  const { type: _type, text, logprobs: _logprobs, ...others } = part
  parts.push({ type: "text", text })
  addOtherFields(input, others)
}

/** Fields without their own rule: twice their JSON is the bound. */
function addOtherFields(input: CountableInput, fields: Fields): void {
  const shown = Object.entries(fields).filter(
    ([, value]) => value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0),
  )
  if (shown.length > 0) input.otherText.push(JSON.stringify(Object.fromEntries(shown)))
}

/** "original" is the highest detail. */
function detailOf(detail: unknown): "low" | "high" | "auto" {
  return detail === "low" ? "low" : detail === "high" || detail === "original" ? "high" : "auto"
}

/** `text.format` has the fields of `json_schema` in addition to its type. */
function answerFormatOf(text: unknown): AnswerFormat | undefined {
  const format = isRecord(text) ? text.format : undefined
  if (!isRecord(format)) return undefined
  if (format.type !== "json_schema") return format as AnswerFormat
  const { type: _, ...schema } = format
  return { type: "json_schema", json_schema: schema } as unknown as AnswerFormat
}

/** A tool whose definition reaches the model, in the form that is counted. */
export function countedTool(name: string, { type: _, ...definition }: Fields): ToolDefinition {
  return { type: "function", function: { ...definition, name } }
}
