/** Every public function that takes text from outside, by package. `hostile.mjs` measures them. */
import { createBudget, memoryStore } from "@p2/budget"
import * as core from "@p2/core"
import { budgetErrorFrom } from "@p2/guard"
import { ChatCompletion, findProtocol } from "@p2/guard/protocols"
import { readRetryHints, SseReader } from "@p2/guard/transport"
import * as pricing from "@p2/pricing"
import * as meters from "@p2/pricing/usage"
import * as tokens from "@p2/tokens"
import { z } from "zod"

/** Errors are valid results: only their time matters. */
function tryIt(call) {
  try {
    return call()
  } catch (error) {
    return core.describeValue(error.message)
  }
}

const model = "gpt-4o"
const claude = "claude-sonnet-4-5"
const schema = core.compileAnswer(z.object({ name: z.string(), list: z.array(z.string()).optional() }))

const CORE = {
  findJson: core.findJson,
  cutReasoning: core.cutReasoning,
  "cutReasoning after <think>": (text) => core.cutReasoning(`<think>${text}`),
  parsePartialJson: core.parsePartialJson,
  "parsePartialJson in a string": (text) => core.parsePartialJson(`{"name":"${text}`),
  "compileAnswer().parse": (text) => schema.parse(text),
  "compileAnswer().parse in a string": (text) => schema.parse(JSON.stringify({ name: text })),
  "compileAnswer().parsePartial": (text) => schema.parsePartial(text),
  parseJson: core.parseJson,
  toYaml: (text) => core.toYaml({ text, list: [text.slice(0, 1000)] }),
  "toYaml, key": (text) => core.toYaml({ [text]: 1 }),
  MessageBuilder: (text) => new core.MessageBuilder().addMessageSystem(text).addMessageUser(text).getFormattedPrompt(),
  "MessageBuilder, data": (text) => new core.MessageBuilder().addMessageUser({ text }).getFormattedPrompt(),
  usd: core.usd,
  parseModelId: core.parseModelId,
  nearestIds: (text) => core.nearestIds(text, ["gpt-4o", "claude-opus-4-8"]),
  checkOptions: (text) => core.checkOptions({ [text]: 1 }, new Set(["model", "maxTokens"])),
  describeValue: core.describeValue,
  describeModelId: core.describeModelId,
  InvalidArgumentError: (text) => new core.InvalidArgumentError("x", "a number", text),
  UnknownModelError: (text) => new core.UnknownModelError(text, { what: "price", remedy: "Check the id." }),
  Request: (text) => new core.Request({ user: text, model: text }),
}

function counted(text) {
  const counter = tokens.createTokenCounter({ model })
  for (let from = 0; from < text.length; from += 1000) counter.add(text.slice(from, from + 1000))
  return counter.tokens
}

const message = (content) => ({ model, messages: [{ role: "user", content }] })

const TOKENS = {
  countTokens: (text) => tokens.countTokens(text, { model }),
  "countTokens, cl100k_base": (text) => tokens.countTokens(text, { encoding: "cl100k_base" }),
  "countTokens, p50k_base": (text) => tokens.countTokens(text, { encoding: "p50k_base" }),
  "countTokens, r50k_base": (text) => tokens.countTokens(text, { encoding: "r50k_base" }),
  "countTokens, special tokens": (text) =>
    tokens.countTokens(text, { encoding: "o200k_harmony", allowedSpecial: "all" }),
  "countTokens, estimate": (text) => tokens.countTokens(text, { model: claude }),
  "countTokens, upper bound": (text) => tokens.countTokens(text, { model: claude, countBy: "upperBound" }),
  encode: (text) => tokens.encode(text, { model }),
  "decode of encode": (text) => tokens.decode(tokens.encode(text, { model }), { model }),
  isWithinTokenLimit: (text) => tokens.isWithinTokenLimit(text, 1e9, { model }),
  truncateToTokens: (text) => tokens.truncateToTokens(text, 10_000, { model }),
  "truncateToTokens, bound": (text) => tokens.truncateToTokens(text, 100_000, { model: claude, countBy: "upperBound" }),
  splitByTokens: (text) => tokens.splitByTokens(text, { model, maxTokens: 500, overlapTokens: 50 }),
  "splitByTokens, estimate": (text) => tokens.splitByTokens(text, { model: claude, maxTokens: 500 }),
  createTokenCounter: counted,
  estimateTokens: (text) => tokens.estimateTokens(text, claude),
  countRequestTokens: (text) => tokens.countRequestTokens(message(text)),
  "countRequestTokens, name": (text) =>
    tokens.countRequestTokens({ model, messages: [{ role: "user", content: "a", name: text }] }),
  "countRequestTokens, image": (text) =>
    tokens.countRequestTokens(message([{ type: "image_url", image_url: { url: `data:image/png;base64,${text}` } }])),
  "countRequestTokens, image by URL": (text) =>
    tokens.countRequestTokens(message([{ type: "image_url", image_url: { url: text } }])),
  "countRequestTokens, audio": (text) =>
    tokens.countRequestTokens(message([{ type: "input_audio", input_audio: { data: text, format: "wav" } }])),
  "countRequestTokens, file": (text) =>
    tokens.countRequestTokens(message([{ type: "file", file: { filename: "a", file_data: text } }])),
  "countRequestTokens, tool": (text) =>
    tokens.countRequestTokens({
      ...message("a"),
      tools: [{ type: "function", function: { name: "f", description: text, parameters: {} } }],
    }),
  getModelLimits: tokens.getModelLimits,
}

