import { isRecord, mostOf, type ReportedUsage, usageFromWire } from "./usage-from-wire"

/** What arrived of an answer, also when it did not arrive whole. */
export class Completion {
  finishReason: string | undefined
  generationId: string | undefined
  model: string | undefined
  /** The tier that served, where the provider says so. */
  serviceTier: string | undefined
  refusal = ""
  /** An error object inside a 200. */
  error: Record<string, unknown> | undefined
  /** The provider said that this was all: a JSON body that parses, `[DONE]`, or a finish reason. */
  complete = false
  /** The body was no chat completion at all. */
  malformed = false
  /** It was a page for people. */
  webPage = false
  #said = ""
  #arguments = ""
  #thoughts = 0
  #reported: ReportedUsage | undefined
  #counted = false

  /**
   * The usage of the whole call. A usage that came before the end, and one that tells of nothing although there is an
   * answer, or that contradicts itself, is none: see `leastUsage`.
   */
  get usage(): ReportedUsage | undefined {
    const reported = this.#reported
    if (!this.#counted || reported === undefined || reported.doubtful) return undefined
    const { inputTokens, outputTokens } = reported.usage
    return this.#length() > 0 && (inputTokens === 0 || outputTokens === 0) ? undefined : reported
  }

  /** What was used at the least: everything that was reported, at whatever time. */
  get leastUsage(): ReportedUsage | undefined {
    return this.#reported
  }

  /** The answer: what a forced tool was called with, else what was said. */
  get text(): string {
    return this.#arguments === "" ? this.#said : this.#arguments
  }

  /** Takes a whole completion or one chunk of a stream. Returns whether there was content in it. */
  take(body: unknown): boolean {
    if (!isRecord(body)) {
      this.malformed = true
      return false
    }
    this.generationId ??= shortText(body.id)
    this.model = shortText(body.model) ?? this.model
    this.serviceTier = shortText(body.service_tier) ?? this.serviceTier
    this.error = errorIn(body) ?? this.error
    // Groq hides the usage of a stream in a field of its own.
    const hidden = isRecord(body.x_groq) ? body.x_groq.usage : undefined
    const choice = firstOf(body.choices)
    const content = choice !== undefined && this.#takeChoice(choice)
    this.#report(usageFromWire(body.usage ?? hidden))
    return content
  }

  /** The provider said that this was all: what it reported until now is the whole. */
  end(): void {
    this.complete = true
    this.#counted = this.#reported !== undefined
  }

  /** Takes the usage that came with a status that is no success: nothing comes after it. */
  takeUsage(usage: unknown): void {
    this.#report(usageFromWire(usage))
    this.#counted = this.#reported !== undefined
  }

  /** Some servers report a running usage in every chunk: it counts with or after the end, not before. */
  #report(usage: ReportedUsage | undefined): void {
    if (usage === undefined) return
    this.#reported = this.#reported === undefined ? usage : mostOf(this.#reported, usage)
    this.#counted ||= this.complete || this.error !== undefined
  }

  #takeChoice(choice: Record<string, unknown>): boolean {
    this.error ??= errorIn(choice)
    this.finishReason = shortText(choice.finish_reason) ?? this.finishReason
    this.complete ||= this.finishReason !== undefined
    const message = choice.message ?? choice.delta
    return isRecord(message) && this.#takeMessage(message)
  }

  #takeMessage(message: Record<string, unknown>): boolean {
    const before = this.#length()
    if (typeof message.content === "string") this.#said += message.content
    else if (Array.isArray(message.content)) for (const part of message.content) this.#takePart(part)
    if (typeof message.refusal === "string") this.refusal += message.refusal
    const call = firstOf(message.tool_calls)
    if (isRecord(call?.function) && typeof call.function.arguments === "string")
      this.#arguments += call.function.arguments
    // Thinking aloud is content for the deadlines: the model is at work.
    if (isText(message.reasoning) || isText(message.reasoning_content)) this.#thoughts++
    return this.#length() > before
  }

  #takePart(part: unknown): void {
    if (!isRecord(part)) return
    // Mistral's models think in parts of the content: https://docs.mistral.ai/capabilities/reasoning/
    if (part.type === "thinking") this.#thoughts++
    if (typeof part.text === "string") this.#said += part.text
    if (typeof part.refusal === "string") this.refusal += part.refusal
  }

  #length(): number {
    return this.#said.length + this.#arguments.length + this.refusal.length + this.#thoughts
  }
}

/** A word of the provider's: not empty, and at most 200 characters of it. */
export function shortText(value: unknown): string | undefined {
  return isText(value) ? value.slice(0, 200) : undefined
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== ""
}

/** An error is an object, or (xAI) a text with a code beside it: https://github.com/nocmt/LLMSearchPlus/issues/2 */
function errorIn(holder: Record<string, unknown>): Record<string, unknown> | undefined {
  const { error, code } = holder
  if (isRecord(error)) return error
  return isText(error) ? { message: error, code } : undefined
}

/** The entry with index 0, or the first without one. */
function firstOf(list: unknown): Record<string, unknown> | undefined {
  if (!Array.isArray(list)) return undefined
  return list.find((each): each is Record<string, unknown> => isRecord(each) && (each.index ?? 0) === 0)
}
