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
  /** `onPiece` returns false to leave the stream. */
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

/** The AI SDK generates images in calls of its own. */
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

export const MEDIA: readonly MediaIntegration[] = [
  ...SDKS.flatMap(([name, SDK]) => images(name, SDK)),
  aiImages("ai 7, @ai-sdk/openai image", ai7, createOpenAI),
  aiImages("ai 6, @ai-sdk/openai image", ai6 as unknown as typeof ai7, createOpenAI3 as unknown as typeof createOpenAI),
]
