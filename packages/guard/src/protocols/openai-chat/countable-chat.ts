import type { AnswerFormat, ContentPart, Message, ToolCall, ToolDefinition } from "@p2/core"
import { isRecord } from "@p2/core"
import type { Modality } from "@p2/pricing"
import type { CountableInput } from "../counted-input"
import { shownName } from "../identifier"
import type { Rejection } from "../protocol"
import { invalidBody, rejected } from "../rejection"

/** Content parts that the token package counts. */
const COUNTED_PARTS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "text",
  "image_url",
  "input_audio",
  "file",
  "refusal",
])

/** Reasoning of earlier turns that the caller sends back, such as Mistral's and Anthropic's. */
const REASONING_PARTS: ReadonlySet<string> = /* @__PURE__ */ new Set(["thinking", "redacted_thinking", "reasoning"])

/** Video, whose tokens have no formula that holds for every provider. */
const VIDEO_PARTS: ReadonlySet<string> = /* @__PURE__ */ new Set(["video_url", "input_video"])

/** Converts the messages, tools and answer format of a chat completion to the form that is counted. */
export function countableChat(body: Readonly<Record<string, unknown>>): CountableInput | Rejection {
  if (!Array.isArray(body.messages)) return invalidBody("messages", "an array of messages")
  const input: CountableInput = {
    messages: [],
    tools: [],
    answerFormat: (body.response_format ?? undefined) as AnswerFormat | undefined,
    otherText: [],
    addedTokens: 0,
    unseen: [],
    modalities: new Set<Modality>(["text"]),
  }
  for (const [index, message] of body.messages.entries()) {
    const rejection = addMessage(input, message, `messages[${index}]`)
    if (rejection !== undefined) return rejection
  }
  return addTools(input, body) ?? input
}

function addMessage(input: CountableInput, message: unknown, path: string): Rejection | undefined {
  if (!isRecord(message)) return invalidBody(path, "a message")
  const { audio, ...withoutAudio } = message
  if (isRecord(audio)) {
    // The audio of an earlier answer, by its id.
    input.unseen.push(`\`${path}.audio\``)
    input.modalities = undefined
  }
  const sent = isRecord(audio) ? withoutAudio : message
  if (sent.role === "function") {
    const { name, content, ...others } = sent
    const asTool = { ...others, role: "tool", content: content ?? "", tool_call_id: String(name) }
    input.messages.push(asTool as unknown as Message)
    return undefined
  }
  const content = sent.content
  const toolCalls = Array.isArray(sent.tool_calls) ? sent.tool_calls.map(countableCall) : undefined
  if (!Array.isArray(content)) {
    input.messages.push((toolCalls === undefined ? sent : { ...sent, tool_calls: toolCalls }) as unknown as Message)
    return undefined
  }
  const parts: ContentPart[] = []
  for (const [index, part] of content.entries()) {
    const rejection = addPart(input, parts, part, `${path}.content[${index}]`)
    if (rejection !== undefined) return rejection
  }
  input.messages.push({ ...sent, content: parts, ...(toolCalls && { tool_calls: toolCalls }) } as unknown as Message)
  return undefined
}

function addPart(input: CountableInput, parts: ContentPart[], part: unknown, path: string): Rejection | undefined {
  if (!isRecord(part) || typeof part.type !== "string") return invalidBody(path, "a content part")
  const { type } = part
  if (REASONING_PARTS.has(type)) input.otherText.push(JSON.stringify(part))
  else if (VIDEO_PARTS.has(type)) {
    input.unseen.push(`\`${path}\``)
    input.modalities = undefined
  } else if (COUNTED_PARTS.has(type)) {
    // Mistral accepts the URL itself.
    parts.push((typeof part.image_url === "string" ? { ...part, image_url: { url: part.image_url } } : part) as never)
    addModality(input, type)
  } else
    return rejected(
      "unknown-field",
      `Unknown content part ${shownName(type)} at \`${path}\`: its cost is unknown. Send its text, or an image, audio or file part.`,
    )
  return undefined
}

/** A file may contain every modality. */
function addModality(input: CountableInput, type: string): void {
  if (type === "file") input.modalities = undefined
  if (type === "image_url") input.modalities?.add("image")
  if (type === "input_audio") input.modalities?.add("audio")
}

/** A custom tool call, in the form of a function call. */
function countableCall(call: unknown): ToolCall {
  if (!isRecord(call) || !isRecord(call.custom)) return call as unknown as ToolCall
  const { custom, ...others } = call
  const { name, input } = custom as { name: string; input: string }
  return { ...others, type: "function", function: { name, arguments: input } } as unknown as ToolCall
}

/** Functions, custom tools and the older `functions`. Every other type is a tool that the provider runs. */
function addTools(input: CountableInput, body: Readonly<Record<string, unknown>>): Rejection | undefined {
  for (const field of ["tools", "functions"] as const) {
    const tools = body[field] ?? []
    if (!Array.isArray(tools)) return invalidBody(field, "an array of tools")
    for (const [index, tool] of tools.entries()) {
      const path = `${field}[${index}]`
      if (!isRecord(tool)) return invalidBody(path, "a tool")
      const definition = field === "functions" ? tool : (tool.function ?? tool.custom)
      if (!isRecord(definition) || (field === "tools" && tool.type !== "function" && tool.type !== "custom"))
        return rejected(
          "unbounded-cost",
          `The cost of the tool ${shownName(tool.type)} at \`${path}\` has no upper bound: the provider runs it as often as the model decides. Send tools of the types "function" and "custom", or use the Responses API with \`max_tool_calls\`.`,
        )
      const { function: _, custom: __, ...others } = field === "functions" ? {} : tool
      input.tools.push({ ...others, type: "function", function: definition } as unknown as ToolDefinition)
    }
  }
  return undefined
}
