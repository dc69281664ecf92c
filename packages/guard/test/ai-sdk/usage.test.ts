import { describe, expect, it } from "vitest"
import { balance } from "../fetch/guarded-server"
import { callOf, RESULT, VERSIONS } from "./mock-models"

const [{ wrap }] = VERSIONS

/** Claude Opus 4.5, nano-USD per token: input 5,000, read 500, write 6,250, write for an hour 10,000, output 25,000. */
const CLAUDE = { provider: "anthropic.messages", modelId: "claude-opus-4-5" }
const CACHED = { anthropic: { cacheControl: { type: "ephemeral", ttl: "1h" } } }

const usage = (input: object, output: object, raw?: object) => ({ inputTokens: input, outputTokens: output, raw })

async function chargeFor(reported: object, model: object, options: object = { providerOptions: {} }) {
  const {
    model: wrapped,
    budget,
    attempts,
  } = wrap({ limit: 100, ...model, result: () => ({ ...RESULT, usage: reported }) })
  await wrapped.doGenerate(callOf(options))
  const { spent, reserved } = await balance(budget)
  expect(reserved).toBe(0)
  return { spent, inDoubt: attempts[0]!.inDoubt, bound: attempts[0]!.reservedNanoUsd }
}

describe("a usage is charged by the most expensive reading", () => {
  it.each([
    [
      "cache writes of an hour, by the raw usage",
      usage(
        { total: 1_100, noCache: 100, cacheRead: 0, cacheWrite: 1_000 },
        { total: 10 },
        {
          input_tokens: 100,
          cache_creation_input_tokens: 1_000,
          cache_read_input_tokens: 0,
          cache_creation: { ephemeral_5m_input_tokens: 400, ephemeral_1h_input_tokens: 600 },
          output_tokens: 10,
        },
      ),
      CLAUDE,
      CACHED,
      100 * 5_000 + 400 * 6_250 + 600 * 10_000 + 10 * 25_000,
    ],
    [
      "cache writes whose time is not reported, in a call that requests an hour",
      usage(
        { total: 1_100, noCache: 100, cacheRead: 0, cacheWrite: 1_000 },
        { total: 10 },
        {
          input_tokens: 100,
          cache_creation_input_tokens: 1_000,
          output_tokens: 10,
        },
      ),
      CLAUDE,
      CACHED,
      100 * 5_000 + 1_000 * 10_000 + 10 * 25_000,
    ],
    [
      "cache writes without a raw usage, in a call that requests an hour",
      usage({ total: 1_100, noCache: 100, cacheRead: 0, cacheWrite: 1_000 }, { total: 10 }),
      CLAUDE,
      CACHED,
      100 * 5_000 + 1_000 * 10_000 + 10 * 25_000,
    ],
    [
      "cache writes without a raw usage, in a call that requests five minutes",
      usage({ total: 1_100, noCache: 100, cacheRead: 0, cacheWrite: 1_000 }, { total: 10 }),
      CLAUDE,
      { anthropic: { cacheControl: { type: "ephemeral" } } },
      100 * 5_000 + 1_000 * 6_250 + 10 * 25_000,
    ],
    [
      "cache reads",
      usage({ total: 1_100, noCache: 100, cacheRead: 1_000, cacheWrite: 0 }, { total: 10 }),
      CLAUDE,
      {},
      100 * 5_000 + 1_000 * 500 + 10 * 25_000,
    ],
    [
      "totals that are below their parts",
      usage({ total: 100, noCache: 100, cacheRead: 1_000, cacheWrite: 0 }, { total: 10, text: 10, reasoning: 40 }),
      CLAUDE,
      {},
      100 * 5_000 + 1_000 * 500 + 50 * 25_000,
    ],
    [
      "a raw usage with more tokens than the totals",
      usage({ total: 100 }, { total: 10 }, { input_tokens: 300, output_tokens: 30 }),
      CLAUDE,
      {},
      300 * 5_000 + 30 * 25_000,
    ],
    [
      "the cost that the provider reports",
      usage(
        { total: 100 },
        { total: 10 },
        {
          prompt_tokens: 100,
          completion_tokens: 10,
          total_tokens: 110,
          cost_in_usd_ticks: 123_450_000,
        },
      ),
      { provider: "xai.chat", modelId: "grok-4" },
      {},
      12_345_000,
    ],
  ])("%s", async (_name, reported, model, providerOptions, cost) => {
    const { spent, inDoubt } = await chargeFor(reported, model, { providerOptions })
    expect({ spent, inDoubt }).toEqual({ spent: cost, inDoubt: false })
  })

  it("the flat usage of AI SDK 5", async () => {
    const flat = { inputTokens: 100, outputTokens: 10, totalTokens: 110 }
    expect((await chargeFor(flat, CLAUDE)).spent).toBe(100 * 5_000 + 10 * 25_000)
  })

  it("searches are charged as often as the raw usage counts them", async () => {
    const tools = [{ type: "provider", id: "anthropic.web_search_20250305", name: "web_search", args: { maxUses: 5 } }]
    const raw = { input_tokens: 100, output_tokens: 10, server_tool_use: { web_search_requests: 2 } }
    const options = { tools, providerOptions: {} }
    const counted = await chargeFor(usage({ total: 100 }, { total: 10 }, raw), CLAUDE, options)
    expect(counted.spent).toBe(100 * 5_000 + 10 * 25_000 + 2 * 10_000_000)
    const uncounted = await chargeFor(usage({ total: 100 }, { total: 10 }), CLAUDE, options)
    expect(uncounted.spent).toBe(100 * 5_000 + 10 * 25_000 + 5 * 10_000_000)
  })

  it("a raw usage with an unknown field is charged the bound", async () => {
    const raw = { input_tokens: 100, output_tokens: 10, hologram_tokens: 7 }
    const { spent, inDoubt, bound } = await chargeFor(usage({ total: 100 }, { total: 10 }, raw), CLAUDE)
    expect({ spent, inDoubt }).toEqual({ spent: bound, inDoubt: true })
  })

  it("a usage above the bound is charged in full", async () => {
    const { spent, bound } = await chargeFor(usage({ total: 90_000 }, { total: 10 }), CLAUDE)
    expect(spent).toBe(90_000 * 5_000 + 10 * 25_000)
    expect(spent).toBeGreaterThan(bound)
  })
})
