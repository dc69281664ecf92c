import { isRecord } from "@p2/core"
import { ChatCompletion, MessageMeter, type MeterReading, type WireEvent } from "@p2/guard/protocols"

type Fields = Record<string, unknown>

/**
 * Reads an answer of Anthropic's Messages API as a chat completion: its text and tool calls as chunks, its usage with
 * the meter of `@p2/guard`.
 */
export class MessageCompletion extends ChatCompletion {
  readonly #meter: MessageMeter

  /** @param options `model` is the id whose tokenizer counts what has arrived; `cacheWrites` are those that the call can cause */
  constructor(options: { model: string; cacheWrites: "any" | "5m"; answerTool: string | null | undefined }) {
    super({ provider: "anthropic", answerTool: options.answerTool })
    this.#meter = new MessageMeter(options)
  }

  override add(event: WireEvent): { usageOnly: boolean; hasContent: boolean } {
    const { data } = event
    if (!isRecord(data) || isRecord(data.error)) return super.add(event)
    this.#meter.add(event)
    if (data.type === "message_stop") return super.add({ ...event, data: "[DONE]", text: "[DONE]" })
    const chunk = data.type === "message" ? completionOf(data) : chunkOf(data)
    // An unknown event type has no content. A body of another format makes the answer invalid.
    if (chunk === undefined && typeof data.type === "string" && event.event !== undefined)
      return { usageOnly: false, hasContent: false }
    return super.add({ ...event, data: chunk ?? data })
  }

  override read(): MeterReading {
    const { usage, usageLowerBound, receivedOutputTokens, serviceTier } = this.#meter.read()
    return { ...super.read(), usage, usageLowerBound, receivedOutputTokens, serviceTier }
  }
}

/** A whole message. */
function completionOf({ id, model, content, stop_reason }: Fields): Fields {
  const blocks = Array.isArray(content) ? content.filter(isRecord) : []
  const text = blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("")
  const calls = blocks.filter(({ type }) => type === "tool_use")
  const message = {
    role: "assistant",
    content: text,
    tool_calls: calls.map((call) => ({
      id: call.id,
      type: "function",
      function: { name: call.name, arguments: JSON.stringify(call.input ?? {}) },
    })),
  }
  return { id, model, choices: [{ index: 0, message, finish_reason: stop_reason }] }
}

/** An event of a stream. Undefined: it contains no part of the answer. */
function chunkOf(event: Fields): Fields | undefined {
  const { index, message, content_block: block, delta } = event
  switch (event.type) {
    case "message_start":
      return isRecord(message) ? { id: message.id, model: message.model, choices: [] } : undefined
    case "content_block_start":
      if (!isRecord(block) || block.type !== "tool_use") return undefined
      return deltaOf({ tool_calls: [{ index, id: block.id, type: "function", function: { name: block.name } }] })
    case "content_block_delta":
      return isRecord(delta) ? contentOf(delta, index) : undefined
    case "message_delta":
      return isRecord(delta) ? deltaOf({}, delta.stop_reason) : undefined
    default:
      return undefined
  }
}

function contentOf(delta: Fields, index: unknown): Fields | undefined {
  if (delta.type === "text_delta") return deltaOf({ content: delta.text })
  if (delta.type === "input_json_delta")
    return deltaOf({ tool_calls: [{ index, function: { arguments: delta.partial_json } }] })
  // Thinking counts as content for the deadlines, but is not part of the answer.
  return delta.type === "thinking_delta" ? deltaOf({ reasoning_content: delta.thinking }) : undefined
}

function deltaOf(delta: Fields, finishReason: unknown = null): Fields {
  return { choices: [{ index: 0, delta, finish_reason: finishReason }] }
}
