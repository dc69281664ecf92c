import type { TextCount } from "../text-count"
import { functionsOf, type GeminiRequest, type Part, partsOf } from "./request"

/** Input tokens by how they are billed. */
export interface GeminiInput {
  text: number
  image: number
  audio: number
  /** Part of `text` that was read from a cache. */
  cached: number
}

export function totalInput({ text, image, audio }: GeminiInput): number {
  return text + image + audio
}

/** Tokens of one tile of an image, of a second of video with sound, and of a second of audio. */
const PER_TILE = 258
const PER_VIDEO_SECOND = 263 + 32
const PER_AUDIO_SECOND = 32
/** Gemini 3 spends up to this many tokens on one image or page. */
const PER_IMAGE_3 = 2240

/** Counts the input of a request. Cached content is counted as 2,000 tokens. */
export function countGeminiInput(request: GeminiRequest, model: string, count: TextCount): GeminiInput {
  const input: GeminiInput = { text: 0, image: 0, audio: 0, cached: 0 }
  const { contents, systemInstruction, generationConfig } = request
  for (const content of [...(systemInstruction === undefined ? [] : [systemInstruction]), ...contents]) {
    input.text += 2
    for (const part of partsOf(content)) addPart(input, part, model, count)
  }
  for (const declaration of functionsOf(request)) input.text += count(JSON.stringify(declaration)) + 8
  const schema = generationConfig?.responseSchema ?? generationConfig?.responseJsonSchema
  if (schema !== undefined) input.text += count(JSON.stringify(schema)) + 8
  if (request.cachedContent !== undefined) {
    input.text += 2000
    input.cached += 2000
  }
  return input
}

function addPart(input: GeminiInput, part: Part, model: string, count: TextCount): void {
  if (typeof part.text === "string") input.text += count(part.text)
  const inline = part.inlineData as { mimeType?: string; data?: string } | undefined
  if (inline !== undefined) addMedia(input, String(inline.mimeType), String(inline.data), model)
  for (const name of ["functionCall", "functionResponse", "executableCode", "codeExecutionResult"])
    if (part[name] !== undefined) input.text += count(JSON.stringify(part[name])) + 4
}

function addMedia(input: GeminiInput, mimeType: string, base64: string, model: string): void {
  const bytes = (base64.length * 3) / 4
  const isNew = model.startsWith("gemini-3")
  if (mimeType.startsWith("image/")) input.image += isNew ? PER_IMAGE_3 : PER_TILE * 4
  else if (mimeType === "application/pdf")
    input.image += Math.max(1, Math.ceil(bytes / 50_000)) * (isNew ? PER_IMAGE_3 : PER_TILE)
  else if (mimeType.startsWith("audio/")) input.audio += Math.ceil(bytes / 16_000) * PER_AUDIO_SECOND
  else if (mimeType.startsWith("video/")) input.image += Math.ceil(bytes / 100_000) * PER_VIDEO_SECOND
  else input.text += Math.ceil(bytes)
}
