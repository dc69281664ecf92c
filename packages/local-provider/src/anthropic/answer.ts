import type { Fault } from "../faults"
import { countText, cutToTokens } from "../models"
import { plausibleText, subjectOf } from "../plausible-data"
import { Random } from "../random"
import { dataForSchema } from "../schema-data"
import { type ClaudeInput, totalInput } from "./count"
import type { ClaudeModel } from "./rates"
import { type Block, blocksOf, type ClaudeRequest, claudePrompt, clientTools, maxSearches } from "./request"

/** A generated answer and its token counts. */
export interface ClaudeAnswer {
  content: Block[]
  stopReason: string | null
  input: ClaudeInput
  outputTokens: number
  thinkingTokens: number
  searches: number
}

/** Tokens of the results of one search, which become input. */
const TOKENS_PER_SEARCH_RESULT = 1500

/** Generates the answer to a request. Each pass before a search has `max_tokens` for itself. */
export function answerClaude(
  request: ClaudeRequest,
  model: ClaudeModel,
  prompt: ClaudeInput,
  fault: Fault,
): ClaudeAnswer {
  const limit = Math.min(request.max_tokens, model.maxOutputTokens)
  const thinks = request.thinking?.type === "enabled" || request.thinking?.type === "adaptive"
  const thinkingTokens = Math.min(fault.reasoningTokens ?? (thinks ? 24 : 0), limit)
  const body = answerBlocks(request, fault)
  const texts = body.map((block) => String(block.text ?? JSON.stringify(block.input)))
  const wanted = texts.reduce((sum, text) => sum + countText(text), 0)
  const remaining = limit - thinkingTokens
  const isCut = wanted > remaining || fault.fillOutput === true
  const searches = searchesOf(request, fault)
  const content = [
    ...(thinks ? [{ type: "thinking", thinking: "Think about the question.", signature: "c2lnbmF0dXJl" }] : []),
    ...searchBlocks(searches),
    ...(isCut ? [cutBlock(body[0]!, remaining)] : body),
  ]
  return {
    content,
    stopReason: fault.noFinishReason ? null : (fault.finishReason ?? stopReasonOf(body, isCut, fault)),
    input: withSearchResults(prompt, searches),
    // The count is not zero, even for an empty answer.
    outputTokens: Math.max(
      1,
      thinkingTokens + (isCut ? remaining : wanted) + (fault.fillOutput ? searches * limit : 0),
    ),
    thinkingTokens,
    searches,
  }
}

/** Each pass after a search reads the prompt and all results so far again. */
function withSearchResults(prompt: ClaudeInput, searches: number): ClaudeInput {
  const first = totalInput(prompt)
  let fresh = prompt.fresh
  for (let pass = 1; pass <= searches; pass++) fresh += first + pass * TOKENS_PER_SEARCH_RESULT
  return { ...prompt, fresh }
}

function searchesOf(request: ClaudeRequest, fault: Fault): number {
  return Math.min(fault.searches ?? 1, maxSearches(request))
}

function answerBlocks(request: ClaudeRequest, fault: Fault): Block[] {
  const text = (value: string): Block[] => [{ type: "text", text: value }]
  if (fault.refusal !== undefined) return text(fault.refusal)
  const calls = fault.toolCalls ?? []
  if (calls.length > 0) return calls.map(({ name, arguments: input }, index) => toolUse(name, input, index))
  if (fault.answer !== undefined) return text(fault.answer)
  if (fault.empty) return text("")
  if (fault.invalidJson) return text('{"name": "David Copper')
  const prompt = claudePrompt(request)
  const context = { random: new Random(prompt), subject: subjectOf(prompt) }
  const tool = fault.toolCalls === undefined ? toolToCall(request) : undefined
  if (tool !== undefined) {
    const input = fault.wrongShape
      ? { unexpected: true }
      : dataForSchema(tool.input_schema as Record<string, unknown>, context)
    return [toolUse(String(tool.name), input)]
  }
  if (fault.wrongShape) return text('{"unexpected": true}')
  const schema = request.output_config?.format?.schema ?? request.output_format?.schema
  return text(schema === undefined ? plausibleText(context) : JSON.stringify(dataForSchema(schema, context)))
}

function toolUse(name: string, input: unknown, index = 0): Block {
  return { type: "tool_use", id: `toolu_local_${index + 1}`, name, input }
}

/** The tool that must be called, or the first one as long as no result has been sent. */
function toolToCall(request: ClaudeRequest): Record<string, unknown> | undefined {
  const tools = clientTools(request)
  const choice = request.tool_choice?.type ?? "auto"
  if (choice === "none") return undefined
  if (choice === "tool") return tools.find(({ name }) => name === request.tool_choice?.name)
  const last = request.messages.at(-1)
  const isAnswered = blocksOf(last?.content).some(({ type }) => type === "tool_result")
  return choice === "any" || !isAnswered ? tools[0] : undefined
}

function stopReasonOf(body: readonly Block[], isCut: boolean, fault: Fault): string {
  if (fault.refusal !== undefined) return "refusal"
  if (isCut) return "max_tokens"
  return body.some(({ type }) => type === "tool_use") ? "tool_use" : "end_turn"
}

function cutBlock(block: Block, tokens: number): Block {
  return block.type === "text" ? { ...block, text: cutToTokens(String(block.text), tokens) } : { ...block, input: {} }
}

function searchBlocks(searches: number): Block[] {
  return Array.from({ length: searches }, (_, index): Block[] => [
    {
      type: "server_tool_use",
      id: `srvtoolu_local_${index}`,
      name: "web_search",
      input: { query: "David Copperfield" },
    },
    {
      type: "web_search_tool_result",
      tool_use_id: `srvtoolu_local_${index}`,
      content: [
        {
          type: "web_search_result",
          url: "https://example.org/",
          title: "Example",
          encrypted_content: "ZW5jcnlwdGVk",
          page_age: null,
        },
      ],
    },
  ]).flat()
}
