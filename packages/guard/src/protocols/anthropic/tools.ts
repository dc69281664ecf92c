import { isRecord } from "@p2/core"
import { shownName } from "../identifier"
import { jsonPart, type PromptPart, recordsIn, rejectedPart, tokensPart } from "../prompt-parts"
import type { Rejection } from "../protocol"
import { invalidBody, rejected, unbounded } from "../rejection"
import { unknownField, words } from "../variants/body-fields"

/** What the tools of a call add to it. */
export interface ClaudeTools {
  parts: PromptPart[]
  /** Tools that Anthropic runs. `web`: their results become input. `search`: they only select other tools. */
  runs: ReadonlySet<"web" | "search">
  /** Maximum number of billed web searches. */
  webSearches: number
}

/**
 * The instructions that Anthropic adds to a call with tools: at most 804 tokens for the models in its table (Opus 4.7, any).
 * The numbers have changed for models that were published, so the bound adds a quarter.
 * @see https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing (as of 2026-09)
 */
const INSTRUCTIONS = tokensPart(500, 1024)

/** Tokens that the markup of one tool may add to its JSON. */
const MARKUP = tokensPart(12, 64)

/**
 * Tools with Anthropic's own schema that the caller runs, with their published tokens; the bound allows 1.5 times as
 * many.
 * @see https://platform.claude.com/docs/en/about-claude/pricing#specific-tool-pricing (as of 2026-09)
 */
const CLIENT_TOOLS: readonly (readonly [type: RegExp, tokens: number])[] = [
  [/^bash_20\d{6}$/, 325],
  [/^text_editor_20\d{6}$/, 700],
  // 735 for the definition and 499 in the system prompt.
  [/^computer_20\d{6}$/, 1234],
  [/^computer_toolset_20\d{6}$/, 4590],
  [/^browser_toolset_20\d{6}$/, 7550],
  // Its tokens are not published. The bound exceeds that of every other single tool.
  [/^memory_20\d{6}$/, 1500],
]

/** Tokens of a tool that Anthropic runs. They are not published; the bound is that of the largest single tool above. */
const SERVER_TOOL = tokensPart(500, 2250)

const SERVER_TOOL_FIELDS = words(
  "type name max_uses allowed_domains blocked_domains user_location cache_control defer_loading strict allowed_callers response_inclusion citations max_content_tokens use_cache url_sources",
)

const NO_TOOLS: ClaudeTools = { parts: [], runs: new Set(), webSearches: 0 }

/** Reads `tools`. */
export function readTools(tools: unknown): ClaudeTools | Rejection {
  const list = recordsIn(tools ?? [])
  if (list === undefined) return invalidBody("tools", "an array of tools")
  if (list.length === 0) return NO_TOOLS
  const runs = new Set<"web" | "search">()
  const parts: PromptPart[] = [INSTRUCTIONS]
  let webSearches = 0
  const isCodeFree = list.some(({ type }) => isFreeOfCodeFees(type))
  for (const tool of list) {
    const added = readTool(tool, isCodeFree)
    if ("status" in added) return added
    parts.push(...added.parts)
    if (added.runs !== undefined) runs.add(added.runs)
    webSearches += added.webSearches ?? 0
  }
  return { parts, runs, webSearches }
}

/** The parts of a tool that is defined inside a message. Only a tool that the caller runs may be. */
export function inlineToolParts(tool: unknown): PromptPart[] {
  if (!isRecord(tool)) return jsonPart(tool)
  const added = readTool(tool, false)
  if ("status" in added) return [rejectedPart(added)]
  if (added.runs === undefined) return added.parts
  return [rejectedPart(unbounded(shownName(tool.type), "it is defined inside a message", "Define it in `tools`."))]
}

interface AddedTool {
  parts: PromptPart[]
  runs?: "web" | "search"
  webSearches?: number
}

function readTool(tool: Readonly<Record<string, unknown>>, isCodeFree: boolean): AddedTool | Rejection {
  const type = tool.type ?? "custom"
  if (type === "custom") return { parts: [...jsonPart(tool), MARKUP] }
  if (typeof type !== "string") return invalidBody("tools[].type", "a string")
  const own = CLIENT_TOOLS.find(([pattern]) => pattern.test(type))
  if (own !== undefined) return { parts: [tokensPart(own[1], Math.ceil(own[1] * 1.5)), ...jsonPart(tool)] }
  return readServerTool(tool, type, isCodeFree)
}

function readServerTool(
  tool: Readonly<Record<string, unknown>>,
  type: string,
  isCodeFree: boolean,
): AddedTool | Rejection {
  if (/^tool_search_tool_(regex|bm25)(_20\d{6})?$/.test(type)) return { parts: [SERVER_TOOL], runs: "search" }
  if (/^code_execution_20\d{6}$/.test(type)) {
    if (isCodeFree) return { parts: [SERVER_TOOL], runs: "web" }
    return unbounded(
      shownName(type),
      "its container is billed by time",
      "Run the code in a tool of your own, or add `web_search_20260209` or `web_fetch_20260209`, with which it has no fee.",
    )
  }
  const [, kind] = /^web_(search|fetch)_20\d{6}$/.exec(type) ?? []
  if (kind === undefined) return unknownTool(type)
  const unknown = Object.keys(tool).find((name) => !SERVER_TOOL_FIELDS.has(name))
  if (unknown !== undefined) return unknownField(`tools[].${unknown}`)
  if (kind === "fetch") return { parts: [SERVER_TOOL], runs: "web" }
  const { max_uses: maxUses } = tool
  if (!Number.isSafeInteger(maxUses) || (maxUses as number) < 0)
    return unbounded(shownName(type), "the model decides how often it searches", "Set `max_uses` on the tool.")
  return { parts: [SERVER_TOOL], runs: "web", webSearches: maxUses as number }
}

function unknownTool(type: string): Rejection {
  if (type === "mcp_toolset")
    return unbounded(
      shownName(type),
      "the server decides how many tokens its tools and results have",
      "Connect to the server in your code and pass its tools in `tools`.",
    )
  if (type.startsWith("advisor_"))
    return unbounded(shownName(type), "another model is billed", "Call that model in a tool of your own.")
  return rejected("unknown-field", `Unknown tool ${shownName(type)}: it may change the cost. Omit it.`)
}

/**
 * Whether code execution has no fee in a call with this tool.
 * @see https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool#usage-and-pricing (as of 2026-09)
 */
function isFreeOfCodeFees(type: unknown): boolean {
  const [, date] = /^web_(?:search|fetch)_(20\d{6})$/.exec(String(type)) ?? []
  return date !== undefined && date >= "20260209"
}
