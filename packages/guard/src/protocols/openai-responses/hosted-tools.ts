import { isRecord } from "@p2/core"
import type { CountableInput } from "../counted-input"
import { shownName } from "../identifier"
import type { Rejection } from "../protocol"
import { invalidBody, rejected, unbounded } from "../rejection"
import type { CalledModel } from "../variants/called-model"
import { countedTool } from "./countable-items"

type Fields = Readonly<Record<string, unknown>>

/**
 * Margin for the instructions of a tool that OpenAI defines. None are published; Anthropic's tools of this
 * kind have at most 1,234 tokens: https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview#pricing (2026-11-23)
 */
const DEFINED_TOOL_TOKENS = 2_048

/**
 * Maximum number of results of one file search, and maximum tokens of one result:
 * https://platform.openai.com/docs/api-reference/vector-stores
 */
const MAX_FILE_RESULTS = 50
const TOKENS_PER_FILE_RESULT = 4_096

/** Tools that the caller runs, or that only control how a tool is called. */
const CALLERS_TOOLS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "apply_patch",
  "computer",
  "computer_use_preview",
  "local_shell",
])

/** Items of the input that make further tools available. */
const ITEMS_WITH_TOOLS: ReadonlySet<string> = /* @__PURE__ */ new Set(["additional_tools", "tool_search_output"])

/**
 * Models whose preview searches cost the same as other searches; for the rest, a preview search costs 2.5 times as
 * much.
 */
const REASONING_MODEL = /^(gpt-([5-9]|\d\d)(?![\w.-]*-chat)|o\d)/

/** What the hosted tools of a response can do. */
export interface HostedTools {
  status: "read"
  /** Maximum number of calls to tools that the provider runs; 0: there are none. */
  calls: number
  /** Maximum number of model passes, each of which reads the whole input again. */
  passes: number
  /** Tools of MCP servers, whose definitions no prompt count includes. */
  hasRemoteTools: boolean
  webSearches: number
  fileSearches: number
  /** Gigabytes of the largest container, each of which is a session of 1 GB. */
  containerGB: number
  /** Tokens that each call can add to the input of later passes; undefined: up to the context window. */
  tokensPerCall: number | undefined
  /** `max_tool_calls` has to be sent, because the call has none. */
  sendsMaximum: boolean
}

/** A tool that the provider runs as often as the model decides. */
interface HostedTool {
  kind: "webSearch" | "fileSearch" | "code"
  tokensPerCall: number | undefined
  containerGB: number
}

/** Reads the tools of a response, and adds those that the caller runs to the input. */
export function readTools(
  body: Fields,
  input: CountableInput,
  model: CalledModel,
  maxToolCalls: number | undefined,
): HostedTools | Rejection {
  const hosted: HostedTool[] = []
  let firstHosted = ""
  let hasRemoteTools = false
  for (const { list, path: listPath } of toolLists(body)) {
    if (!Array.isArray(list)) return invalidBody(listPath, "an array of tools")
    for (const [index, tool] of list.entries()) {
      const path = `${listPath}[${index}]`
      if (!isRecord(tool) || typeof tool.type !== "string") return invalidBody(path, "a tool with a `type`")
      const result = readTool(tool, path, input, model)
      if (result === "callers") continue
      if (result === "remote") hasRemoteTools = true
      else if ("status" in result) return result
      else {
        addDefinedTool(tool, input)
        hosted.push(result)
        firstHosted ||= nameOf(tool, path)
      }
    }
  }
  const stated = body.max_tool_calls ?? undefined
  if (stated !== undefined && (!Number.isSafeInteger(stated) || (stated as number) < 0))
    return invalidBody("max_tool_calls", "an integer of at least 0")
  const maximum = (stated as number | undefined) ?? maxToolCalls
  if (hosted.length > 0 && maximum === undefined)
    return unbounded(
      `the hosted tool ${firstHosted}`,
      "the model decides how often to call it",
      "Send `max_tool_calls`, or omit the tool. Or pass `maxToolCalls`, which is sent with calls that have none.",
    )
  const calls = hosted.length > 0 ? maximum! : 0
  const kinds = new Set(hosted.map(({ kind }) => kind))
  return {
    status: "read",
    calls,
    // Every remote tool call waits for an approval, which is an input item.
    passes: 1 + calls + (hasRemoteTools ? approvalsIn(body.input) : 0),
    hasRemoteTools,
    webSearches: kinds.has("webSearch") ? calls : 0,
    fileSearches: kinds.has("fileSearch") ? calls : 0,
    containerGB: Math.max(0, ...hosted.map(({ containerGB }) => containerGB)),
    tokensPerCall: hasRemoteTools ? undefined : tokensPerCallOf(hosted),
    sendsMaximum: hosted.length > 0 && stated === undefined,
  }
}

function tokensPerCallOf(hosted: readonly HostedTool[]): number | undefined {
  if (hosted.some(({ tokensPerCall }) => tokensPerCall === undefined)) return undefined
  return Math.max(0, ...hosted.map(({ tokensPerCall }) => tokensPerCall!))
}

/** The tools of the call, and those that input items add. */
function toolLists({ tools, input }: Fields): { list: unknown; path: string }[] {
  const items: readonly unknown[] = Array.isArray(input) ? input : []
  return [
    { list: tools ?? [], path: "tools" },
    ...items.flatMap((item, index) =>
      isRecord(item) && ITEMS_WITH_TOOLS.has(String(item.type))
        ? [{ list: item.tools ?? [], path: `input[${index}].tools` }]
        : [],
    ),
  ]
}

