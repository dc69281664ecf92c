import { createHash } from "node:crypto"
import type { TextCount } from "../text-count"
import { type Block, blocksOf, type ClaudeRequest } from "./request"

/** How the model of a request counts. */
interface Counting {
  text: TextCount
  imageTokens: number
}

/** Tokens that enable tools: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview (2026-11-23). */
const TOOL_PROMPT = { auto: 496, any: 588 }
/** The newest models have other numbers; 804 is the highest of the table. */
const TOOL_PROMPT_4_7 = { auto: 675, any: 804 }

/** Tokens of tools that Anthropic defines, from these tools' documentation (2026-11-23). */
const DEFINED_TOOLS: readonly (readonly [prefix: string, tokens: number])[] = [
  ["bash_", 325],
  ["text_editor_", 700],
  ["computer_", 735 + 499],
  ["web_search_", 400],
]

const TOKENS_PER_MESSAGE = 4
const TOKENS_PER_REQUEST = 3
/** A scan of a page is an image and its text: 1,500 to 3,000 tokens for text, up to 1,600 for the image. */
const TOKENS_PER_PAGE = 3000 + 1568

/** One part of the prompt, in the order in which the model sees it, and whether a cache breakpoint follows it. */
interface PromptPart {
  tokens: number
  key: string
  breakpoint: "5m" | "1h" | undefined
}

/** Input tokens of a request, by how they are billed. */
export interface ClaudeInput {
  fresh: number
  cacheRead: number
  cacheWrite: number
  cacheWrite1h: number
}

export function totalInput(input: ClaudeInput): number {
  return input.fresh + input.cacheRead + input.cacheWrite + input.cacheWrite1h
}

/** Counts the whole prompt. */
export function countClaudeInput(request: ClaudeRequest, count: TextCount): number {
  return promptParts(request, count).reduce((sum, part) => sum + part.tokens, 0)
}

/**
 * Divides the prompt into what is read from the cache, written to it, and neither. A prefix is cached from 1,024 tokens on,
 * and only at the breakpoints of the request.
 */
export function readCache(request: ClaudeRequest, count: TextCount, cached: Set<string>): ClaudeInput {
  const parts = promptParts(request, count)
  const input: ClaudeInput = { fresh: 0, cacheRead: 0, cacheWrite: 0, cacheWrite1h: 0 }
  const hash = createHash("sha256").update(request.model)
  let tokens = 0
  let since = 0
  const writes: string[] = []
  for (const part of parts) {
    hash.update(part.key)
    tokens += part.tokens
    since += part.tokens
    if (part.breakpoint === undefined || tokens < 1024) continue
    const prefix = hash.copy().digest("hex")
    if (cached.has(prefix)) {
      Object.assign(input, { cacheRead: tokens, cacheWrite: 0, cacheWrite1h: 0 })
    } else {
      if (part.breakpoint === "1h") input.cacheWrite1h += since
      else input.cacheWrite += since
      writes.push(prefix)
    }
    since = 0
  }
  for (const prefix of writes) cached.add(prefix)
  input.fresh = since
  return input
}

function promptParts(request: ClaudeRequest, text: TextCount): PromptPart[] {
  // The largest images: https://platform.claude.com/docs/en/build-with-claude/vision (2026-11-23).
  const counting = { text, imageTokens: /opus-4-[7-9]|[a-z]-5/.test(request.model) ? 4784 : 1568 }
  return [
    ...toolParts(request, counting),
    ...blocksOf(request.system).map((block) => blockPart(block, counting, 0)),
    ...formatParts(request, counting),
    ...request.messages.flatMap(({ content }) =>
      blocksOf(content).map((block, index) => blockPart(block, counting, index === 0 ? TOKENS_PER_MESSAGE : 0)),
    ),
    { tokens: TOKENS_PER_REQUEST, key: "", breakpoint: breakpointOf(request) },
  ]
}

function toolParts(request: ClaudeRequest, counting: Counting): PromptPart[] {
  const { tools = [], tool_choice: choice } = request
  if (tools.length === 0) return []
  const table = /opus-4-[7-9]/.test(request.model) ? TOOL_PROMPT_4_7 : TOOL_PROMPT
  const prompt = choice?.type === "any" || choice?.type === "tool" ? table.any : table.auto
  return [
    { tokens: prompt, key: "tools", breakpoint: undefined },
    ...tools.map((tool) => {
      const defined = DEFINED_TOOLS.find(([prefix]) => String(tool.type ?? "").startsWith(prefix))
      const json = JSON.stringify({ ...tool, cache_control: undefined })
      return { tokens: defined?.[1] ?? counting.text(json) + 12, key: json, breakpoint: breakpointOf(tool) }
    }),
  ]
}

/** A schema of the answer is described to the model. */
function formatParts(request: ClaudeRequest, counting: Counting): PromptPart[] {
  const schema = request.output_config?.format?.schema ?? request.output_format?.schema
  if (schema === undefined) return []
  const json = JSON.stringify(schema)
  return [{ tokens: counting.text(json) + 60, key: json, breakpoint: undefined }]
}

function blockPart(block: Block, counting: Counting, added: number): PromptPart {
  return {
    tokens: blockTokens(block, counting) + added,
    key: JSON.stringify({ ...block, cache_control: undefined }),
    breakpoint: breakpointOf(block),
  }
}

function blockTokens(block: Block, counting: Counting): number {
  switch (block.type) {
    case "text":
      return counting.text(String(block.text))
    case "image":
      return counting.imageTokens
    case "document":
      return documentTokens(block, counting)
    case "tool_result":
      return (
        8 + blocksOf(block.content as string | Block[]).reduce((sum, inner) => sum + blockTokens(inner, counting), 0)
      )
    case "thinking":
      return counting.text(String(block.thinking))
    default: {
      const { cache_control: _, signature: __, encrypted_content: ___, ...shown } = block
      return 8 + counting.text(JSON.stringify(shown))
    }
  }
}

function documentTokens(block: Block, counting: Counting): number {
  const source = block.source as { type?: string; data?: string; content?: string | Block[] } | undefined
  if (source?.type === "text") return 8 + counting.text(String(source.data))
  if (source?.type === "content")
    return 8 + blocksOf(source.content).reduce((sum, inner) => sum + blockTokens(inner, counting), 0)
  const pages = Math.min(600, Math.max(1, Math.ceil(String(source?.data ?? "").length / 50_000)))
  return pages * TOKENS_PER_PAGE
}

function breakpointOf(holder: Record<string, unknown>): "5m" | "1h" | undefined {
  const control = holder.cache_control as { type?: string; ttl?: string } | null | undefined
  if (control === undefined || control === null) return undefined
  return control.ttl === "1h" ? "1h" : "5m"
}
