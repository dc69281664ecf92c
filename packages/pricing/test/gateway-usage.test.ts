import { describe, expect, it } from "vitest"
import { createPriceTable, usageFromOpenAIChat } from "../src/index"
import { Random } from "./random-usage"

const table = createPriceTable({
  model: { input: "3", output: "15", cacheRead: "0.3", cacheWrite: "3.75", cacheWrite1h: "6" },
})

/** The actual usage of a call, part by part. */
interface Parts {
  fresh: number
  read: number
  write: number
  writeHour: number
  answer: number
  reasoning: number
}

function trueNanoUsd({ fresh, read, write, writeHour, answer, reasoning }: Parts): number {
  const usage = {
    inputTokens: fresh + read + write + writeHour,
    outputTokens: answer + reasoning,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWrite1hTokens: writeHour,
    reasoningTokens: reasoning,
  }
  return table.costOf("model", usage).nanoUsd
}

/**
 * How a gateway reports cached tokens: the prompt, the fields, and what its total includes in addition to prompt and
 * completion.
 */
type CacheStyle = (parts: Parts) => { prompt: number; fields: object; besidePrompt: number }

const anthropicNames = ({ read, write, writeHour }: Parts) => ({
  cache_read_input_tokens: read,
  cache_creation_input_tokens: write + writeHour,
  cache_creation: { ephemeral_5m_input_tokens: write, ephemeral_1h_input_tokens: writeHour },
})
const details = ({ read, write, writeHour }: Parts) => ({
  prompt_tokens_details: {
    cached_tokens: read,
    cache_creation_tokens: write + writeHour,
    cache_creation_token_details: { ephemeral_5m_input_tokens: write, ephemeral_1h_input_tokens: writeHour },
  },
})
const cached = ({ read, write, writeHour }: Parts) => read + write + writeHour

/** Styles that a reader can distinguish. */
const CERTAIN: Record<string, CacheStyle> = {
  "inside the prompt, in the details": (parts) => ({
    prompt: parts.fresh + cached(parts),
    fields: details(parts),
    besidePrompt: 0,
  }),
  "inside the prompt, in the details and at the top": (parts) => ({
    prompt: parts.fresh + cached(parts),
    fields: { ...anthropicNames(parts), ...details(parts) },
    besidePrompt: 0,
  }),
  "beside the prompt, inside the total": (parts) => ({
    prompt: parts.fresh,
    fields: anthropicNames(parts),
    besidePrompt: cached(parts),
  }),
  "beside the prompt, inside the total, in the details": (parts) => ({
    prompt: parts.fresh,
    fields: details(parts),
    besidePrompt: cached(parts),
  }),
  "beside the prompt and the total": (parts) => ({
    prompt: parts.fresh,
    fields: anthropicNames(parts),
    besidePrompt: 0,
  }),
}

/** Styles in which the same numbers are ambiguous. */
const AMBIGUOUS: Record<string, CacheStyle> = {
  "inside the prompt, with Anthropic's names alone": (parts) => ({
    prompt: parts.fresh + cached(parts),
    fields: anthropicNames(parts),
    besidePrompt: 0,
  }),
}

function randomParts(random: Random): Parts {
  const tokens = (max: number) => (random.chance(0.3) ? 0 : 1 + random.upTo(max))
  return {
    fresh: 1 + random.upTo(40_000),
    read: tokens(200_000),
    write: tokens(30_000),
    writeHour: tokens(30_000),
    answer: 1 + random.upTo(4_000),
    reasoning: tokens(9_000),
  }
}

function usageOf(parts: Parts, style: CacheStyle, reasoningInside: boolean, withTotal: boolean): object {
  const { prompt, fields, besidePrompt } = style(parts)
  const completion = reasoningInside ? parts.answer + parts.reasoning : parts.answer
  const besideCompletion = reasoningInside ? 0 : parts.reasoning
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    ...(withTotal ? { total_tokens: prompt + completion + besidePrompt + besideCompletion } : {}),
    completion_tokens_details: { reasoning_tokens: parts.reasoning },
    ...fields,
  }
}

describe.each(Object.entries(CERTAIN))("cached tokens %s", (_title, style) => {
  it.each([true, false])("cost exactly what they cost, with reasoning inside the completion: %s", (inside) => {
    const random = new Random(inside ? 21 : 22)
    for (let index = 0; index < 500; index++) {
      const parts = randomParts(random)
      const usage = usageFromOpenAIChat(usageOf(parts, style, inside, true))
      expect(table.costOf("model", usage).nanoUsd, JSON.stringify(parts)).toBe(trueNanoUsd(parts))
    }
  })
})

describe.each(Object.entries({ ...CERTAIN, ...AMBIGUOUS }))("cached tokens %s", (title, style) => {
  it("never cost less than they do, with or without a total", () => {
    const random = new Random(23)
    for (let index = 0; index < 500; index++) {
      const parts = randomParts(random)
      // Without a total, details that fit into the prompt can only be read as OpenAI documents them.
      const withTotal = title.endsWith("in the details") || random.chance(0.5)
      const usage = usageFromOpenAIChat(usageOf(parts, style, true, withTotal))
      const { nanoUsd } = table.costOf("model", usage)
      expect(nanoUsd, JSON.stringify(parts)).toBeGreaterThanOrEqual(trueNanoUsd(parts))
      if (nanoUsd > trueNanoUsd(parts)) expect(usage.assumptions?.length).toBeGreaterThan(0)
    }
  })
})
