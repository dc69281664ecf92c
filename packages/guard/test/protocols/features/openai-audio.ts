import type { FormFile } from "../../../src/protocols"
import type { FeatureTable } from "./feature"

const TRANSCRIPTION = "[speech to text](https://platform.openai.com/docs/guides/speech-to-text)"
const SPEECH_GUIDE = "[text to speech](https://platform.openai.com/docs/guides/text-to-speech)"
const REFERENCE = "[API reference](https://platform.openai.com/docs/api-reference/audio)"
const PRICES = "[pricing](https://developers.openai.com/api/docs/pricing)"
const MODEL = "[model](https://platform.openai.com/docs/models/gpt-4o-transcribe)"

/** Uncompressed WAV of 16 kHz, 16 bits and one channel. */
export function wavFile(seconds: number): FormFile {
  const head = new Uint8Array(64)
  const view = new DataView(head.buffer)
  new TextEncoder().encodeInto("RIFF....WAVEfmt ", head)
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, 16_000, true)
  view.setUint32(28, 32_000, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  return { name: "a.wav", type: "audio/wav", size: 32_000 * seconds, head }
}

const mp3: FormFile = { name: "a.mp3", type: "audio/mpeg", size: 8_000, head: new Uint8Array(64) }

export const TRANSCRIPTIONS: FeatureTable = {
  title: "Transcriptions and translations",
  endpoint: "https://api.openai.com/v1/audio/transcriptions",
  model: "gpt-4o-transcribe",
  isForm: true,
  body: { file: wavFile(60) },
  rows: [
    {
      feature: "`file` of uncompressed WAV, by token",
      body: { file: wavFile(120) },
      bounded: "32 tokens for each second that the bytes can hold, and 256; at most the context window",
      source: "`@p2/tokens`",
      bound: "higher",
    },
    {
      feature: "other files, by token",
      body: { file: mp3 },
      bounded: "the context window",
      source: MODEL,
      bound: "higher",
    },
    {
      feature: "output, by token",
      body: { temperature: "0" },
      bounded: "2,000 tokens",
      source: MODEL,
      bound: "equal",
    },
    {
      feature: "`file` of uncompressed WAV, by second (`whisper-1`, `gpt-transcribe`)",
      model: "whisper-1",
      body: { file: wavFile(120) },
      bounded: "the seconds that the bytes can hold, and 1",
      source: PRICES,
      bound: "higher",
    },
    {
      feature: "other files, by second, with `maxAudioSeconds`",
      model: "whisper-1",
      body: { file: mp3 },
      options: { maxAudioSeconds: 600 },
      bounded: "`maxAudioSeconds`, which the caller states, and 1",
      source: TRANSCRIPTION,
      bound: "higher",
    },
    {
      feature: "`prompt`, `language`, `languages`, `keywords`",
      body: { prompt: "David Copperfield", language: "en", languages: ["en"], keywords: ["Dora"] },
      bounded: "twice the tokens of their JSON",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "`known_speaker_names`, `known_speaker_references`",
      model: "gpt-4o-transcribe-diarize",
      body: { known_speaker_names: ["Ada"], known_speaker_references: ["data:audio/wav;base64,AAAA"] },
      bounded: "the context window",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "`stream`",
      body: { stream: "true" },
      bounded: "not billed",
      source: REFERENCE,
      bound: "equal",
    },
    {
      feature: "`response_format`, `include`, `timestamp_granularities`, `temperature`",
      model: "whisper-1",
      body: {
        response_format: "verbose_json",
        include: ["logprobs"],
        timestamp_granularities: ["word"],
        temperature: "0.2",
      },
      bounded: "not billed. Without usage in the answer (`text`, `srt`, `vtt`), the upper bound is charged",
      source: REFERENCE,
      bound: "equal",
    },
    {
      feature: "compressed audio that is billed by the second",
      model: "whisper-1",
      body: { file: mp3 },
      rejected: "unbounded-cost",
    },
    {
      feature: "WAV under the name of another format, which a server may trust",
      model: "whisper-1",
      body: { file: { ...wavFile(1), name: "a.mp3" } },
      rejected: "unbounded-cost",
    },
    { feature: "`chunking_strategy`", body: { chunking_strategy: "auto" }, rejected: "unbounded-cost" },
    { feature: "several files", body: { file: [mp3, mp3] }, rejected: "invalid-body" },
    { feature: "unknown fields", body: { surprise: "1" }, rejected: "unknown-field" },
  ],
}

export const SPEECH: FeatureTable = {
  title: "Speech",
  endpoint: "https://api.openai.com/v1/audio/speech",
  model: "tts-1",
  body: { input: "Hello", voice: "ash" },
  rows: [
    {
      feature: "`input` by character (`tts-1`, `tts-1-hd`)",
      body: { input: "Hello, David" },
      bounded:
        "UTF-16 code units, which are never fewer than the characters. They are charged, because the audio has no usage",
      source: PRICES,
      bound: "higher",
    },
    {
      feature: "`input`, `instructions` by token (`gpt-4o-mini-tts`), with `maxSpeechTokens`",
      model: "gpt-4o-mini-tts",
      body: { instructions: "Whisper." },
      options: { maxSpeechTokens: 5_000 },
      bounded:
        'tokens of the text, and 256; `maxSpeechTokens`, which the caller states. Only `stream_format: "sse"` reports usage; otherwise the upper bound is charged',
      source: SPEECH_GUIDE,
      bound: "higher",
    },
    {
      feature: "`voice`, `response_format`, `speed`, `stream_format`",
      body: { voice: { id: "voice_1" }, response_format: "wav", speed: 0.5, stream_format: "audio" },
      bounded: "not billed",
      source: REFERENCE,
      bound: "equal",
    },
    {
      feature: "models that are billed by the token, without `maxSpeechTokens`",
      model: "gpt-4o-mini-tts",
      body: {},
      rejected: "unbounded-cost",
    },
    { feature: "unknown fields", body: { surprise: 1 }, rejected: "unknown-field" },
  ],
}