const usage = (name, text) => ({ prompt_tokens: 1, completion_tokens: 1, [name]: text })

const PRICING = {
  costOf: (text) => pricing.costOf(text, { inputTokens: 1, outputTokens: 1 }),
  upperBound: (text) => pricing.upperBound(text, { inputTokens: 1, maxOutputTokens: 1 }),
  "upperBound, tier": (text) => pricing.upperBound(model, { inputTokens: 1, serviceTier: text }),
  "upperBound, region": (text) => pricing.upperBound(model, { inputTokens: 1, region: text }),
  "upperBound, time": (text) => pricing.upperBound(model, { inputTokens: 1, at: text }),
  affordableOutputTokens: (text) => pricing.affordableOutputTokens(model, { inputTokens: 1, budget: text }),
  findPrice: (text) => pricing.findPrice(text),
  createPriceTable: (text) => pricing.createPriceTable({ [text]: { input: "1", output: text } }),
  "createPriceTable, alias": (text) => pricing.createPriceTable({}, { aliases: { [text]: text } }),
  "costOf, reported": (text) =>
    pricing.costOf(model, { inputTokens: 1, outputTokens: 1 }, { reported: { costUsd: text } }),
  regionOfURL: pricing.regionOfURL,
  usageFromOpenAIChat: (text) => pricing.usageFromOpenAIChat(usage(text, 9)),
  "readOpenAIChatUsage, name": (text) => meters.readOpenAIChatUsage(usage(text, 9), "openrouter"),
  "readOpenAIChatUsage, value": (text) => meters.readOpenAIChatUsage(usage("tokens", text), "openrouter"),
  "readOpenAIChatUsage, cost": (text) => meters.readOpenAIChatUsage(usage("cost", text), "openrouter"),
  readAnthropicUsage: (text) => meters.readAnthropicUsage({ input_tokens: 1, output_tokens: 1, [text]: text }),
  readGeminiUsage: (text) =>
    meters.readGeminiUsage({ promptTokenCount: 1, promptTokensDetails: [{ modality: text, tokenCount: 1 }] }),
  mergeAnthropicUsage: (text) => pricing.mergeAnthropicUsage([{ [text]: 1 }, { [text]: 2 }]),
}

const budget = createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: 5, per: "day" }] })

const BUDGET = {
  "reserve, subject": (text) => budget.reserve({ subject: { userId: text }, amount: 1 }),
  "reserve, idempotency key": (text) => budget.reserve({ subject: { userId: "a" }, amount: 1, idempotencyKey: text }),
  "reserve, amount": (text) => budget.reserve({ subject: { userId: "a" }, amount: text }),
  status: (text) => budget.status({ userId: text, tags: { team: text } }),
  "createBudget, limit": (text) => createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: text }] }),
  "createBudget, window": (text) =>
    createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: 1, per: text, timeZone: text }] }),
}

const context = { prices: pricing.createPriceTable({}, { extends: "published" }), deployments: {} }

function describe(url, value, headers = {}) {
  return findProtocol(
    { method: "POST", url: new URL(url), headers: new Headers(headers), body: { kind: "json", value } },
    context,
  )
}

