import { InvalidArgumentError } from "../errors"
import { checkOptions } from "../options/check-options"
import { checkMessages } from "../request/check-messages"
import { RequestIssues } from "../request/invalid-request-error"
import { parsedBy } from "../request/option-checks"
import { type Bytes, toDataUrl } from "./data-url"
import { formatBlock } from "./format-block"
import type { AssistantMessage, ContentPart, Message, ToolCall } from "./message"
import { isNothing, MAX_CHARACTERS, toYaml } from "./to-yaml"

/** Detail in which a model looks at an image. */
export type ImageDetail = "auto" | "low" | "high"

const MAX_MESSAGES = 10_000
const IMAGE_NAMES = new Set(["detail"])
const FILE_NAMES = new Set(["filename", "mediaType"])

/**
 * Builds the messages of a request, in the order of the calls. Methods that add return the builder. Text stays as it is;
 * objects and arrays become YAML.
 *
 * @example
 * new MessageBuilder().addMessageSystem("You are terse.").addMessageBlock("PERSON", { name: "David Copperfield" })
 */
export class MessageBuilder {
  #messages: Message[] = []

  /** Adds a system message. */
  addMessageSystem(content: unknown): this {
    return this.#say("system", toText(content))
  }

  /** Adds a user message. */
  addMessageUser(content: unknown): this {
    return this.#say("user", toText(content))
  }

  /** Adds what the assistant said: an earlier answer, so that the conversation goes on. */
  addMessageAssistant(content: unknown): this {
    return this.#say("assistant", toText(content))
  }

  /**
   * Adds data as a user message: `[TAG]`, the data, `[/TAG]`; a list as numbered blocks. No data can close its block.
   * @throws InvalidArgumentError for a tag that is not 1 to 64 letters, digits, `_`, `-`.
   */
  addMessageBlock(tag: string, data: unknown): this {
    return this.#say("user", toText(formatBlock(tag, checkData(data, "data"))))
  }

  /**
   * Adds an image as a user message: an address, a `data:` URL, or the bytes of a PNG, JPEG, GIF or WebP.
   * @throws InvalidArgumentError for anything else, and for more than 20 MiB.
   */
  addMessageImage(image: string | Bytes, options: { detail?: ImageDetail | undefined } = {}): this {
    checkOptions(options, IMAGE_NAMES)
    const { detail } = options
    if (detail !== undefined && !["auto", "low", "high"].includes(detail))
      throw new InvalidArgumentError("detail", '"auto", "low" or "high"', detail)
    const url = toDataUrl("image", image)
    const part: ContentPart = { type: "image_url", image_url: { url, ...(detail && { detail }) } }
    return this.#say("user", [part])
  }

  /**
   * Adds a file as a user message: a `data:` URL, or bytes with a `mediaType` unless they are a PDF or an image.
   * @throws InvalidArgumentError for anything else, and for more than 50 MiB.
   */
  addMessageFile(
    file: string | Bytes,
    options: { filename?: string | undefined; mediaType?: string | undefined } = {},
  ): this {
    checkOptions(options, FILE_NAMES)
    const { filename = "file", mediaType } = options
    if (typeof filename !== "string") throw new InvalidArgumentError("filename", "a text", filename)
    const part: ContentPart = { type: "file", file: { file_data: toDataUrl("file", file, mediaType), filename } }
    return this.#say("user", [part])
  }

  /** Adds the assistant's turn that asked for tools. */
  addToolCalls(calls: readonly ToolCall[], content: string | null = null): this {
    return this.addPrompt([{ role: "assistant", content, tool_calls: calls as ToolCall[] }])
  }

  /** Adds what a tool returned; `toolCallId` is the `id` of its call. */
  addToolResult(toolCallId: string, content: unknown): this {
    return this.addPrompt([{ role: "tool", tool_call_id: toolCallId, content: toText(content) }])
  }

  /**
   * Adds a user message, or a whole list of messages, which are copied.
   * @throws InvalidRequestError that lists what is wrong with the messages; then none of them is added.
   */
  addPrompt(prompt: string | readonly Message[]): this {
    if (typeof prompt === "string") return this.addMessageUser(prompt)
    const issues = new RequestIssues()
    const messages = parsedBy(copiesOf)(prompt, "prompt", issues)
    issues.throwIfAny()
    checkMessages(messages, "prompt", issues)
    issues.throwIfAny()
    return this.#add(...(messages as Message[]))
  }

  /** A copy of the messages, in order. */
  getMessages(): Message[] {
    return this.#messages.map(copyOf)
  }

  /** The conversation as one text, for people: each message after its role, parts that are no text by their type. */
  getFormattedPrompt(): string {
    return this.#messages.map((message) => `${message.role}:\n${formatMessage(message)}`).join("\n\n")
  }

  /**
   * Marks where the conversation ends now. What comes back adds the assistant's turn there: behind the message that is
   * the last one now and what the assistant said to it, before all that was added since. It adds nothing where that
   * message was cleared away, or where there is no room: an answer is worth more than its place in the conversation.
   */
  openTurn(): (answer: string) => void {
    const last = this.#messages.at(-1)!
    return (content) => {
      const messages = this.#messages
      let at = messages.lastIndexOf(last)
      if (at < 0 || messages.length >= MAX_MESSAGES) return
      do at++
      while (messages[at]?.role === "assistant")
      messages.splice(at, 0, { role: "assistant", content })
    }
  }

  /** Takes all messages away. */
  clear(): this {
    this.#messages = []
    return this
  }

  #say(role: "system" | "user" | "assistant", content: string | ContentPart[]): this {
    return this.#add({ role, content } as Message)
  }

  #add(...messages: Message[]): this {
    const count = this.#messages.length + messages.length
    if (count > MAX_MESSAGES) throw new InvalidArgumentError("messages", `at most ${MAX_MESSAGES} messages`, count)
    this.#messages.push(...messages)
    return this
  }
}

/** Copied before anything is looked at, so that nothing which computes its fields can change them afterwards. */
function copiesOf(messages: readonly Message[]): readonly Message[] {
  try {
    return Array.isArray(messages) ? messages.map(copyOf) : messages
  } catch {
    throw new InvalidArgumentError("prompt", "plain data, without functions", messages)
  }
}

/** Most messages are flat: a role and a text. */
function copyOf(message: Message): Message {
  for (const key in message) if (typeof message[key as keyof Message] !== "string") return structuredClone(message)
  return { ...message }
}

/** Throws for what says nothing: no value, a function that was not called, a promise that was not awaited. */
function checkData(data: unknown, argument: string): unknown {
  if (data === null || isNothing(data) || typeof (data as Partial<Promise<unknown>>).then === "function")
    throw new InvalidArgumentError(argument, "a text, or data", data)
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
  return [...parts, ...calls.map(({ function: { name, arguments: given } }) => `[call ${name} ${given}]`)].join("\n")
}

function formatPart(part: ContentPart | { type: "refusal"; refusal: string }): string {
  const { type, text, refusal } = part as { type: string; text?: string; refusal?: string }
  return text ?? refusal ?? `[${type}]`
}
