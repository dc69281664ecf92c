import { nearestIds, parseModelId, UnknownModelError, withoutDate } from "@p2/core"
import { limitsAliases, limitsAsOf, limitsTable } from "./generated/model-limits"

/** How many tokens a model takes and gives. */
export interface ModelLimits {
  /** Tokens of input and output together. */
  contextWindow: number
  /** Most input tokens, where it is stated to be less than the context window. */
  maxInputTokens?: number | undefined
  /** Most output tokens. */
  maxOutputTokens?: number | undefined
}

interface Row extends ModelLimits {
  key: string
  encoding: string | undefined
}

let rows: Map<string, Row> | undefined

/** Rows by key and by alias, read on first use. */
function limitRows(): Map<string, Row> {
  if (rows !== undefined) return rows
  const read = new Map<string, Row>()
  const count = (field: string | undefined) => (field === undefined || field === "" ? undefined : Number(field))
  for (const line of limitsTable.split("\n")) {
    if (line === "") continue
    const [key = "", contextWindow, maxInput, maxOutput, encoding] = line.split("\t")
    read.set(key, {
      key,
      contextWindow: Number(contextWindow),
      maxInputTokens: count(maxInput),
      maxOutputTokens: count(maxOutput),
      encoding: encoding === "" ? undefined : encoding,
    })
  }
  for (const line of limitsAliases.split("\n")) {
    const [alias = "", key = ""] = line.split("\t")
    const row = read.get(key)
    if (row !== undefined && !read.has(alias)) read.set(alias, row)
  }
  rows = read
  return rows
}

/**
 * The forms under which a model may be listed, nearest first: as written, without OpenRouter's suffix (`:online`), without
 * the router or the cloud in front, each of them also without a real calendar date at its end. Never a part of a name.
 */
export function modelForms(model: string): string[] {
  const { provider, suffix } = parseModelId(model)
  const forms = [model]
  const plain = suffix === undefined ? model : model.slice(0, -suffix.length - 1)
  if (plain !== model) forms.push(plain)
  const inner = provider === undefined ? plain : plain.slice(provider.length + 1)
  if (provider === "openrouter") forms.push(inner)
  if (provider === "azure") forms.push(`openai/${inner}`)
  return forms.flatMap((form) => {
    const undated = withoutDate(form)
    return undated === undefined ? [form] : [form, undated]
  })
}

/** The row of a model, or undefined. */
export function findModelRow(model: string): Row | undefined {
  const known = limitRows()
  for (const form of modelForms(model)) {
    const row = known.get(form)
    if (row !== undefined) return row
  }
  return undefined
}

/**
 * Context window and most input and output tokens of a model, as of `limitsAsOf`.
 * @throws UnknownModelError which names the nearest known ids; InvalidArgumentError for what is no model id.
 */
export function getModelLimits(model: string): ModelLimits {
  const row = findModelRow(model)
  if (row === undefined)
    throw new UnknownModelError(model, {
      what: "context window",
      nearest: nearestIds(model, limitRows().keys()),
      remedy: "Check the id, or state its `contextWindow` in a price table of your own.",
    })
  const limits: ModelLimits = { contextWindow: row.contextWindow }
  if (row.maxInputTokens !== undefined) limits.maxInputTokens = row.maxInputTokens
  if (row.maxOutputTokens !== undefined) limits.maxOutputTokens = row.maxOutputTokens
  return limits
}

/** Day on which the limits were read, as YYYY-MM-DD. */
export function modelLimitsAsOf(): string {
  return limitsAsOf
}
