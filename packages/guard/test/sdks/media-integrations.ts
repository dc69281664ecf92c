import { createOpenAI } from "@ai-sdk/openai"
import * as ai7 from "ai"
import { createOpenAI as createOpenAI3 } from "ai-sdk-openai3"
import * as ai6 from "ai6"
import OpenAI6, { toFile } from "openai"
import OpenAI7 from "openai7"
import type { Connection } from "./integrations"

/** One call of an SDK that generates or reads media. */
export interface MediaIntegration {
  name: string
  call(connection: Connection): Promise<unknown>
  /** `onPiece` returns false to abandon the stream. */
  stream?(connection: Connection, onPiece: () => boolean): Promise<void>
  /** The charge is what was billed. False: the endpoint reports no usage, so the upper bound is charged. @defaultValue true */
  isReported?: boolean
  /** Options of the guard without which the call has no upper bound. */
  options?: { maxImageTokens?: number; maxAudioSeconds?: number; maxSpeechTokens?: number }
}

const key = "local"

export function openaiClient(SDK: typeof OpenAI6, { server, fetch, maxRetries }: Connection): OpenAI6 {
  return new SDK({ baseURL: server.baseURL, apiKey: key, fetch, ...(maxRetries !== undefined && { maxRetries }) })
}

export const SDKS = [
  ["openai 6", OpenAI6],
  ["openai 7", OpenAI7 as unknown as typeof OpenAI6],
] as const

const generation = { model: "gpt-image-2", prompt: "A red balloon", size: "1024x1024", quality: "low" } as const
const signalOf = ({ signal }: Connection) => (signal === undefined ? {} : { signal })

function images(name: string, SDK: typeof OpenAI6): MediaIntegration[] {
  return [
    {
      name: `${name}, images.generate`,
      call: (c) => openaiClient(SDK, c).images.generate(generation, signalOf(c)),
      async stream(c, onPiece) {
        const request = { ...generation, stream: true, partial_images: 2 } as const
        for await (const _ of await openaiClient(SDK, c).images.generate(request, signalOf(c))) if (!onPiece()) break
      },
    },
    {
      name: `${name}, images.edit`,
      async call(c) {
        const image = await Promise.all(
          ["a.png", "b.png"].map((file) => toFile(Buffer.alloc(500), file, { type: "image/png" })),
        )
        return openaiClient(SDK, c).images.edit({ ...generation, image, n: 2 }, signalOf(c))
      },
    },
  ]
}

/** The AI SDK generates images in separate calls. */
function aiImages(name: string, ai: typeof ai7, create: typeof createOpenAI): MediaIntegration {
  return {
    name,
    call: (c) =>
      ai.generateImage({
        model: create({ baseURL: c.server.baseURL, apiKey: key, fetch: c.fetch }).image("gpt-image-1-mini"),
        prompt: "A red balloon",
        size: "1024x1024",
        providerOptions: { openai: { quality: "low" } },
        ...(c.signal && { abortSignal: c.signal }),
        ...(c.maxRetries !== undefined && { maxRetries: c.maxRetries }),
      }),
  }
}

/** Uncompressed WAV of 16 kHz, 16 bits and one channel. */
export function wavBytes(seconds: number): Buffer {
  const bytes = Buffer.alloc(Math.round(32_000 * seconds))
  bytes.write("RIFF....WAVEfmt ")
  for (const [offset, value] of [
    [20, 1],
    [22, 1],
    [32, 2],
    [34, 16],
  ] as const)
    bytes.writeUInt16LE(value, offset)
  for (const [offset, value] of [
    [16, 16],
    [24, 16_000],
    [28, 32_000],
  ] as const)
    bytes.writeUInt32LE(value, offset)
  return bytes
}

const wav = () => toFile(wavBytes(3), "a.wav", { type: "audio/wav" })
const speech = { model: "tts-1", input: "I am born.", voice: "ash" } as const

