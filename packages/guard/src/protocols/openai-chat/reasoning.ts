import { isRecord } from "@p2/core"

const TEXT_FIELDS = ["reasoning_content", "reasoning"] as const

/** Fields of a detail whose pieces are joined. */
const PIECES = ["text", "summary", "data"] as const

/**
 * Collects the reasoning of a message in the fields of its provider, which some providers require with the tool calls: DeepSeek
 * rejects them without it (https://api-docs.deepseek.com/guides/thinking_mode), and OpenRouter's `reasoning_details` have the
 * signatures that Gemini and Claude require (https://openrouter.ai/docs/use-cases/reasoning-tokens).
 */
export class Reasoning {
  readonly #texts: Partial<Record<(typeof TEXT_FIELDS)[number], string>> = {}
  #details: Record<string, unknown>[] = []

  /** The fields as they are sent back. The details contain the text. */
  get fields(): Readonly<Record<string, unknown>> {
    const { reasoning, ...others } = this.#texts
    if (this.#details.length > 0) return { ...others, reasoning_details: this.#details }
    return this.#texts
  }

  /** Adds the fields of a message or of a chunk. `isWhole`: they repeat and complete what arrived before. */
  add(message: Record<string, unknown>, { isWhole }: { isWhole: boolean }): void {
    for (const name of TEXT_FIELDS) {
      const piece = message[name]
      if (typeof piece !== "string" || piece === "") continue
      const before = this.#texts[name] ?? ""
      this.#texts[name] = isWhole && piece.startsWith(before) ? piece : before + piece
    }
    const { reasoning_details: details } = message
    if (!Array.isArray(details)) return
    if (isWhole) this.#details = []
    for (const detail of details) if (isRecord(detail)) this.#addDetail(detail)
  }

  /** In a stream, the pieces of one detail have the same index and type. */
  #addDetail(detail: Record<string, unknown>): void {
    const { index, type } = detail
    const before = this.#details.find((each) => index !== undefined && each.index === index && each.type === type)
    if (before === undefined) {
      this.#details.push({ ...detail })
      return
    }
    for (const [name, value] of Object.entries(detail)) {
      const isPiece = PIECES.includes(name as (typeof PIECES)[number]) && typeof value === "string"
      if (isPiece && typeof before[name] === "string") before[name] += value
      else if (value !== null && value !== undefined) before[name] = value
    }
  }
}
