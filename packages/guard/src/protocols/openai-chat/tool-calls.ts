import { isRecord, parseJson } from "@p2/core"

/** A tool call that the model wrote. */
export interface CalledTool {
  /** Undefined: the server sent none. */
  id: string | undefined
  name: string
  /** As the model wrote them: usually JSON. */
  arguments: string
  /**
   * What the server adds to the call, and wants back with it: Gemini's `thought_signature`
   * (https://ai.google.dev/gemini-api/docs/thought-signatures).
   */
  extraContent?: Record<string, unknown> | undefined
}

/** The index of the older `function_call`. */
const LEGACY = -1

/** One tool call as its pieces arrive. */
interface ToolCallPieces extends CalledTool {
  index: number
}

/**
 * Collects tool calls. Reads OpenAI's shape and what servers make of it: a single call instead of a list,
 * an object by index or JSON in its place, arguments as an object, `parameters`, `input` or `args` in their place, a call
 * without `function` around it or with JSON in it, any index, marks of a chat template in the name.
 */
export class ToolCalls {
  readonly #calls: ToolCallPieces[] = []
  readonly #answerTool: string | null | undefined

  /** @param answerTool the tool whose call is the answer; null: none; undefined: any tool */
  constructor(answerTool: string | null | undefined) {
    this.#answerTool = answerTool
  }

  /** The calls that have a name. The older `function_call` repeats a call, whose arguments may be only there. */
  get all(): readonly CalledTool[] {
    const named = this.#calls.filter(({ name }) => name !== "")
    const others = named.filter(({ index }) => index !== LEGACY)
    const isRepeated = others.some((call) => !isBlank(call.arguments)) || named.every((call) => isBlank(call.arguments))
    const calls = others.length === 0 ? named : named.filter(({ index }) => (index !== LEGACY) === isRepeated)
    return calls.map(({ index: _, ...call }) => call)
  }

  /** The arguments of each call of the answer tool. */
  get arguments(): readonly string[] {
    return this.#answers.map((call) => call.arguments).filter((text) => text !== "")
  }

  /** The arguments that an answer begins with: those of the first such call that are more than `{}`. */
  get first(): string | undefined {
    return this.#answers.find((call) => !isBlank(call.arguments))?.arguments
  }

  get #answers(): readonly ToolCallPieces[] {
    if (this.#answerTool === undefined) return this.#calls
    return this.#calls.filter(({ name }) => name === this.#answerTool)
  }

  /** Adds the calls of a message or of a chunk. `isWhole`: they repeat and complete what arrived before. */
  add(calls: unknown, options: { isWhole: boolean }): void {
    for (const [position, call] of listOf(calls).entries()) if (isRecord(call)) this.#addCall(call, position, options)
  }

  /** Adds the older `function_call` of a message, which servers repeat next to its tool call. */
  addLegacy(call: Record<string, unknown>, options: { isWhole: boolean }): void {
    if (this.#calls.every(({ index, arguments: written }) => index === LEGACY || isBlank(written)))
      this.add({ ...call, index: LEGACY }, options)
  }

  #addCall(call: Record<string, unknown>, position: number, { isWhole }: { isWhole: boolean }): void {
    const holder = asRecord(call.function) ?? asRecord(call.custom) ?? call
    const piece = writtenIn(holder) ?? writtenIn(call) ?? ""
    const id = typeof call.id === "string" && call.id !== "" ? call.id : undefined
    const index = typeof call.index === "number" ? call.index : position
    const pieces = this.#callAt(index, id, holder.name) ?? this.#begin(index, id)
    pieces.id ??= id
    if (isRecord(call.extra_content)) pieces.extraContent = call.extra_content
    // Some servers repeat the name in every chunk.
    if (pieces.name === "" && typeof holder.name === "string") pieces.name = toolName(holder.name)
    const repeats = isWhole && piece.startsWith(pieces.arguments)
    pieces.arguments = repeats ? piece : pieces.arguments + piece
  }

  #begin(index: number, id: string | undefined): ToolCallPieces {
    const pieces: ToolCallPieces = { index, id, name: "", arguments: "" }
    this.#calls.push(pieces)
    return pieces
  }

  /** The call that a piece belongs to. Gemini's endpoint gives every call of a stream the index 0, with different ids. */
  #callAt(index: number, id: string | undefined, name: unknown): ToolCallPieces | undefined {
    const call = this.#calls.findLast((each) => each.index === index)
    if (call === undefined || id === undefined || id === call.id || typeof name !== "string") return call
    return parseJson(call.arguments) === undefined ? call : undefined
  }
}

/** Whether arguments are empty, so that the answer may be in the content. Checks short strings only. */
export function isBlank(text: string): boolean {
  return text.length < 20 && /^\s*(?:\{\s*\}|null|"")?\s*$/.test(text)
}

function listOf(calls: unknown): unknown[] {
  const value = typeof calls === "string" ? parseJson(calls) : calls
  return isRecord(value) && isMapOfCalls(value) ? Object.values(value) : [value].flat(2)
}

/** Calls by index or by id, and not a single call. */
function isMapOfCalls(value: Record<string, unknown>): boolean {
  const calls = Object.values(value)
  return calls.length > 0 && calls.every(isRecord) && !("function" in value || "custom" in value)
}

/** The arguments of a call, under any of their names. */
function writtenIn({ arguments: written, parameters, input, args }: Record<string, unknown>): string | undefined {
  const texts = [written, parameters, input, args].map(asText).filter((text) => text !== "")
  return texts.find((text) => !isBlank(text)) ?? texts[0]
}

/**
 * A name without what chat templates put around it: gpt-oss `functions.answer<|channel|>commentary`,
 * Kimi `functions.answer:0`, Gemini `default_api.answer`.
 */
function toolName(name: string): string {
  return name.replace(/^(?:functions|default_api)[.:]/, "").replace(/(?:<\||:\d+$).*$/s, "")
}

/** An object, or the object in JSON. */
function asRecord(value: unknown): Record<string, unknown> | undefined {
  const object = typeof value === "string" ? parseJson(value) : value
  return isRecord(object) ? object : undefined
}

function asText(value: unknown): string {
  if (typeof value === "string") return value
  return typeof value === "object" && value !== null ? JSON.stringify(value) : ""
}
