import { isRecord } from "@p2/core"
import { ChatCompletion, MessageMeter, type MeterReading, type WireEvent } from "@p2/guard/protocols"

type Fields = Record<string, unknown>

/**
 * Reads an answer of Anthropic's Messages API as a chat completion: its text and tool calls as chunks, its usage with
 * the meter of `@p2/guard`.
 */
export class MessageCompletion extends ChatCompletion {
  readonly #meter: MessageMeter
  #hasStarted = false

  /** @param options `model` is the id whose tokenizer counts what has arrived; `cacheWrites` are those that the call can cause */
  constructor(options: { model: string; cacheWrites: "any" | "5m"; answerTool: string | null | undefined }) {
    super({ provider: "anthropic", answerTool: options.answerTool })
    this.#meter = new MessageMeter(options)
  }

  override add(event: WireEvent): { usageOnly: boolean; hasContent: boolean } {
    const { data } = event
    this.#meter.add(event)
    if (isEnd(event)) return super.add({ ...event, ...this.#end() })
    // A second message in one stream is not the rest of the first one.
    if (!isRecord(data) || (data.error ?? undefined) !== undefined || this.#isSecond(data)) return super.add(event)
    const chunk = data.type === "message" ? completionOf(data) : chunkOf(data)
    // An unknown event type has no content. A body of another format makes the answer invalid.
    if (chunk === undefined && typeof data.type === "string" && event.event !== undefined)
      return { usageOnly: false, hasContent: false }
    return super.add({ ...event, data: chunk ?? data })
  }

  #isSecond({ type }: Fields): boolean {
    const isSecond = type === "message_start" && this.#hasStarted
    this.#hasStarted ||= type === "message_start"
    return isSecond
  }

  /** Anthropic states how each message ended, so the event that did was lost. */
  #end(): Pick<WireEvent, "data" | "text"> {
    if (this.finishReason === undefined) return { data: deltaOf({}, NO_STOP_REASON), text: NO_STOP_REASON }
    return { data: DONE, text: DONE }
  }

  override read(): MeterReading {
    const { usage, usageLowerBound, receivedOutputTokens, serviceTier } = this.#meter.read()
    return { ...super.read(), usage, usageLowerBound, receivedOutputTokens, serviceTier }
  }
}

function isEnd({ data, text }: WireEvent): boolean {
  return isRecord(data) ? data.type === "message_stop" : text.trim() === DONE
}

const DONE = "[DONE]"

/** A finish reason that is not known: the answer may be a part of one. */
const NO_STOP_REASON = "no_stop_reason"

/** A whole message. Servers of this format also send its text in place of the blocks. */
function completionOf({ id, model, content, stop_reason }: Fields): Fields {
  const blocks = [typeof content === "string" ? { type: "text", text: content } : content].flat().filter(isRecord)
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
  return { id, model, choices: [{ index: 0, message, finish_reason: stop_reason ?? NO_STOP_REASON }] }
}

/** An event of a stream. Undefined: it contains no part of the answer. */
function chunkOf(event: Fields): Fields | undefined {
  const { index, message, content_block: block, delta } = event
  switch (event.type) {
    case "message_start":
      return isRecord(message) ? { id: message.id, model: message.model, choices: [] } : undefined
    case "content_block_start":
      return isRecord(block) ? beginningOf(block, index) : undefined
    case "content_block_delta":
      return isRecord(delta) ? contentOf(delta, index) : undefined
    case "message_delta":
      return isRecord(delta) ? deltaOf({}, delta.stop_reason) : undefined
    default:
      return undefined
  }
}

/** The start of a block. Servers of this format also send all of its text or input here. */
function beginningOf({ type, text, id, name, input }: Fields, index: unknown): Fields | undefined {
  if (type === "text") return typeof text === "string" && text !== "" ? deltaOf({ content: text }) : undefined
  if (type !== "tool_use") return undefined
  const written = isRecord(input) && Object.keys(input).length > 0 ? { arguments: input } : {}
  return deltaOf({ tool_calls: [{ index, id, type: "function", function: { name, ...written } }] })
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
