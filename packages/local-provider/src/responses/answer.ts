import { randomBytes } from "node:crypto"
import type { Fault } from "../faults"
import { countText, cutToTokens } from "../models"
import { plausibleText, subjectOf } from "../plausible-data"
import { Random } from "../random"
import { dataForSchema } from "../schema-data"
import type { ResponsesModel } from "./rates"
import { hostedTools, type Item, itemsOf, promptOf, type ResponsesRequest } from "./request"

/** A generated response and its counts. */
export interface ResponsesAnswer {
  output: Item[]
  /** Set if the output limit ended the answer. */
  isCut: boolean
  inputTokens: number
  cachedTokens: number
  outputTokens: number
  reasoningTokens: number
  searches: number
  fileSearches: number
  /** Gigabytes of the containers that ran code. */
  containerGB: number
}

/** Tokens of the result of one hosted call, which become input. */
const TOKENS_PER_RESULT: Readonly<Record<string, number>> = {
  web_search: 3_000,
  file_search: 800,
  code_interpreter: 300,
}

/** Generates the answer to a request whose first prompt has this many tokens. */
export function answerResponses(
  request: ResponsesRequest,
  model: ResponsesModel,
  promptTokens: number,
  fault: Fault,
): ResponsesAnswer {
  const limit = Math.min(request.max_output_tokens ?? model.maxOutputTokens, model.maxOutputTokens)
  const reasoningTokens = Math.min(fault.reasoningTokens ?? (model.reasons ? 64 : 0), limit)
  const items = answerItems(request, fault)
  const wanted = items.reduce((sum, item) => sum + countText(textOf(item)), 0)
  const remaining = limit - reasoningTokens
  const isCut = wanted > remaining || fault.fillOutput === true
  const hosted = hostedCalls(request, fault)
  return {
    output: [
      ...(reasoningTokens > 0 ? [reasoningItem(request, reasoningTokens)] : []),
      ...hosted.items,
      ...(isCut ? [cutItem(items[0]!, remaining)] : items),
    ],
    isCut,
    // Each pass after a hosted call reads the prompt and all results so far again.
    inputTokens: hosted.resultTokens.reduce((sum, _, pass) => {
      const results = hosted.resultTokens.slice(0, pass + 1).reduce((all, each) => all + each, 0)
      return sum + Math.min(promptTokens + results, model.contextWindow)
    }, promptTokens),
    cachedTokens: Math.min(fault.cachedTokens ?? 0, promptTokens),
    outputTokens: reasoningTokens + (isCut ? remaining : wanted),
    reasoningTokens,
    searches: hosted.items.filter(({ type }) => type === "web_search_call").length,
    fileSearches: hosted.items.filter(({ type }) => type === "file_search_call").length,
    containerGB: hosted.containerGB,
  }
}

/** The reasoning, encrypted if the request asks for it, so that a later request can send it back. */
function reasoningItem({ include }: ResponsesRequest, tokens: number): Item {
  const isEncrypted = Array.isArray(include) && include.includes("reasoning.encrypted_content")
  const encrypted = isEncrypted ? { encrypted_content: randomBytes(6 * tokens).toString("base64") } : {}
  return { id: idOf("rs"), type: "reasoning", summary: [], ...encrypted }
}

/** Hosted calls in turns, as many as the request allows. */
function hostedCalls(request: ResponsesRequest, fault: Fault) {
  const tools = hostedTools(request)
  const calls = tools.length === 0 ? 0 : Math.min(fault.searches ?? 1, request.max_tool_calls ?? 4)
  const items: Item[] = []
  const resultTokens: number[] = []
  let containerGB = 0
  for (let index = 0; index < calls; index++) {
    const tool = tools[index % tools.length]!
    const kind = String(tool.type).replace(/^(web_search|file_search|code_interpreter).*/, "$1")
    resultTokens.push(TOKENS_PER_RESULT[kind]! * (kind === "file_search" ? Number(tool.max_num_results ?? 20) : 1))
    items.push(hostedItem(kind))
    if (kind === "code_interpreter") containerGB = gigabytesOf(tool)
  }
  return { items, resultTokens, containerGB }
}

