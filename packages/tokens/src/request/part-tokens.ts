import { type ContentPart, type ImagePart, InvalidArgumentError } from "@p2/core"
import { about, type Counted } from "./counted"
import { stringAt } from "./field-checks"
import { imageRuleFor } from "./image-rules"
import { imageSizeOf } from "./image-size"
import { imageTokens } from "./image-tokens"
import { otherFieldTokens } from "./other-fields"
import { pcmBytesPerSecond } from "./pcm-rate"
import { type RequestModel, textTokens, windowOf } from "./request-model"

/** A content part of any message. */
export type AnyPart = ContentPart | { type: "refusal"; refusal: string }

/** Tokens that may separate the text parts of a message. Providers do not publish how they separate them. */
const SEPARATOR_MARGIN = 4

const IMAGE_FORM = '{ type: "image_url", image_url: { url } }'
const IMAGE_MARGIN = 8
const AUDIO_MARGIN = 32

/**
 * The maximum tokens that a provider counts per second (Gemini: 32), and for estimates the usual ones (OpenAI: 10) and the
 * bytes of MP3 at 64 kbit/s.
 */
const AUDIO = { tokensPerSecond: 32, usualTokensPerSecond: 10, usualBytesPerSecond: 8_000 }

/**
 * Anthropic states 1,500 to 3,000 tokens for a page of a PDF; this is the middle. The number of pages is estimated from the
 * size of the file. https://docs.claude.com/en/docs/build-with-claude/pdf-support
 */
const FILE = { tokensPerPage: 2_250, bytesPerPage: 100_000 }

/** Fields of a part that have their own rule. A cache breakpoint is not input. */
const PART_FIELDS = new Set(["type", "text", "refusal", "image_url", "input_audio", "file", "cache_control"])

/** Counts the tokens of one content part. @throws InvalidArgumentError; UnboundedInputError */
export function partTokens(model: RequestModel, part: AnyPart, path: string): Counted[] {
  const counted = ownTokens(model, part, path)
  return [...counted, ...otherFieldTokens(model, part, PART_FIELDS, path)]
}

function ownTokens(model: RequestModel, part: AnyPart, path: string): Counted[] {
  switch (part?.type) {
    case "text":
      return [textTokens(model, stringAt(part.text, `${path}.text`)), { tokens: 0, upperBound: SEPARATOR_MARGIN }]
    case "refusal":
      return [textTokens(model, stringAt(part.refusal, `${path}.refusal`))]
    case "image_url":
      return [imagePartTokens(model, part, path)]
    case "input_audio":
      return [audioTokens(model, part.input_audio, path)]
    case "file":
      return [fileTokens(model, part.file, path)]
    default:
      if (typeof part !== "object" || part === null) throw new InvalidArgumentError(path, "a content part", part)
      throw new InvalidArgumentError(
        `${path}.type`,
        '"text", "image_url", "input_audio" or "file"',
        (part as { type?: unknown }).type,
      )
  }
}

function imagePartTokens(model: RequestModel, part: ImagePart, path: string): Counted {
  const url = stringAt(part.image_url?.url, `${path}.image_url.url`, IMAGE_FORM)
  const rule = imageRuleFor(model.name)
  const { tokens, upperBound } = imageTokens(imageSizeOf(url), rule, part.image_url.detail ?? undefined)
  if (rule.kind !== "unpublished" && Number.isFinite(upperBound))
    return about("images", tokens, upperBound + IMAGE_MARGIN)
  // Users were billed for a data: URL as text: 66,000 tokens for 1920 × 1080 with gpt-5.4-mini,
  // https://community.openai.com/t/1380539.
  if (rule.kind === "unpublished" && /^data:/i.test(url))
    return about("images", tokens, Math.max(upperBound, textTokens(model, url).upperBound) + IMAGE_MARGIN)
  // The size of an image behind a URL is unknown here.
  const window = windowOf(model, path, "an image by URL", "Send the image as a data: URL instead.")
  return { ...about("images", tokens, tokens + IMAGE_MARGIN), window }
}

/**
 * Raw PCM has a length that its bytes prove. Compressed audio has none, whatever its headers state, so the window bounds it.
 * So is WAV that is sent as another format: a provider that trusts the format decodes it as compressed audio.
 */
function audioTokens(
  model: RequestModel,
  audio: { data?: unknown; format?: unknown } | undefined,
  path: string,
): Counted {
  const base64 = stringAt(audio?.data, `${path}.input_audio.data`)
  const bytes = (base64.length * 3) / 4
  const bytesPerSecond = audio?.format === "wav" ? pcmBytesPerSecond(base64) : undefined
  const seconds = Math.ceil(bytes / (bytesPerSecond ?? AUDIO.usualBytesPerSecond))
  const tokens = Math.ceil(seconds * AUDIO.usualTokensPerSecond)
  if (bytesPerSecond !== undefined) return about("audio", tokens, seconds * AUDIO.tokensPerSecond + AUDIO_MARGIN)
  const window = windowOf(model, path, "compressed audio", "Send it as WAV instead.")
  return { ...about("audio", Math.min(tokens, Math.floor(window / 2)), 0), window }
}

function fileTokens(
  model: RequestModel,
  file: { file_data?: unknown; file_id?: unknown } | undefined,
  path: string,
): Counted {
  const { file_data: data, file_id: id } = file ?? {}
  const isById = data === undefined && typeof id === "string"
  const bytes = isById ? 0 : stringAt(data, `${path}.file.file_data`).length * 0.75
  const pages = Math.max(1, Math.ceil(bytes / FILE.bytesPerPage))
  const window = windowOf(model, path, "a file", "Send its text, or its pages as images, instead.")
  return { ...about("files", pages * FILE.tokensPerPage, 0), window }
}
