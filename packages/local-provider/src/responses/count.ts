import { countText } from "../models"
import type { ServerContext } from "../server-context"
import { type Item, itemsOf, partsOf, type ResponsesRequest } from "./request"

const TOKENS_PER_REQUEST = 3
const TOKENS_PER_ITEM = 4
/** Instructions that tools and formats add without being visible to the caller. */
const TOOLS_PROMPT = 150
const TOKENS_PER_TOOL = 12
const FORMAT_PROMPT = 60

/** Counts the tokens of a prompt, with the earlier turns that the provider has stored. */
export function countResponsesInput(request: ResponsesRequest, context: ServerContext): number {
  const earlier = context.responses.get(request.previous_response_id ?? "")?.conversationTokens ?? 0
  const { instructions, tools = [], text } = request
  const schema = text?.format?.schema
  return (
    TOKENS_PER_REQUEST +
    earlier +
    (instructions ? countText(instructions) + TOKENS_PER_ITEM : 0) +
    itemsOf(request).reduce((sum, item) => sum + itemTokens(item, request.model), 0) +
    (tools.length === 0 ? 0 : TOOLS_PROMPT) +
    tools.reduce((sum, tool) => sum + TOKENS_PER_TOOL + countText(JSON.stringify(tool)), 0) +
    (schema === undefined ? 0 : FORMAT_PROMPT + countText(JSON.stringify(schema)))
  )
}

function itemTokens(item: Item, model: string): number {
  const { type = "message", content, output } = item
  if (type === "message")
    return TOKENS_PER_ITEM + partsOf(content).reduce((sum, part) => sum + partTokens(part, model), 0)
  if (type.endsWith("_output")) {
    const parts = partsOf(output)
    return TOKENS_PER_ITEM + parts.reduce((sum, part) => sum + partTokens(part, model), 0)
  }
  const { id: _, status: __, type: ___, call_id: ____, ...shown } = item
  return TOKENS_PER_ITEM + countText(JSON.stringify(shown))
}

/**
 * The largest image of each family: https://developers.openai.com/api/docs/guides/images-vision (2026-11-23). A file
 * has 2,000 tokens per 50,000 characters.
 */
function partTokens(part: Item, model: string): number {
  if (part.type === "input_image") return part.detail === "low" ? 75 : largestImage(model)
  if (part.type === "input_file") return 2_000 * Math.max(1, Math.ceil(String(part.file_data ?? "").length / 50_000))
  return countText(String(part.text ?? part.refusal ?? ""))
}

function largestImage(model: string): number {
  if (/^gpt-4o-mini/.test(model)) return 2833 + 8 * 5667
  if (/^gpt-4/.test(model)) return 85 + 8 * 170
  return /^(gpt-5-mini|o4-mini)/.test(model) ? Math.ceil(1536 * 1.62) : 70 + 8 * 140
}