function metered(text) {
  const meter = new ChatCompletion({ provider: "openai" })
  for (let from = 0; from < text.length; from += 100) {
    const data = { choices: [{ index: 0, delta: { content: text.slice(from, from + 100) } }] }
    meter.add({ event: undefined, data, text: JSON.stringify(data) })
  }
  meter.end()
  return [meter.read(), meter.text]
}

const NATIVE = {
  anthropic: [
    "https://api.anthropic.com/v1/messages",
    { model: claude, messages: [{ role: "user", content: "a" }], max_tokens: 9, stream: true },
  ],
  gemini: [
    "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
    { contents: [{ role: "user", parts: [{ text: "a" }] }] },
  ],
  responses: ["https://api.openai.com/v1/responses", { model, input: "a", max_output_tokens: 9, stream: true }],
}

/** Reads a stream whose events have 100 characters of text each. */
function meteredBy(name, text, dataOf) {
  const call = describe(...NATIVE[name])
  if (call.status !== "priced") throw new Error(call.message)
  const meter = call.createMeter()
  for (let from = 0; from < text.length; from += 100) {
    const [event, data] = dataOf(text.slice(from, from + 100))
    meter.add({ event, data, text: JSON.stringify(data) })
  }
  meter.end()
  return meter.read()
}

const anthropicDelta = (text) => [
  "content_block_delta",
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } },
]
const geminiChunk = (text) => [undefined, { candidates: [{ index: 0, content: { parts: [{ text }] } }] }]
const responsesDelta = (delta) => ["response.output_text.delta", { type: "response.output_text.delta", delta }]

/** Reads the bytes of a stream in pieces of 1000. */
function eventsIn(text) {
  const reader = new SseReader()
  const bytes = new TextEncoder().encode(text)
  const blocks = []
  for (let from = 0; from < bytes.length; from += 1000) blocks.push(...reader.push(bytes.subarray(from, from + 1000)))
  return blocks.length
}

const OPENAI = "https://api.openai.com/v1"
const user = (content) => [{ role: "user", content }]

const GUARD = {
  "chat completions": (text) => describe(`${OPENAI}/chat/completions`, { model, messages: user(text), max_tokens: 9 }),
  "chat completions, field": (text) =>
    describe(`${OPENAI}/chat/completions`, { model, messages: user("a"), [text]: text }),
  "chat completions, model": (text) => describe(`${OPENAI}/chat/completions`, { model: text, messages: user("a") }),
  responses: (text) => describe(`${OPENAI}/responses`, { model, input: text, max_output_tokens: 9 }),
  embeddings: (text) => describe(`${OPENAI}/embeddings`, { model: "text-embedding-3-small", input: [text] }),
  "Anthropic messages": (text) =>
    describe("https://api.anthropic.com/v1/messages", { model: claude, messages: user(text), max_tokens: 9 }),
  "Gemini generateContent": (text) =>
    describe("https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent", {
      contents: [{ role: "user", parts: [{ text }] }],
    }),
  "unknown path": (text) =>
    describe(`https://example.com/${encodeURIComponent(text.slice(0, 100_000).toWellFormed?.() ?? "")}`, {}),
  ChatCompletion: metered,
  "Anthropic meter": (text) => meteredBy("anthropic", text, anthropicDelta),
  "Gemini meter": (text) => meteredBy("gemini", text, geminiChunk),
  "Responses meter": (text) => meteredBy("responses", text, responsesDelta),
  SseReader: eventsIn,
  "SseReader, one event": (text) => eventsIn(`data: ${text}\n\n`),
  "SseReader, an event a line": (text) => eventsIn(text.replaceAll(/(.{40})/gu, "data: $1\n\n")),
  readRetryHints: (text) =>
    readRetryHints(
      new Headers({ "retry-after": text.slice(0, 8000) }),
      { error: { message: text, details: [text] } },
      0,
    ),
  budgetErrorFrom: (text) => budgetErrorFrom({ message: text, body: text, cause: new Error(text) }),
}

export const CALLS = Object.fromEntries(
  Object.entries({ core: CORE, tokens: TOKENS, pricing: PRICING, budget: BUDGET, guard: GUARD }).flatMap(
    ([name, calls]) =>
      Object.entries(calls).map(([call, run]) => [`${name} ${call}`, (text) => tryIt(() => run(text))]),
  ),
)

/** Asynchronous calls must not reject without a handler. */
process.on("unhandledRejection", () => {})