function audio(name: string, SDK: typeof OpenAI6): MediaIntegration[] {
  return [
    {
      name: `${name}, audio.speech`,
      call: async (c) => (await openaiClient(SDK, c).audio.speech.create(speech, signalOf(c))).arrayBuffer(),
      async stream(c, onPiece) {
        const response = await openaiClient(SDK, c).audio.speech.create(speech, signalOf(c))
        for await (const _ of response.body!) if (!onPiece()) break
      },
    },
    {
      name: `${name}, audio.speech by token`,
      isReported: false,
      options: { maxSpeechTokens: 5_000 },
      call: async (c) =>
        (
          await openaiClient(SDK, c).audio.speech.create({ ...speech, model: "gpt-4o-mini-tts" }, signalOf(c))
        ).arrayBuffer(),
      async stream(c, onPiece) {
        const request = { ...speech, model: "gpt-4o-mini-tts", stream_format: "sse" } as const
        const response = await openaiClient(SDK, c).audio.speech.create(request, signalOf(c))
        for await (const _ of response.body!) if (!onPiece()) break
      },
    },
    {
      name: `${name}, audio.transcriptions by token`,
      call: async (c) =>
        openaiClient(SDK, c).audio.transcriptions.create(
          { model: "gpt-4o-transcribe", file: await wav() },
          signalOf(c),
        ),
      async stream(c, onPiece) {
        const request = { model: "gpt-4o-transcribe", file: await wav(), stream: true } as const
        for await (const _ of await openaiClient(SDK, c).audio.transcriptions.create(request, signalOf(c)))
          if (!onPiece()) break
      },
    },
    {
      name: `${name}, audio.transcriptions by second`,
      options: { maxAudioSeconds: 60 },
      call: async (c) =>
        openaiClient(SDK, c).audio.transcriptions.create(
          { model: "whisper-1", file: await toFile(Buffer.alloc(900), "12.5.mp3") },
          signalOf(c),
        ),
    },
    {
      name: `${name}, audio.translations as text`,
      isReported: false,
      call: async (c) =>
        openaiClient(SDK, c).audio.translations.create(
          { model: "whisper-1", file: await wav(), response_format: "text" },
          signalOf(c),
        ),
    },
  ]
}

function aiAudio(name: string, ai: typeof ai7, create: typeof createOpenAI): MediaIntegration[] {
  const provider = ({ server, fetch }: Connection) => create({ baseURL: server.baseURL, apiKey: key, fetch })
  const common = (c: Connection) => ({
    ...(c.signal && { abortSignal: c.signal }),
    ...(c.maxRetries !== undefined && { maxRetries: c.maxRetries }),
  })
  return [
    {
      name: `${name} speech`,
      call: (c) =>
        ai.experimental_generateSpeech({ model: provider(c).speech("tts-1"), text: "I am born.", ...common(c) }),
    },
    {
      name: `${name} transcription`,
      call: (c) =>
        ai.experimental_transcribe({
          model: provider(c).transcription("gpt-4o-transcribe"),
          audio: wavBytes(3),
          ...common(c),
        }),
    },
  ]
}

const six = ai6 as unknown as typeof ai7
const createOpenAI6 = createOpenAI3 as unknown as typeof createOpenAI

export const MEDIA: readonly MediaIntegration[] = [
  ...SDKS.flatMap(([name, SDK]) => [...images(name, SDK), ...audio(name, SDK)]),
  aiImages("ai 7, @ai-sdk/openai image", ai7, createOpenAI),
  aiImages("ai 6, @ai-sdk/openai image", six, createOpenAI6),
  ...aiAudio("ai 7, @ai-sdk/openai", ai7, createOpenAI),
  ...aiAudio("ai 6, @ai-sdk/openai", six, createOpenAI6),
]

/** One for each kind of medium, and the AI SDK. The slow tests add the others. */
const FAST_NAMES: readonly string[] = [
  "openai 7, images.generate",
  "openai 7, audio.speech by token",
  "openai 7, audio.transcriptions by second",
  "ai 7, @ai-sdk/openai image",
]
export const FAST_MEDIA = MEDIA.filter(({ name }) => FAST_NAMES.includes(name))
export const SLOW_MEDIA = MEDIA.filter(({ name }) => !FAST_NAMES.includes(name))
