import type { FuzzedProtocol } from "./fuzz-ledger"
import { speech, transcriptions } from "./media/draw-audio"
import { images } from "./media/draw-images"
import { anthropicMessages } from "./native/draw-anthropic"
import { gemini } from "./native/draw-gemini"
import { chatAtOpenAI, chatAtOpenRouter } from "./openai/draw-chat"
import { embeddings } from "./openai/draw-embeddings"
import { responses } from "./openai/draw-responses"

/** Every wire format that is fuzzed. */
export const FUZZED: readonly FuzzedProtocol[] = [
  chatAtOpenAI,
  chatAtOpenRouter,
  responses,
  embeddings,
  images,
  speech,
  transcriptions,
  anthropicMessages,
  gemini,
]
