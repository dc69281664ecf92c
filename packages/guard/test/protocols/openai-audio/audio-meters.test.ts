import { describe, expect, it } from "vitest"
import type { Meter } from "../../../src/protocols"
import { SpeechMeter } from "../../../src/protocols/openai-audio/speech-meter"
import { TranscriptionMeter } from "../../../src/protocols/openai-audio/transcription-meter"

function readBody(meter: Meter, data: unknown, { text = "", isWhole = true } = {}) {
  meter.add({ event: undefined, data, text })
  if (isWhole) meter.end()
  return meter.read()
}

function readEvents(meter: Meter, ...events: ({ type: string } & Record<string, unknown>)[]) {
  for (const data of events) meter.add({ event: data.type, data, text: "" })
  meter.end()
  return meter.read()
}

describe("TranscriptionMeter", () => {
  const byToken = () => new TranscriptionMeter({ isBySecond: false })
  const bySecond = () => new TranscriptionMeter({ isBySecond: true })
  const usage = {
    type: "tokens",
    input_tokens: 14,
    input_token_details: { text_tokens: 0, audio_tokens: 14 },
    output_tokens: 45,
    total_tokens: 59,
  }

  it("reads tokens, and seconds", () => {
    expect(readBody(byToken(), { text: "Hi", usage }).usage?.usage).toMatchObject({ inputTokens: 14, outputTokens: 45 })
    const seconds = { type: "duration", seconds: 3.2 }
    expect(readBody(bySecond(), { text: "Hi", usage: seconds }).usage?.usage).toMatchObject({ audioSeconds: 4 })
    expect(readBody(bySecond(), { text: "Hi", duration: 3.2 }).usage?.usage).toMatchObject({ audioSeconds: 4 })
  })

  it("reads the end of a stream", () => {
    const delta = { type: "transcript.text.delta", delta: "Hi" }
    expect(readEvents(byToken(), delta)).toMatchObject({ state: "open", usage: undefined, receivedOutputTokens: 2 })
    const done = { type: "transcript.text.done", text: "Hi", usage }
    expect(readEvents(byToken(), delta, done)).toMatchObject({
      state: "complete",
      usage: { usage: { outputTokens: 45 } },
    })
  })

  it.each([
    ["no usage", { text: "Hi" }],
    ["a duration of a model that is billed by tokens", { text: "Hi", duration: 3 }],
    ["zero tokens", { text: "Hi", usage: { ...usage, input_tokens: 0, input_token_details: {} } }],
  ])("is in doubt with %s", (_name, body) => {
    expect(readBody(byToken(), body)).toMatchObject({ state: "complete", usage: undefined })
  })

  it("accepts a text as complete only at its end", () => {
    expect(readBody(bySecond(), undefined, { text: "I am born." })).toMatchObject({
      state: "complete",
      usage: undefined,
    })
    expect(readBody(bySecond(), undefined, { text: '{"text":"I a', isWhole: false })).toMatchObject({ state: "open" })
  })

  it("is broken by an error", () => {
    expect(readBody(byToken(), { error: { message: "no" } })).toMatchObject({ state: "broken" })
    expect(readEvents(byToken(), { type: "error", error: { message: "no" } })).toMatchObject({ state: "broken" })
  })
})

describe("SpeechMeter", () => {
  const byCharacter = () => new SpeechMeter({ characters: 10, maxOutputTokens: 0 })
  const byToken = () => new SpeechMeter({ characters: undefined, maxOutputTokens: 900 })
  const usage = { input_tokens: 8, output_tokens: 120, total_tokens: 128 }

  it("charges the characters of a whole file", () => {
    expect(readBody(byCharacter(), undefined).usage?.usage).toMatchObject({ inputCharacters: 10 })
    expect(byCharacter().read()).toMatchObject({ state: "open", usage: undefined })
  })

  it("reads the tokens at the end of events", () => {
    const delta = { type: "speech.audio.delta", audio: "AAAA" }
    expect(readEvents(byToken(), delta)).toMatchObject({ state: "open", receivedOutputTokens: 900 })
    expect(readEvents(byToken(), delta, { type: "speech.audio.done", usage })).toMatchObject({
      state: "complete",
      usage: { usage: { inputTokens: 8, outputTokens: 120 } },
    })
  })

  it("is in doubt without tokens, and broken by an error", () => {
    expect(readBody(byToken(), undefined)).toMatchObject({ state: "complete", usage: undefined })
    expect(readEvents(byToken(), { type: "speech.audio.done" })).toMatchObject({ state: "complete", usage: undefined })
    expect(readBody(byCharacter(), { error: { message: "no" } })).toMatchObject({ state: "broken", usage: undefined })
  })
})
