import { InvalidArgumentError } from "../errors"
import { checkOptions } from "../options/check-options"
import { checkMessages } from "../request/check-messages"
import { RequestIssues } from "../request/invalid-request-error"
import { parsedBy } from "../request/option-checks"
import { type Bytes, toDataUrl } from "./data-url"
import { formatBlock } from "./format-block"
import type {
  AssistantMessage,
  ContentPart,
  CustomToolCall,
  ImageDetail,
  Message,
  MessageInput,
  RefusalPart,
  ToolCall,
} from "./message"
import { isOmitted, MAX_CHARACTERS, toYaml } from "./to-yaml"

const MAX_MESSAGES = 10_000
/** The roles of the messages in a turn of the model: its answers and tool calls, and the results. */
const TURN_ROLES: readonly (string | undefined)[] = ["assistant", "tool", "function"]
const IMAGE_NAMES = new Set(["detail"])
const FILE_NAMES = new Set(["filename", "mediaType"])

/**
 * Builds the messages of a request, in the order of the calls. Strings are kept as they are; objects and arrays become
 * YAML. At most 10,000 messages of 10,000,000 characters each.
 *
 * @example
 * new MessageBuilder().addMessageSystem("You are terse.").addMessageBlock("PERSON", { name: "David Copperfield" })
 */
export class MessageBuilder {
  #messages: Message[] = []

  /** Adds a system message. */
  addMessageSystem(content: unknown): this {
    return this.#addContent("system", toText(content))
  }

  /** Adds a user message. */
  addMessageUser(content: unknown): this {
    return this.#addContent("user", toText(content))
  }

  /** Adds an earlier answer of the model. */
  addMessageAssistant(content: unknown): this {
    return this.#addContent("assistant", toText(content))
  }

  /**
   * Adds data as a user message between `[TAG]` and `[/TAG]`; an array as numbered blocks. No data can close its block.
   * @throws InvalidArgumentError if the tag is not 1 to 64 letters, digits, `_` or `-`, beginning with a letter
   */
  addMessageBlock(tag: string, data: unknown): this {
    return this.#addContent("user", toText(formatBlock(tag, checkData(data, "data"))))
  }

  /**
   * Adds an image as a user message: an http(s) URL, a `data:` URL, or the bytes of a PNG, JPEG, GIF or WebP.
   * @param options without `detail`, the provider chooses it
   * @throws InvalidArgumentError for anything else, and for more than 20 MiB
   */
  addMessageImage(image: string | Bytes, options: { detail?: ImageDetail | undefined } = {}): this {
    checkOptions(options, IMAGE_NAMES)
    const { detail } = options
    if (detail !== undefined && !["auto", "low", "high"].includes(detail))
      throw new InvalidArgumentError("detail", '"auto", "low" or "high"', detail)
    const url = toDataUrl("image", image)
    const part: ContentPart = { type: "image_url", image_url: { url, ...(detail && { detail }) } }
    return this.#addContent("user", [part])
  }

  /**
   * Adds a file as a user message: a `data:` URL, or bytes. Bytes need a `mediaType`, unless they are a PDF or an image.
   * @param options `filename` is "file" by default
   * @throws InvalidArgumentError for anything else, and for more than 50 MiB
   */
  addMessageFile(
    file: string | Bytes,
    options: { filename?: string | undefined; mediaType?: string | undefined } = {},
  ): this {
    checkOptions(options, FILE_NAMES)
    const { filename = "file", mediaType } = options
    if (typeof filename !== "string") throw new InvalidArgumentError("filename", "a string", filename)
    const part: ContentPart = { type: "file", file: { file_data: toDataUrl("file", file, mediaType), filename } }
    return this.#addContent("user", [part])
  }

  /** Adds an assistant message with tool calls. */
  addToolCalls(calls: readonly ToolCall[], content: string | null = null): this {
    if (!Array.isArray(calls)) throw new InvalidArgumentError("calls", "an array of tool calls", calls)
    return this.addPrompt([{ role: "assistant", content, tool_calls: calls as ToolCall[] }])
  }

  /** Adds the result of a tool; `toolCallId` is the `id` of its call. */
  addToolResult(toolCallId: string, content: unknown): this {
    if (typeof toolCallId !== "string")
      throw new InvalidArgumentError("toolCallId", "the `id` of a tool call", toolCallId)
    return this.addPrompt([{ role: "tool", tool_call_id: toolCallId, content: toText(content) }])
  }

