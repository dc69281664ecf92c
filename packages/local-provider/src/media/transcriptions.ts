import type { Fault } from "../faults"
import { densestCount, usualCount } from "../text-count"
import { isTrue, type MediaRequest } from "./fields"
import { BadRequest, type MediaAnswer } from "./send"

/** Pico-USD per second. https://developers.openai.com/api/docs/pricing (2026-11-05) */
const BY_SECOND: Readonly<Record<string, number>> = { "whisper-1": 100_000_000, "gpt-transcribe": 75_000_000 }
/** Pico-USD per token of text, audio and transcript. */
const BY_TOKEN: Readonly<Record<string, { text: number; audio: number; output: number }>> = {
  "gpt-4o-transcribe": { text: 2_500_000, audio: 6_000_000, output: 10_000_000 },
  "gpt-4o-mini-transcribe": { text: 1_250_000, audio: 3_000_000, output: 5_000_000 },
}

const TOKENS_PER_SECOND = 10
const CONTEXT_WINDOW = 16_000
const MAX_OUTPUT_TOKENS = 2_000

/**
 * Transcribes or translates audio. The length of WAV follows from its bytes; other files have it in their name, such as
 * `30.mp3`.
 */
export function answerTranscription({ fields, files }: MediaRequest, fault: Fault, head: Uint8Array): MediaAnswer {
  const model = String(fields.model)
  const [audio] = files
  if (audio === undefined) throw new BadRequest("Missing 'file'.")
  const seconds = secondsOf(audio.file, head)
  const rate = BY_SECOND[model]
  if (rate !== undefined) return bySecond(fields, seconds, rate, fault)
  const rates = BY_TOKEN[model]
  if (rates === undefined) throw new BadRequest(`The model \`${model}\` does not exist.`)
  const count = fault.densestTokens ? densestCount : usualCount
  const text = count(String(fields.prompt ?? ""))
  const audioTokens = Math.ceil(seconds * TOKENS_PER_SECOND)
  if (text + audioTokens > CONTEXT_WINDOW) throw new BadRequest("The audio is too long.")
  const output = fault.fillOutput ? MAX_OUTPUT_TOKENS : Math.min(MAX_OUTPUT_TOKENS, 4 + Math.ceil(seconds * 3))
  const usage = fault.noUsage
    ? {}
    : {
        usage: {
          type: "tokens",
          input_tokens: text + audioTokens,
          input_token_details: { text_tokens: text, audio_tokens: audioTokens },
          output_tokens: output,
          total_tokens: text + audioTokens + output,
        },
      }
  return {
    units: [
      { kind: "text", count: text, picoUsdPerUnit: rates.text },
      { kind: "audio", count: audioTokens, picoUsdPerUnit: rates.audio },
      { kind: "output", count: output, picoUsdPerUnit: rates.output },
    ],
    promptTokens: text + audioTokens,
    completionTokens: output,
    isReported: !fault.noUsage,
    body: isTrue(fields.stream)
      ? {
          kind: "events",
          events: [
            ...["I am ", "born."].map((delta) => ({ type: "transcript.text.delta", delta })),
            { type: "transcript.text.done", text: "I am born.", ...usage },
          ],
        }
      : { kind: "json", value: { text: "I am born.", ...usage } },
  }
}

function bySecond(fields: Record<string, unknown>, seconds: number, rate: number, fault: Fault): MediaAnswer {
  const billed = Math.ceil(seconds)
  const format = fields.response_format ?? "json"
  const isText = format === "text" || format === "srt" || format === "vtt"
  const bill = {
    units: [{ kind: "second", count: billed, picoUsdPerUnit: rate }],
    promptTokens: 0,
    completionTokens: 0,
    isReported: !isText && !fault.noUsage,
  }
  if (isText) return { ...bill, body: { kind: "text", contentType: "text/plain", chunks: ["I am ", "born.\n"] } }
  const usage = fault.noUsage ? {} : { usage: { type: "duration", seconds: billed } }
  const verbose =
    format === "verbose_json" && !fault.noUsage ? { duration: seconds, language: "english", task: "transcribe" } : {}
  return { ...bill, body: { kind: "json", value: { text: "I am born.", ...verbose, ...usage } } }
}

function secondsOf(file: File, head: Uint8Array): number {
  const name = /^([\d.]+)\.\w+$/.exec(file.name)
  if (head.length < 36 || Buffer.from(head.subarray(0, 4)).toString("latin1") !== "RIFF") return Number(name?.[1] ?? 10)
  const view = new DataView(head.buffer, head.byteOffset)
  const bytesPerSecond = (view.getUint16(22, true) * view.getUint32(24, true) * view.getUint16(34, true)) / 8
  return file.size / bytesPerSecond
}
