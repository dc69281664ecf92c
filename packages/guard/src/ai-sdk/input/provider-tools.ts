import { isRecord } from "@p2/core"
import { passesOf } from "../../protocols/anthropic/passes"
import { readTools as readAnthropicTools } from "../../protocols/anthropic/tools"
import type { CountableInput } from "../../protocols/counted-input"
import { readTools as readGeminiTools } from "../../protocols/gemini/tools"
import { shownName } from "../../protocols/identifier"
import { readTools as readOpenAITools } from "../../protocols/openai-responses/hosted-tools"
import { type PromptPart, recordsIn } from "../../protocols/prompt-parts"
import type { CallTerms, Rejection } from "../../protocols/protocol"
import { invalidBody, unbounded, unknownWindow } from "../../protocols/rejection"
import type { CalledModel } from "../../protocols/variants/called-model"
import type { Fields } from "../specification"

/** The tools of a call that its provider defines. Some of them the provider also runs. */
export interface ProviderTools {
  status: "read"
  /**
   * Maximum number of model passes: more than 1 if the provider runs tools. Each has the whole context window as input.
   */
  passes: number
  /** Number of passes, each with its own output limit. */
  choices: number
  pieces: Pick<CallTerms["boundOptions"], "webSearches" | "fileSearches" | "codeInterpreterSessions">
}

/** Reads the tools that a provider defines, in the form of its own API, and adds their tokens to the input. */
export function readProviderTools(
  tools: unknown,
  input: CountableInput,
  model: CalledModel,
  maxToolCalls: number | undefined,
): ProviderTools | Rejection {
  const list = recordsIn(tools ?? [])
  if (list === undefined) return invalidBody("tools", "an array of tools")
  const defined = list.filter(({ type }) => type !== "function")
  if (defined.length === 0) return NO_TOOLS
  const ids = defined.map(({ id }) => String(id))
  const prefix = ids[0]!.split(".")[0]!
  const other = ids.find((id) => id.split(".")[0] !== prefix || !Object.hasOwn(READERS, prefix))
  if (other !== undefined)
    return unbounded(
      `the tool ${shownName(other)}`,
      "the middleware does not know what its provider bills for it",
      "Use a tool of your own, or `guardFetch` as `fetch` of the provider.",
    )
  const wire = defined.map(({ id, name, args }) => ({ type: wireType(String(id)), name, args: snakeCase(args) }))
  return READERS[prefix]!(wire, input, model, maxToolCalls)
}

const NO_TOOLS: ProviderTools = { status: "read", passes: 1, choices: 1, pieces: {} }

/** A tool in the names of its provider's API. */
interface WireTool {
  type: string
  name: unknown
  args: Fields
}

type ToolReader = (
  tools: readonly WireTool[],
  input: CountableInput,
  model: CalledModel,
  maxToolCalls: number | undefined,
) => ProviderTools | Rejection

const READERS: Readonly<Record<string, ToolReader>> = {
  anthropic: readAnthropic,
  openai: readOpenAI,
  azure: readOpenAI,
  google: readGoogle,
}

/** `anthropic.tool_search_regex_20251119` is `tool_search_tool_regex_20251119` in the API. */
function wireType(id: string): string {
  return id.slice(id.indexOf(".") + 1).replace(/^tool_search_(regex|bm25)/, "tool_search_tool_$1")
}

function snakeCase(value: unknown): Fields {
  const entries = Object.entries(isRecord(value) ? value : {}).filter(([, each]) => each !== undefined)
  return Object.fromEntries(
    entries.map(([name, each]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), each]),
  )
}

function readAnthropic(
  tools: readonly WireTool[],
  input: CountableInput,
  model: CalledModel,
): ProviderTools | Rejection {
  const read = readAnthropicTools(tools.map(({ type, name, args }) => ({ ...args, type, name })))
  if ("status" in read) return read
  const rejection = addParts(input, read.parts)
  if (rejection !== undefined) return rejection
  const passes = passesOf(read)
  return withWindow({ status: "read", passes, choices: passes, pieces: { webSearches: read.webSearches } }, model)
}

function readOpenAI(
  tools: readonly WireTool[],
  input: CountableInput,
  model: CalledModel,
  maxToolCalls: number | undefined,
): ProviderTools | Rejection {
  const body = { tools: tools.map(({ type, args }) => ({ ...args, type })), max_tool_calls: maxToolCalls }
  const read = readOpenAITools(body, input, model, undefined)
  if (read.status === "rejected") return read
  const { passes, calls, webSearches, fileSearches, containerGB } = read
  const pieces = { webSearches, fileSearches, codeInterpreterSessions: containerGB * calls }
  return withWindow({ status: "read", passes, choices: 1, pieces }, model)
}

function readGoogle(tools: readonly WireTool[], input: CountableInput, model: CalledModel): ProviderTools | Rejection {
  const wire = tools.map(({ type, args }) => ({ [type]: type === "google_search" ? args : {} }))
  const read = readGeminiTools(wire, model)
  if (read.status === "rejected") return read
  return (
    addParts(input, read.parts) ?? { status: "read", passes: 1, choices: 1, pieces: { webSearches: read.webSearches } }
  )
}

function withWindow(tools: ProviderTools, { window }: CalledModel): ProviderTools | Rejection {
  if (tools.passes === 1 || window !== undefined) return tools
  return unknownWindow("tools that the provider runs", "Omit them.")
}

function addParts(input: CountableInput, parts: readonly PromptPart[]): Rejection | undefined {
  for (const part of parts) {
    if (part.kind === "rejected") return part.rejection
    if (part.kind === "text") input.otherText.push(part.text)
    else if (part.kind === "tokens") input.addedTokens += part.upperBound
    else if (part.kind === "unseen") input.unseen.push(part.what)
  }
  return undefined
}
