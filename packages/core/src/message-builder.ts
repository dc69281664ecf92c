import { toDataUrl, toImageUrl } from "./data-url"
import { formatBlock } from "./format-block"
import type { ContentPart, Message, ToolCall } from "./messages"
import { toYaml } from "./to-yaml"

/** Detail in which a model looks at an image. */
export type ImageDetail = "auto" | "low" | "high"

/** Builds the messages of a request, in the order of the calls. Each method but the getters returns the builder. */
export class MessageBuilder {
  readonly #messages: Message[] = []

  /** Adds a system message; objects and arrays become YAML. */
  addMessageSystem(content: unknown): this {
    return this.#add({ role: "system", content: toText(content) })
  }

  /** Adds a user message; objects and arrays become YAML. */
  addMessageUser(content: unknown): this {
    return this.#add({ role: "user", content: toText(content) })
  }

  /** Adds what the assistant said; objects and arrays become YAML. */
  addMessageAssistant(content: unknown): this {
    return this.#add({ role: "assistant", content: toText(content) })
  }

  /** Adds `data` to the conversation as a user message `[TAG]\n…\n[/TAG]`; a list becomes numbered blocks. */
  addMessageBlock(tag: string, data: unknown): this {
    return this.#add({ role: "user", content: formatBlock(tag, data) })
  }

  /** Adds an image: an address, a data: URL, or the bytes of a PNG, JPEG, GIF or WebP. */
  addMessageImage(image: string | Uint8Array | ArrayBuffer, options: { detail?: ImageDetail | undefined } = {}): this {
    const part: ContentPart = { type: "image_url", image_url: { url: toImageUrl(image) } }
    if (options.detail !== undefined) part.image_url.detail = options.detail
    return this.#add({ role: "user", content: [part] })
  }

  /** Adds a file by its bytes or its data: URL. */
  addMessageFile(
    file: string | Uint8Array | ArrayBuffer,
    options: { filename?: string | undefined; mediaType?: string | undefined } = {},
  ): this {
    const data = typeof file === "string" ? file : toDataUrl(file, options.mediaType)
    return this.#add({
      role: "user",
      content: [{ type: "file", file: { file_data: data, filename: options.filename ?? "file" } }],
    })
  }

  /** Adds the assistant's turn that asked for tools. */
  addToolCalls(calls: readonly ToolCall[], content: string | null = null): this {
    return this.#add({ role: "assistant", content, tool_calls: [...calls] })
  }

  /** Adds what a tool returned. */
  addToolResult(toolCallId: string, content: unknown): this {
    return this.#add({ role: "tool", tool_call_id: toolCallId, content: toText(content) })
  }

  /** Adds a user message, or a whole list of messages. */
  addPrompt(prompt: string | readonly Message[]): this {
    if (typeof prompt === "string") return this.addMessageUser(prompt)
    for (const message of prompt) this.#add(structuredClone(message))
    return this
  }

  /** A copy of the messages, in order. */
  getMessages(): Message[] {
    return structuredClone(this.#messages)
  }

  /** The conversation as one text, for people: each message under its role. */
  getFormattedPrompt(): string {
    return this.#messages.map((message) => `${message.role}: ${formatContent(message)}`).join("\n\n")
  }

  /** Takes all messages away. */
  clear(): this {
    this.#messages.length = 0
    return this
  }

  #add(message: Message): this {
    this.#messages.push(message)
    return this
  }
}

function toText(content: unknown): string {
  return typeof content === "string" ? content : toYaml(content)
}

function formatContent(message: Message): string {
  const { content } = message
  if (typeof content === "string") return content
  return (content ?? []).map((part) => (part.type === "text" ? part.text : `[${part.type}]`)).join("\n")
}
