import { createAnthropic } from "@ai-sdk/anthropic"
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import { createBudget, memoryStore } from "@p2/budget"
import type { LocalProvider } from "@p2/local-provider"
import { wrapLanguageModel } from "ai"
import { createAnthropic as createAnthropic3 } from "ai-sdk-anthropic3"
import { createOpenAI as createOpenAI3 } from "ai-sdk-openai3"
import { wrapLanguageModel as wrapLanguageModel6 } from "ai6"
import { expect, it } from "vitest"
import { Draw } from "../../fuzz/draw"
import { budgetMiddleware, CallRejectedError } from "../../src/ai-sdk"
import type { GuardAttempt } from "../../src/index"
import { localServer } from "../local-server"

const server = await localServer()

type Model = ReturnType<typeof wrapLanguageModel>
type Wrap = (server: LocalProvider, middleware: ReturnType<typeof budgetMiddleware>) => Model

const apiKey = "local"
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

/** A provider, and whether its tokenizer is unknown, so that each byte may be a token. */
const PROVIDERS: readonly { name: string; isDense: boolean; wrap: Wrap }[] = [
  {
    name: "ai 7, openai chat",
    isDense: false,
    wrap: ({ baseURL }, middleware) =>
      wrapLanguageModel({ model: createOpenAI({ baseURL, apiKey }).chat("gpt-4o-mini"), middleware }),
  },
  {
    name: "ai 7, openai responses",
    isDense: false,
    wrap: ({ baseURL }, middleware) =>
      wrapLanguageModel({ model: createOpenAI({ baseURL, apiKey })("gpt-4o-mini"), middleware }),
  },
  {
    name: "ai 7, anthropic",
    isDense: true,
    wrap: ({ anthropicBaseURL }, middleware) =>
      wrapLanguageModel({
        model: createAnthropic({ baseURL: `${anthropicBaseURL}/v1`, apiKey })("claude-opus-4-5"),
        middleware,
      }),
  },
  {
    name: "ai 7, google",
    isDense: true,
    wrap: ({ geminiBaseURL }, middleware) =>
      wrapLanguageModel({
        model: createGoogleGenerativeAI({ baseURL: `${geminiBaseURL}/v1beta`, apiKey })("gemini-2.5-flash-lite"),
        middleware,
      }),
  },
  {
    name: "ai 6, openai responses",
    isDense: false,
    wrap: ({ baseURL }, middleware) =>
      wrapLanguageModel6({ model: createOpenAI3({ baseURL, apiKey })("gpt-4o-mini"), middleware }) as unknown as Model,
  },
  {
    name: "ai 6, anthropic",
    isDense: true,
    wrap: ({ anthropicBaseURL }, middleware) =>
      wrapLanguageModel6({
        model: createAnthropic3({ baseURL: `${anthropicBaseURL}/v1`, apiKey })("claude-opus-4-5"),
        middleware,
      }) as unknown as Model,
  },
]

/**
 * A call of the specification. The local OpenAI provider bills every image as the largest one, whereas the bound reads
 * its size. Only AI SDK 7 gets the file data of specification v4.
 */
function drawCall(draw: Draw, { isV4, hasImages }: { isV4: boolean; hasImages: boolean }): object {
  const text = () => ({ type: "text", text: draw.text() || "." })
  const image = () => ({ type: "file", mediaType: "image/png", data: isV4 ? { type: "data", data: PNG } : PNG })
  const cacheControl = { type: "ephemeral", ...draw.maybe(0.5, () => ({ ttl: "1h" })) }
  const cached = () => draw.maybe(0.2, () => ({ providerOptions: { anthropic: { cacheControl } } }))
  const turn = () => {
    const id = `call_${draw.between(1, 1e9)}`
    const output = draw.chance(0.5)
      ? { type: "text", value: draw.text() || "." }
      : { type: "json", value: { result: draw.text() } }
    return [
      {
        role: "assistant",
        content: [text(), { type: "tool-call", toolCallId: id, toolName: "look", input: { key: draw.text() } }],
      },
      { role: "tool", content: [{ type: "tool-result", toolCallId: id, toolName: "look", output }] },
    ]
  }
  const tool = (name: string) => ({
    type: "function",
    name,
    description: draw.text(4),
    inputSchema: draw.schema(),
  })
  const thinking = { type: "enabled", budgetTokens: draw.between(1_024, 3_000) }
  return {
    prompt: [
      ...draw.list(0, 1, () => ({ role: "system", content: draw.text() || "Answer.", ...cached() })),
      {
        role: "user",
        content: [text(), ...draw.list(0, 2, text), ...(hasImages ? draw.list(0, 1, image) : [])],
        ...cached(),
      },
      ...(draw.chance(0.4) ? turn() : []),
      { role: "user", content: [text()] },
    ],
    tools: [tool("look"), ...draw.list(0, 2, () => tool(`tool_${draw.between(1, 99)}`))],
    ...draw.maybe(0.8, () => ({ maxOutputTokens: draw.between(16, 400) })),
    ...draw.maybe(0.2, () => ({ responseFormat: { type: "json", schema: draw.schema(), name: "answer" } })),
    ...draw.maybe(0.2, () => ({ reasoning: draw.pick(["none", "low", "high"]) })),
    providerOptions: {
      google: { ...draw.maybe(0.2, () => ({ thinkingConfig: { thinkingBudget: 1_000 } })) },
      openai: { ...draw.maybe(0.7, () => ({ serviceTier: draw.pick(["default", "flex", "priority", "auto"]) })) },
      anthropic: { ...draw.maybe(0.3, () => ({ thinking })) },
    },
  }
}

const CALLS = 60

it.each(PROVIDERS)(
  "the bound of $name is never below the bill",
  { timeout: 120_000 },
  async ({ name, isDense, wrap }) => {
    const draw = new Draw(name)
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1_000_000 }] })
    const attempts: GuardAttempt[] = []
    const model = wrap(server, budgetMiddleware({ budget, onAttempt: (attempt) => attempts.push(attempt) }))
    const ended = { reported: 0, failed: 0 }
    for (let index = 0; index < CALLS; index++) {
      server.ledger.clear()
      server.faults.clear()
      attempts.length = 0
      const projectTier = draw.pick(["default", "priority"])
      server.faults.always({ fillOutput: draw.chance(0.8), densestTokens: isDense && draw.chance(0.8), projectTier })
      const call = drawCall(draw, { isV4: name.startsWith("ai 7"), hasImages: isDense })
      const error = await Promise.resolve(model.doGenerate(call as never)).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(CallRejectedError.isInstance(error), String(error)).toBe(false)
      const billed = server.ledger.totalNanoUsd
      const [attempt] = attempts
      expect(billed, JSON.stringify(call)).toBeLessThanOrEqual(attempt!.reservedNanoUsd)
      expect(attempt!.costNanoUsd, JSON.stringify(call)).toBeGreaterThanOrEqual(billed)
      if (error !== undefined) ended.failed++
      else if (!attempt!.inDoubt) ended.reported++
    }
    expect((await budget.status())[0]!.reservedNanoUsd).toBe(0)
    expect(ended.reported).toBeGreaterThan(CALLS / 2)
  },
)
