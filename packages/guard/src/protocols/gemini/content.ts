import { isRecord } from "@p2/core"
import { shownName } from "../identifier"
import {
  imagePart,
  jsonPart,
  type PromptPart,
  recordsIn,
  rejectedPart,
  textPart,
  tokensPart,
  unseenPart,
} from "../prompt-parts"
import { invalidBody } from "../rejection"
import { type BodyFields, checkFields, words } from "../variants/body-fields"
import { camelKeys } from "./camel-keys"

/** Tokens that a content and its role may add. */
const CONTENT = tokensPart(2, 8)

const CONTENT_FIELDS: BodyFields = { free: words("role"), read: words("parts") }

const PART_FIELDS: BodyFields = {
  free: words("thought partMetadata mediaResolution"),
  read: words("text inlineData fileData functionResponse videoMetadata mediaProcessing"),
  counted: words(
    "functionCall executableCode codeExecutionResult toolCall toolResponse thoughtSignature speechMetadata",
  ),
}

/** Whether a part may contain audio, which has its own rate. */
export type GeminiPart = PromptPart & { mayHaveAudio?: true }

/** The parts of `contents`: contents, or one content. */
export function contentsParts(contents: unknown): GeminiPart[] {
  const list = recordsIn(Array.isArray(contents) ? contents : [contents])
  if (list === undefined || list.length === 0)
    return [rejectedPart(invalidBody("contents", "an array of at least one content"))]
  return list.flatMap((content, index) => contentParts(content, `contents[${index}]`))
}

/** The parts of one content. */
export function contentParts(content: unknown, path: string): GeminiPart[] {
  if (content === undefined || content === null) return []
  if (typeof content === "string") return textPart(content)
  if (!isRecord(content)) return [rejectedPart(invalidBody(path, "a content"))]
  const fields = camelKeys(content)
  const wrong = checkFields(fields, [CONTENT_FIELDS], `${path}.`)
  if (wrong !== undefined) return [rejectedPart(wrong)]
  const { parts = [] } = fields
  const list = recordsIn(Array.isArray(parts) ? parts : [parts])
  if (list === undefined) return [rejectedPart(invalidBody(`${path}.parts`, "an array of parts"))]
  return [CONTENT, ...list.flatMap((part, index) => partParts(camelKeys(part), `${path}.parts[${index}]`))]
}

function partParts(part: Record<string, unknown>, path: string): GeminiPart[] {
  const wrong = checkFields(part, [PART_FIELDS], `${path}.`)
  if (wrong !== undefined) return [rejectedPart(wrong)]
  const { text, inlineData, fileData, functionResponse } = part
  if (text !== undefined && text !== null && typeof text !== "string")
    return [rejectedPart(invalidBody(`${path}.text`, "a string"))]
  return [
    ...(typeof text === "string" ? textPart(text) : []),
    ...(isRecord(inlineData) ? mediaParts(camelKeys(inlineData), part) : []),
    ...(isRecord(fileData) ? [fileParts()] : []),
    ...(isRecord(functionResponse) ? responseParts(functionResponse, path) : []),
    ...Object.entries(part).flatMap(([name, value]) => (PART_FIELDS.counted?.has(name) ? jsonPart(value) : [])),
  ]
}

function fileParts(): GeminiPart {
  return { ...unseenPart("a file"), mayHaveAudio: true }
}

/** Tokens of inline data. The length of video, compressed audio and documents is unknown. */
function mediaParts({ mimeType, data }: Record<string, unknown>, part: Record<string, unknown>): GeminiPart[] {
  const type = String(mimeType).toLowerCase()
  const base64 = String(data)
  const resolution = isRecord(part.mediaResolution) ? camelKeys(part.mediaResolution) : {}
  if (type.startsWith("image/"))
    return [resolution.numTokens === undefined ? imagePart(`data:${type};base64,${base64}`) : unseenPart("an image")]
  if (/^audio\/(x-)?wav/.test(type)) {
    const audio = { type: "input_audio" as const, input_audio: { data: base64, format: "wav" as const } }
    return [{ kind: "media", part: audio, mayHaveAudio: true }]
  }
  if (type.startsWith("text/")) {
    const bytes = Math.ceil((base64.length * 3) / 4)
    return [tokensPart(Math.ceil(bytes / 4), bytes)]
  }
  const document = unseenPart(`data of type ${shownName(type)}`)
  return type === "application/pdf" ? [document] : [{ ...document, mayHaveAudio: true }]
}

/** A function can return media in addition to its JSON. */
function responseParts(response: Record<string, unknown>, path: string): GeminiPart[] {
  const { parts, ...json } = camelKeys(response)
  const media = recordsIn(parts ?? [])
  if (media === undefined) return [rejectedPart(invalidBody(`${path}.functionResponse.parts`, "an array of parts"))]
  const inner = media.flatMap((part) => partParts(camelKeys(part), `${path}.functionResponse.parts`))
  return [...jsonPart(json), ...inner]
}
