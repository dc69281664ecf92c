import { about, type Counted } from "./counted"
import { jsonOf } from "./field-checks"
import { type RequestModel, textTokens } from "./request-model"

/**
 * Counts the fields of a message, a content part or a tool call that have no rule: they may reach the model, such as
 * `function_call` in older requests and Gemini's signatures in `extra_content`. Twice their JSON is the bound.
 */
export function otherFieldTokens(
  model: RequestModel,
  object: object,
  counted: ReadonlySet<string>,
  path: string,
): Counted[] {
  return Object.entries(object).flatMap(([name, value]) => {
    if (counted.has(name) || value === undefined || value === null) return []
    const json = textTokens(model, jsonOf({ [name]: value }, `${path}.${name}`))
    return [about("other", json.tokens, 2 * json.upperBound)]
  })
}
