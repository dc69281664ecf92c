import type { Draw } from "../draw"
import type { FuzzedProtocol } from "../fuzz-ledger"

/** Speech that is billed per character, and per token. */
export const speech: FuzzedProtocol = {
  name: "openai-speech",
  // The most that the local provider generates.
  options: { maxSpeechTokens: 5_000 },
  draw: (draw, provider) => ({
    url: "https://api.openai.com/v1/audio/speech",
    sentTo: `${provider.baseURL}/audio/speech`,
    headers: {},
    body: {
      model: draw.pick(["tts-1", "tts-1-hd", "gpt-4o-mini-tts"]),
      input: draw.text(20),
      voice: draw.pick(["ash", { id: "voice_1" }]),
      ...draw.maybe(0.3, () => ({ instructions: draw.text(5), speed: 0.25 + draw.next() })),
      ...draw.maybe(0.6, () => ({ stream_format: draw.pick(["sse", "audio"]), response_format: "wav" })),
    },
    fault: {
      ...draw.maybe(0.3, () => ({ fillOutput: true })),
      ...draw.maybe(0.4, () => ({ densestTokens: true })),
      ...draw.maybe(0.1, () => ({ noUsage: true })),
    },
  }),
}

const MAX_SECONDS = 900

/** Transcriptions and translations of WAV in several formats, and of files whose names contain their length. */
export const transcriptions: FuzzedProtocol = {
  name: "openai-transcriptions",
  options: { maxAudioSeconds: MAX_SECONDS },
  draw(draw, provider) {
    const model = draw.pick(["whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"])
    const path = model === "whisper-1" && draw.chance(0.3) ? "/audio/translations" : "/audio/transcriptions"
    const form = new FormData()
    form.append("model", model)
    if (draw.chance(0.5)) form.append("file", new Blob([drawWav(draw)]), "a.wav")
    else form.append("file", new Blob([new Uint8Array(200)]), `${(draw.next() * MAX_SECONDS).toFixed(2)}.mp3`)
    if (draw.chance(0.5)) form.append("prompt", draw.text(20))
    if (draw.chance(0.3)) form.append("language", "en")
    if (draw.chance(0.4))
      form.append(
        "response_format",
        model === "whisper-1" ? draw.pick(["text", "verbose_json", "srt", "json"]) : "json",
      )
    if (draw.chance(0.3)) form.append("stream", "true")
    if (draw.chance(0.2)) form.append("timestamp_granularities[]", "word")
    return {
      url: `https://api.openai.com/v1${path}`,
      sentTo: `${provider.baseURL}${path}`,
      headers: {},
      body: form,
      fault: {
        ...draw.maybe(0.3, () => ({ fillOutput: true })),
        ...draw.maybe(0.4, () => ({ densestTokens: true })),
        ...draw.maybe(0.1, () => ({ noUsage: true })),
      },
    }
  },
}

/** Uncompressed samples of silence. */
function drawWav(draw: Draw): Uint8Array<ArrayBuffer> {
  const [channels, rate, bits] = [draw.pick([1, 2]), draw.pick([8_000, 16_000, 44_100, 48_000]), draw.pick([8, 16, 24])]
  const bytes = Buffer.alloc(draw.between(36, 400_000))
  bytes.write("RIFF....WAVEfmt ")
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(channels, 22)
  bytes.writeUInt32LE(rate, 24)
  bytes.writeUInt16LE(bits, 34)
  return new Uint8Array(bytes)
}
