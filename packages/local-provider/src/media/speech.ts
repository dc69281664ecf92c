import type { Fault } from "../faults"
import { densestCount, usualCount } from "../text-count"
import type { MediaRequest } from "./fields"
import { BadRequest, type MediaAnswer } from "./send"

/**
 * Pico-USD per character, or per token of text and audio. https://developers.openai.com/api/docs/pricing (2026-11-05)
 */
const BY_CHARACTER: Readonly<Record<string, number>> = { "tts-1": 15_000_000, "tts-1-hd": 30_000_000 }
const BY_TOKEN = { text: 600_000, audio: 12_000_000 }

/** The API rejects a longer text. */
const MAX_CHARACTERS = 4_096
/** Maximum audio tokens that the local provider generates. */
export const MAX_SPEECH_TOKENS = 5_000

const CHUNKS = 6

/** Converts text to speech: as an audio file, or as events with the usage at the end. */
export function answerSpeech({ fields }: MediaRequest, fault: Fault): MediaAnswer {
  const model = String(fields.model)
  const text = String(fields.input)
  // No documentation says whether a character is a code point: code units are the more expensive reading.
  const characters = text.length
  if ([...text].length > MAX_CHARACTERS) throw new BadRequest("The text is too long.")
  const rate = BY_CHARACTER[model]
  if (rate !== undefined)
    return {
      units: [{ kind: "character", count: characters, picoUsdPerUnit: rate }],
      promptTokens: 0,
      completionTokens: 0,
      isReported: true,
      body: audioFile(),
    }
  if (model !== "gpt-4o-mini-tts") throw new BadRequest(`The model \`${model}\` does not exist.`)
  const count = fault.densestTokens ? densestCount : usualCount
  const textTokens = count(text) + count(String(fields.instructions ?? ""))
  const audioTokens = fault.fillOutput ? MAX_SPEECH_TOKENS : Math.min(MAX_SPEECH_TOKENS, 20 + textTokens * 6)
  const isStreamed = fields.stream_format === "sse"
  return {
    units: [
      { kind: "text", count: textTokens, picoUsdPerUnit: BY_TOKEN.text },
      { kind: "audio", count: audioTokens, picoUsdPerUnit: BY_TOKEN.audio },
    ],
    promptTokens: textTokens,
    completionTokens: audioTokens,
    isReported: isStreamed && !fault.noUsage,
    body: isStreamed
      ? {
          kind: "events",
          events: [
            ...Array.from({ length: CHUNKS }, () => ({ type: "speech.audio.delta", audio: "AAAA" })),
            {
              type: "speech.audio.done",
              ...(!fault.noUsage && {
                usage: {
                  input_tokens: textTokens,
                  output_tokens: audioTokens,
                  total_tokens: textTokens + audioTokens,
                },
              }),
            },
          ],
        }
      : audioFile(),
  }
}

function audioFile(): MediaAnswer["body"] {
  const chunks = Array.from({ length: CHUNKS }, (_, index) => new Uint8Array(500).fill(index))
  return { kind: "bytes", contentType: "audio/mpeg", chunks }
}
