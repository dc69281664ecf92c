import { isRecord } from "@p2/core"
import { shownName } from "../identifier"
import {
  imagePart,
  jsonPart,
  type PromptPart,
  recordsIn,
  rejectedPart,
  textPart,
  tokensPart,
  unseenPart,
} from "../prompt-parts"
import type { Rejection } from "../protocol"
import { invalidBody, rejected, unbounded } from "../rejection"
import { unknownField, words } from "../variants/body-fields"
import { inlineToolParts } from "./tools"

/** Tokens that a message and its role may add. */
const MESSAGE = tokensPart(4, 8)

/** Blocks whose JSON is at least as long as what the model sees of them. */
const JSON_BLOCKS = words(
  "thinking redacted_thinking connector_text tool_use server_tool_use mcp_tool_use mcp_tool_listing web_search_tool_result advisor_tool_result code_execution_tool_result bash_code_execution_tool_result text_editor_code_execution_tool_result tool_search_tool_result tool_reference compaction fallback browser_state tool_removal",
)

/** Blocks with blocks inside. */
const NESTED_BLOCKS = words("tool_result mcp_tool_result web_fetch_tool_result web_fetch_result search_result")

/** The parts of `messages`. */
export function messageParts(messages: unknown): PromptPart[] {
  const list = recordsIn(messages)
  if (list === undefined || list.length === 0)
    return [rejectedPart(invalidBody("messages", "an array of at least one message"))]
  return list.flatMap(({ role, content, ...others }, index) => {
    const path = `messages[${index}]`
    if (role !== "user" && role !== "assistant" && role !== "system")
      return [rejectedPart(invalidBody(`${path}.role`, '"user", "assistant" or "system"'))]
    const unknown = Object.keys(others).find((name) => name !== "output_config" && name !== "clear_at")
    if (unknown !== undefined) return [rejectedPart(unknownField(`${path}.${unknown}`))]
    return [MESSAGE, ...contentParts(content, `${path}.content`)]
  })
}

/** The deepest nesting of blocks: a fetched document inside a tool result. */
const MAX_DEPTH = 4

/** The parts of a content: a string, or an array of blocks. */
export function contentParts(content: unknown, path: string, depth = 0): PromptPart[] {
  if (content === undefined || content === null) return []
  if (depth > MAX_DEPTH) return [rejectedPart(invalidBody(path, "blocks that are nested less deeply"))]
  if (typeof content === "string") return textPart(content)
  const blocks = recordsIn(content)
  if (blocks === undefined) return [rejectedPart(invalidBody(path, "a string or an array of blocks"))]
  return blocks.flatMap((block, index) => blockParts(block, `${path}[${index}]`, depth + 1))
}

function blockParts(block: Record<string, unknown>, path: string, depth: number): PromptPart[] {
  const { type } = block
  if (type === "text") {
    const { text, citations } = block
    if (typeof text !== "string") return [rejectedPart(invalidBody(`${path}.text`, "a string"))]
    return [...textPart(text), ...(isEmpty(citations) ? [] : jsonPart(citations))]
  }
  if (type === "image") return [imagePart(sourceURL(block.source))]
  if (type === "document") return documentParts(block, path, depth)
  if (type === "container_upload") return [rejectedPart(containerUpload())]
  if (typeof type === "string" && NESTED_BLOCKS.has(type)) return nestedParts(block, path, depth)
  if (type === "tool_addition") return additionParts(block.tool)
  if (typeof type === "string" && JSON_BLOCKS.has(type)) return jsonPart(withoutCacheControl(block))
  const message = `Unknown block ${shownName(type)} at \`${path}\`: its cost is unknown. Send its text, an image or a document.`
  return [rejectedPart(rejected("unknown-field", message))]
}

/** @see https://platform.claude.com/docs/en/about-claude/pricing#code-execution-tool (as of 2026-09) */
function containerUpload(): Rejection {
  const because = "the container is billed by time, even if its tool is not called"
  return unbounded("`container_upload`", because, "Read the file in a tool of your own.")
}

/** With citations enabled, the text is divided into sentences with markup of unpublished length. */
function isCited({ citations }: Record<string, unknown>): boolean {
  return isRecord(citations) && citations.enabled === true
}

function nestedParts(block: Record<string, unknown>, path: string, depth: number): PromptPart[] {
  if (isCited(block)) return [unseenPart("a search result with citations")]
  const { content, ...others } = withoutCacheControl(block)
  // A fetched page is one block, not a list.
  const inner = isRecord(content) ? [content] : content
  return [...jsonPart(others), ...contentParts(inner, `${path}.content`, depth)]
}

function documentParts(block: Record<string, unknown>, path: string, depth: number): PromptPart[] {
  const { source } = block
  if (isCited(block)) return [unseenPart("a document with citations")]
  if (!isRecord(source)) return [rejectedPart(invalidBody(`${path}.source`, "an object"))]
  const { title, context } = block
  const labels = isEmpty(title) && isEmpty(context) ? [] : jsonPart({ title, context })
  if (source.type === "text" && typeof source.data === "string") return [...labels, ...textPart(source.data)]
  if (source.type === "content") return [...labels, ...contentParts(source.content, `${path}.source.content`, depth)]
  return [unseenPart("a document as a file")]
}

/** A reference to one of the call's tools costs at most its JSON; a definition costs as much as a tool. */
function additionParts(tool: unknown): PromptPart[] {
  return isRecord(tool) && tool.definition !== undefined ? inlineToolParts(tool.definition) : jsonPart(tool)
}

/** A `data:` URL for an image in the request, from which its size is read. */
function sourceURL(source: unknown): string {
  if (!isRecord(source)) return ""
  if (source.type === "base64") return `data:${String(source.media_type)};base64,${String(source.data)}`
  return "https://image.invalid/"
}

function withoutCacheControl({ cache_control: _, ...block }: Record<string, unknown>): Record<string, unknown> {
  return block
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null
}