  /**
   * Adds a user message, or copies of several messages.
   * @throws InvalidRequestError that lists all invalid fields, and adds no message
   */
  addPrompt(prompt: string | readonly MessageInput[]): this {
    if (typeof prompt === "string") return this.addMessageUser(prompt)
    const issues = new RequestIssues()
    const messages = parsedBy(copiesOf)(prompt, "prompt", issues)
    issues.throwIfAny()
    checkMessages(messages, "prompt", issues)
    issues.throwIfAny()
    return this.#add(...(messages as Message[]))
  }

  /** Returns a copy of the messages, in order. */
  getMessages(): Message[] {
    return this.#messages.map(copyOf)
  }

  /** Returns the conversation as readable text: each message after its role, images and files by their type. */
  getFormattedPrompt(): string {
    return this.#messages.map((message) => `${message.role}:\n${formatMessage(message)}`).join("\n\n")
  }

  /**
   * Marks the current end of the conversation. The returned function inserts a turn of the model there, which is its answer or
   * several messages: after the last message and earlier turns that follow it, before all messages that were added since. It
   * does nothing if that message was cleared or the conversation is full, because throwing would lose the answer.
   */
  openTurn(): (turn: readonly Message[]) => void {
    const last = this.#messages.at(-1)!
    return (turn) => {
      const messages = this.#messages
      let at = messages.lastIndexOf(last)
      if (at < 0 || messages.length + turn.length > MAX_MESSAGES) return
      do at++
      while (TURN_ROLES.includes(messages[at]?.role))
      messages.splice(at, 0, ...turn)
    }
  }

  /** Removes all messages. */
  clear(): this {
    this.#messages = []
    return this
  }

  #addContent(role: "system" | "user" | "assistant", content: string | ContentPart[]): this {
    return this.#add({ role, content } as Message)
  }

  #add(...messages: Message[]): this {
    const count = this.#messages.length + messages.length
    if (count > MAX_MESSAGES) throw new InvalidArgumentError("messages", `at most ${MAX_MESSAGES} messages`, count)
    this.#messages.push(...messages)
    return this
  }
}

/** Copies messages before they are checked, so that getters cannot return other values afterwards. */
function copiesOf(messages: readonly MessageInput[]): readonly Message[] {
  try {
    return (Array.isArray(messages) ? messages.map(withoutNulls) : messages) as readonly Message[]
  } catch {
    throw new InvalidArgumentError("prompt", "plain data, without functions", messages)
  }
}

/** Copies a message. A field that is `null` is absent, except the content: some servers reject `"tool_calls": null`. */
function withoutNulls(message: Message): Message {
  const copy = copyOf(message) as unknown as Record<string, unknown>
  for (const name in copy) if (copy[name] === null && name !== "content") delete copy[name]
  return copy as unknown as Message
}

/** Copies a message. Most are flat: a role and a string. */
function copyOf(message: Message): Message {
  for (const key in message) if (typeof message[key as keyof Message] !== "string") return structuredClone(message)
  return { ...message }
}

/** Rejects values without content: null, undefined, functions that were not called, promises that were not awaited. */
function checkData(data: unknown, argument: string): unknown {
  if (data === null || isOmitted(data) || typeof (data as Partial<Promise<unknown>>).then === "function")
    throw new InvalidArgumentError(argument, "a string or data", data)
  return data
}

function toText(content: unknown): string {
  checkData(content, "content")
  const text = typeof content === "string" ? content : toYaml(content)
  if (text.length <= MAX_CHARACTERS) return text
  throw new InvalidArgumentError("content", `at most ${MAX_CHARACTERS} characters`, text.length)
}

function formatMessage(message: Message): string {
  const { content } = message
  const parts = typeof content === "string" ? [content] : (content ?? []).map(formatPart)
  const calls = (message as AssistantMessage).tool_calls ?? []
  return [...parts, ...calls.map(formatCall)].join("\n")
}

function formatCall(call: ToolCall | CustomToolCall): string {
  if (call.type === "custom") return `[call ${call.custom.name} ${call.custom.input}]`
  return `[call ${call.function.name} ${call.function.arguments}]`
}

function formatPart(part: ContentPart | RefusalPart): string {
  const { type, text, refusal } = part as { type: string; text?: string; refusal?: string }
  return text ?? refusal ?? `[${type}]`
}
