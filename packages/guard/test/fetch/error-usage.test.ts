import { describe, expect, it } from "vitest"
import { wavFile } from "../protocols/features/openai-audio"
import { balance, CALL, guardOver, json } from "./guarded-server"

interface Format {
  url: string
  call: object
  /** A usage with these counts. */
  usage(input: number, output: number): object
  /** The field of the usage. */
  field: "usage" | "usageMetadata"
  /** An answer without output. */
  empty: object
}

const transcription = new FormData()
transcription.append("model", "gpt-4o-transcribe")
transcription.append("file", new File([wavFile(1).head], "a.wav"))

const contents = [{ role: "user", parts: [{ text: "Hi" }] }]
const google = "https://generativelanguage.googleapis.com/v1beta/models"
const inputAndOutput = (input: number, output: number) => ({
  input_tokens: input,
  output_tokens: output,
  total_tokens: input + output,
})

const FORMATS: Record<string, Format> = {
  chat: {
    url: "https://api.openai.com/v1/chat/completions",
    call: CALL,
    usage: (input, output) => ({ prompt_tokens: input, completion_tokens: output, total_tokens: input + output }),
    field: "usage",
    empty: { choices: [{ index: 0, message: { role: "assistant", content: "" }, finish_reason: "stop" }] },
  },
  responses: {
    url: "https://api.openai.com/v1/responses",
    call: { model: "gpt-4o-mini", input: "Hi", max_output_tokens: 100, service_tier: "default" },
    usage: inputAndOutput,
    field: "usage",
    empty: { id: "resp_1", object: "response", status: "completed", model: "gpt-4o-mini", output: [] },
  },
  messages: {
    url: "https://api.anthropic.com/v1/messages",
    call: { model: "claude-sonnet-4-5", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] },
    usage: (input, output) => ({ input_tokens: input, output_tokens: output }),
    field: "usage",
    empty: { type: "message", id: "msg_1", model: "claude-sonnet-4-5", content: [], stop_reason: "end_turn" },
  },
  gemini: {
    url: `${google}/gemini-2.5-flash:generateContent`,
    call: { contents, generationConfig: { maxOutputTokens: 100 } },
    usage: (input, output) => ({
      promptTokenCount: input,
      candidatesTokenCount: output,
      totalTokenCount: input + output,
    }),
    field: "usageMetadata",
    empty: { candidates: [{ content: { parts: [] }, finishReason: "STOP" }] },
  },
  embeddings: {
    url: "https://api.openai.com/v1/embeddings",
    call: { model: "text-embedding-3-small", input: "Hi" },
    usage: (input) => ({ prompt_tokens: input, total_tokens: input }),
    field: "usage",
    empty: { object: "list", data: [] },
  },
  transcription: {
    url: "https://api.openai.com/v1/audio/transcriptions",
    call: transcription,
    usage: (input, output) => ({ type: "tokens", ...inputAndOutput(input, output) }),
    field: "usage",
    empty: { text: "" },
  },
  speech: {
    url: "https://api.openai.com/v1/audio/speech",
    call: { model: "gpt-4o-mini-tts", input: "Hi", voice: "alloy" },
    usage: inputAndOutput,
    field: "usage",
    empty: { type: "speech.audio.done" },
  },
  images: {
    url: "https://api.openai.com/v1/images/generations",
    call: { model: "gpt-image-1", prompt: "Hi", size: "1024x1024", quality: "low" },
    usage: inputAndOutput,
    field: "usage",
    empty: { data: [] },
  },
}

async function charged({ url, call }: Format, answer: object, status: number) {
  const guard = guardOver(() => json(answer, { status }), { maxSpeechTokens: 1_000 })
  const body = call instanceof FormData ? call : JSON.stringify(call)
  await (await guard.fetch(url, { method: "POST", body })).text()
  const [attempt] = guard.attempts
  if (attempt === undefined) throw new Error("The call was not sent.")
  return { ...attempt, spent: (await balance(guard.budget)).spent }
}

/** Bodies with a usage: next to an error, inside it, and in an answer without output. */
const PLACES: Record<string, (format: Format, usage: object) => object> = {
  "next to an error": ({ field }, usage) => ({ type: "error", error: { message: "failed" }, [field]: usage }),
  "inside an error": ({ field }, usage) => ({ type: "error", error: { message: "failed", [field]: usage } }),
  "next to an error in words": ({ field }, usage) => ({ error: "failed", [field]: usage }),
  "in an answer without output": ({ field, empty }, usage) => ({ ...empty, [field]: usage }),
}

describe.each(Object.entries(FORMATS))("%s", (name, format) => {
  // Gemini documents that it does not bill this status.
  const failure = name === "gemini" ? 503 : 500

  it.each([400, 413, 429])("a usage of zeros does not make a rejection billed: %i costs nothing", async (status) => {
    for (const bodyOf of [
      PLACES["next to an error"]!,
      PLACES["inside an error"]!,
      PLACES["next to an error in words"]!,
    ]) {
      const { spent, inDoubt } = await charged(format, bodyOf(format, format.usage(0, 0)), status)
      expect({ spent, inDoubt }).toEqual({ spent: 0, inDoubt: false })
    }
  })

  describe.each(Object.entries(PLACES))("%s", (_place, bodyOf) => {
    it.each([200, failure, 529])(
      "a usage of zeros proves nothing: %i is charged the bound, in doubt",
      async (status) => {
        const { spent, inDoubt, reservedNanoUsd } = await charged(format, bodyOf(format, format.usage(0, 0)), status)
        expect({ spent, inDoubt }).toEqual({ spent: reservedNanoUsd, inDoubt: true })
        expect(spent).toBeGreaterThan(0)
      },
    )

    it.each([200, 400, 429, failure, 529])("a usage with tokens is charged in any case: %i", async (status) => {
      const small = await charged(format, bodyOf(format, format.usage(10, 1)), status)
      expect(small.spent).toBeGreaterThan(0)
      const large = await charged(format, bodyOf(format, format.usage(2_000_000, 50)), status)
      expect(large.spent).toBeGreaterThan(large.reservedNanoUsd)
      expect(large.overrunNanoUsd).toBe(large.spent - large.reservedNanoUsd)
    })
  })
})