function readTool(
  tool: Fields,
  path: string,
  input: CountableInput,
  model: CalledModel,
): HostedTool | Rejection | "callers" | "remote" {
  const type = String(tool.type)
  const name = nameOf(tool, path)
  if (type === "function" || type === "custom" || type === "namespace") {
    if (typeof tool.name !== "string") return invalidBody(`${path}.name`, "a string")
    if (type === "namespace" && !isOfFunctions(tool.tools))
      return rejected("unknown-field", `Unknown tool in ${name}: its cost is unknown. Omit it.`)
    input.tools.push(countedTool(tool.name, tool))
    return "callers"
  }
  if (CALLERS_TOOLS.has(type)) return addDefinedTool(tool, input)
  if (model.provider.name !== "openai" && model.provider.name !== "azure")
    return unbounded(`the hosted tool ${name}`, "its price at this provider is unknown", "Omit it.")
  switch (type.replace(/_(preview_)?20\d\d_\d\d_\d\d$|_preview$/, "")) {
    case "web_search":
      return webSearch(type, name, model)
    case "file_search":
      return fileSearch(tool, path)
    case "code_interpreter":
      return container(tool.container, `${path}.container`)
    case "shell":
      return shell(tool, path, input)
    case "mcp":
      return remoteTools(tool, path, input)
    case "tool_search":
      if (tool.execution === "client") return addDefinedTool(tool, input)
      return unbounded(
        `the tool ${name}`,
        "the provider runs it as often as the model decides",
        'Send `execution: "client"`.',
      )
    case "image_generation":
      return unbounded(
        `the tool ${name}`,
        "its images are billed at the price of another model",
        "Omit it, and generate images in separate calls.",
      )
    default:
      return rejected("unknown-field", `Unknown tool ${name}: its cost is unknown. Omit it.`)
  }
}

/** A namespace may only have functions and custom tools. */
function isOfFunctions(tools: unknown): boolean {
  return (
    Array.isArray(tools) &&
    tools.every((tool) => isRecord(tool) && (tool.type === "function" || tool.type === "custom"))
  )
}

/** A tool with instructions that the provider does not publish. */
function addDefinedTool(tool: Fields, input: CountableInput): "callers" {
  input.tools.push(countedTool(String(tool.type), tool))
  input.addedTokens += DEFINED_TOOL_TOKENS
  return "callers"
}

/** https://developers.openai.com/api/docs/pricing#built-in-tools */
function webSearch(type: string, tool: string, { countedAs }: CalledModel): HostedTool | Rejection {
  const name = countedAs.slice(countedAs.lastIndexOf("/") + 1)
  if (type.startsWith("web_search_preview") && !REASONING_MODEL.test(name))
    return unbounded(
      `the tool ${tool}`,
      "preview searches have their own price for models that do not reason",
      'Send the tool `{ type: "web_search" }` instead.',
    )
  return { kind: "webSearch", tokensPerCall: undefined, containerGB: 0 }
}

function fileSearch(tool: Fields, path: string): HostedTool | Rejection {
  const results = tool.max_num_results ?? MAX_FILE_RESULTS
  if (typeof results !== "number" || !Number.isSafeInteger(results) || results < 1 || results > MAX_FILE_RESULTS)
    return invalidBody(`${path}.max_num_results`, `an integer from 1 to ${MAX_FILE_RESULTS}`)
  return { kind: "fileSearch", tokensPerCall: results * TOKENS_PER_FILE_RESULT, containerGB: 0 }
}

/** A container that the call creates. The price is proportional to its memory: $0.03 for 1 GB. */
function container(value: unknown, path: string): HostedTool | Rejection {
  const isNew = isRecord(value) && (value.type === "auto" || value.type === "container_auto")
  const memory = isNew ? (value.memory_limit ?? "1g") : undefined
  if (memory !== "1g" && memory !== "4g" && memory !== "16g" && memory !== "64g")
    return unbounded(
      `\`${path}\``,
      "the memory of the container, which decides its price, is unknown",
      'Send `container: { type: "auto", memory_limit: "1g" }`.',
    )
  return { kind: "code", tokensPerCall: undefined, containerGB: Number.parseInt(memory, 10) }
}

function shell({ environment, type }: Fields, path: string, input: CountableInput): HostedTool | Rejection | "callers" {
  if (isRecord(environment) && environment.type === "local") return addDefinedTool({ environment, type }, input)
  return container(
    isRecord(environment) && environment.type === "container_auto" ? environment : undefined,
    `${path}.environment`,
  )
}

/** Tools of an MCP server: their definitions and results are unknown here, and each call needs an approval or has no maximum. */
function remoteTools(tool: Fields, path: string, input: CountableInput): Rejection | "remote" {
  if ((tool.require_approval ?? "always") !== "always")
    return unbounded(
      `the MCP server at \`${path}\``,
      "no source says that `max_tool_calls` counts its calls",
      'Send `require_approval: "always"`, or call its tools in your own code.',
    )
  input.unseen.push(`the tools of the MCP server at \`${path}\``)
  return "remote"
}

/** Names a tool by its type and path. */
function nameOf(tool: unknown, path: string): string {
  return `${shownName(isRecord(tool) ? tool.type : undefined)} at \`${path}\``
}

function approvalsIn(items: unknown): number {
  return Array.isArray(items)
    ? items.filter((item) => isRecord(item) && item.type === "mcp_approval_response").length
    : 0
}