function hostedItem(kind: string): Item {
  if (kind === "web_search")
    return {
      id: idOf("ws"),
      type: "web_search_call",
      status: "completed",
      action: { type: "search", query: "David Copperfield" },
    }
  if (kind === "file_search")
    return {
      id: idOf("fs"),
      type: "file_search_call",
      status: "completed",
      queries: ["David Copperfield"],
      results: null,
    }
  return {
    id: idOf("ci"),
    type: "code_interpreter_call",
    status: "completed",
    code: "print(1)",
    container_id: "cntr_local_1",
    outputs: null,
  }
}

function gigabytesOf({ container }: Item): number {
  const limit = (container as { memory_limit?: string } | undefined)?.memory_limit ?? "1g"
  return Number.parseInt(limit, 10)
}

function answerItems(request: ResponsesRequest, fault: Fault): Item[] {
  const message = (part: Item): Item => ({
    id: idOf("msg"),
    type: "message",
    status: "completed",
    role: "assistant",
    content: [part],
  })
  const text = (value: string) => [message({ type: "output_text", text: value, annotations: [], logprobs: [] })]
  if (fault.refusal !== undefined) return [message({ type: "refusal", refusal: fault.refusal })]
  const calls = fault.toolCalls ?? []
  if (calls.length > 0) return calls.map(toolCallOf)
  if (fault.answer !== undefined) return text(fault.answer)
  if (fault.empty) return text("")
  if (fault.invalidJson) return text('{"name": "David Copper')
  const prompt = promptOf(request)
  const context = { random: new Random(prompt), subject: subjectOf(prompt) }
  const tool = fault.toolCalls === undefined ? toolToCall(request) : undefined
  if (tool !== undefined)
    return [functionCall(String(tool.name), dataForSchema((tool.parameters ?? { type: "object" }) as never, context))]
  const schema = request.text?.format?.schema
  return text(schema === undefined ? plausibleText(context) : JSON.stringify(dataForSchema(schema, context)))
}

function toolCallOf({ name, arguments: input }: NonNullable<Fault["toolCalls"]>[number], index: number): Item {
  if (typeof input !== "string") return functionCall(name, input, index)
  return { id: idOf("ctc"), type: "custom_tool_call", status: "completed", name, call_id: callIdOf(index), input }
}

function callIdOf(index: number): string {
  return `call_local_${index + 1}`
}

function functionCall(name: string, values: unknown, index = 0): Item {
  return {
    id: idOf("fc"),
    type: "function_call",
    status: "completed",
    name,
    call_id: callIdOf(index),
    arguments: JSON.stringify(values),
  }
}

/** The first function, as long as no result has been sent. */
function toolToCall(request: ResponsesRequest): Item | undefined {
  if (request.tool_choice === "none") return undefined
  const isAnswered = itemsOf(request).some(({ type }) => type === "function_call_output")
  return isAnswered ? undefined : (request.tools ?? []).find(({ type }) => type === "function")
}

/** The generated text of an item. */
export function textOf(item: Item): string {
  if (item.type === "function_call") return String(item.arguments)
  if (item.type === "custom_tool_call") return String(item.input)
  const [part] = (item.content ?? []) as Item[]
  return String(part?.text ?? part?.refusal ?? "")
}

function cutItem(item: Item, tokens: number): Item {
  const text = cutToTokens(textOf(item), tokens)
  if (item.type === "function_call") return { ...item, arguments: text, status: "incomplete" }
  if (item.type === "custom_tool_call") return { ...item, input: text, status: "incomplete" }
  const [part] = (item.content ?? []) as Item[]
  const field = part?.type === "refusal" ? "refusal" : "text"
  return { ...item, status: "incomplete", content: [{ ...part, [field]: text }] }
}

export function idOf(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString("hex")}`
}
