import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { describeCall } from "../../src/protocols"
import { SPEECH_FIELDS, TRANSCRIPTION_FIELDS } from "../../src/protocols/openai-audio/audio-fields"
import { BATCH_FIELDS } from "../../src/protocols/openai-batch/describe-batch"
import { CHAT_FIELDS } from "../../src/protocols/openai-chat/chat-fields"
import { IMAGE_FIELDS } from "../../src/protocols/openai-images/image-fields"
import { RESPONSES_FIELDS } from "../../src/protocols/openai-responses/responses-fields"
import { boundOf, callTo, context, formCallTo } from "./features/feature"
import { SPEECH, TRANSCRIPTIONS } from "./features/openai-audio"
import { CHAT } from "./features/openai-chat"
import { IMAGE_EDITS, IMAGES } from "./features/openai-images"
import { EMBEDDINGS, RESPONSES } from "./features/openai-responses"
import { VARIANTS } from "./features/openai-variants"

const FIELDS = [
  ...[CHAT_FIELDS, RESPONSES_FIELDS, IMAGE_FIELDS, TRANSCRIPTION_FIELDS, SPEECH_FIELDS, BATCH_FIELDS].flatMap(
    ({ free, read, counted, rejected = {} }) => [
      ...(free ?? []),
      ...(read ?? []),
      ...(counted ?? []),
      ...Object.keys(rejected),
    ],
  ),
  ...VARIANTS.rows.flatMap(({ body }) => Object.keys(body)),
]

const TABLES = [CHAT, RESPONSES, EMBEDDINGS, VARIANTS, IMAGES, IMAGE_EDITS, TRANSCRIPTIONS, SPEECH]
const VALUES = TABLES.flatMap(({ body, rows }) =>
  [body, ...rows.map((row) => row.body)].flatMap((each) => Object.values(each)),
)

/** An example value, changed somewhere. */
const changed = fc
  .tuple(fc.constantFrom(...VALUES), fc.nat(), fc.jsonValue({ maxDepth: 2 }))
  .map(([value, seed, other]) => change(structuredClone(value), seed, other))

function change(value: unknown, seed: number, other: unknown): unknown {
  if (typeof value !== "object" || value === null || seed % 4 === 0) return other
  const keys = Object.keys(value)
  const key = keys[seed % keys.length]
  if (key === undefined) return value
  const fields = value as Record<string, unknown>
  fields[key] = change(fields[key], Math.floor(seed / 4), other)
  return value
}

const bodies = fc.dictionary(fc.constantFrom(...FIELDS), fc.oneof(changed, fc.jsonValue({ maxDepth: 3 })), {
  maxKeys: 5,
})

const ENDPOINTS = [
  ["https://api.openai.com/v1/chat/completions", "gpt-4o-mini"],
  ["https://api.openai.com/v1/responses", "gpt-5-mini"],
  ["https://api.openai.com/v1/embeddings", "text-embedding-3-small"],
  ["https://api.openai.com/v1/images/generations", "gpt-image-2"],
  ["https://api.openai.com/v1/images/edits", "dall-e-2"],
  ["https://api.openai.com/v1/audio/speech", "tts-1"],
  ["https://api.openai.com/v1/audio/transcriptions", "gpt-4o-transcribe"],
  ["https://api.openai.com/v1/batches", "gpt-4o-mini"],
  ["https://openrouter.ai/api/v1/chat/completions", "openai/gpt-4o-mini"],
  ["https://openrouter.ai/api/v1/responses", "openai/gpt-4o-mini"],
  ["https://me.openai.azure.com/openai/deployments/small/chat/completions", "small"],
  ["https://api.x.ai/v1/chat/completions", "grok-4-fast"],
  ["https://api.mistral.ai/v1/chat/completions", "mistral-small-latest"],
  ["https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", "gemini-2.5-flash"],
] as const

/** Bodies come from anywhere: each is described or rejected with a reason, and a description can be bounded and sent. */
describe.each(ENDPOINTS)("%s", (url, model) => {
  it("never throws", () => {
    fc.assert(
      fc.property(bodies, fc.boolean(), (body, hasModel) => {
        const callOf = url.endsWith("transcriptions") || url.endsWith("edits") ? formCallTo : callTo
        const description = describeCall(callOf(url, hasModel ? { ...body, model } : body), context)
        expect(["priced", "rejected", "batch-start"]).toContain(description.status)
        if (description.status !== "priced") return
        const { estimate, upperBound } = description.input
        expect(estimate).toBeLessThanOrEqual(upperBound)
        expect(Number.isSafeInteger(upperBound)).toBe(true)
        expect(description.bodyToSend({ maxOutputTokens: 100, maxPrice: { prompt: 1, completion: 2 } })).toBeDefined()
        expect(description.createMeter().read().state).toBe("open")
        expect(() => boundOf(description)).not.toThrow(TypeError)
      }),
      { numRuns: 400 },
    )
  })
})

it("rejects a path with an invalid escape", () => {
  const url = "https://me.openai.azure.com/openai/deployments/%E0%A4%A/chat/completions"
  expect(describeCall(callTo(url, { messages: [] }), context).status).toBe("rejected")
})
