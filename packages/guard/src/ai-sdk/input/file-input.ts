import { type ContentPart, isRecord } from "@p2/core"
import type { CountableInput } from "../../protocols/counted-input"
import { shownName } from "../../protocols/identifier"
import type { Rejection } from "../../protocols/protocol"
import { rejected } from "../../protocols/rejection"
import type { Fields } from "../specification"

/** A file in a prompt, in the form of specification v3 or v4. */
type FileContent =
  | { status: "bytes"; base64: string }
  | { status: "text"; text: string }
  | { status: "url"; url: string }
  /** A file that the provider stores. */
  | { status: "stored" }

/** Parts of a tool's result that carry a file: v3 names them by what they carry. */
const CONTENT_FIELDS: Readonly<Record<string, "data" | "url" | "stored">> = {
  "file-data": "data",
  "image-data": "data",
  media: "data",
  "file-url": "url",
  "image-url": "url",
  "file-id": "stored",
  "image-file-id": "stored",
  custom: "stored",
}

/** Adds a file. Nothing but the context window bounds documents, video, compressed audio, and what is behind a URL. */
export function addFile(
  input: CountableInput,
  shown: ContentPart[],
  part: Fields,
  path: string,
): Rejection | undefined {
  const content = contentOf(part)
  if (content === undefined)
    return rejected(
      "unknown-field",
      `Unknown part ${shownName(part.type)} at \`${path}\`: its cost is unknown. Send its text, or an image or a file.`,
    )
  const mediaType = String(part.mediaType ?? (String(part.type).startsWith("image") ? "image" : "")).toLowerCase()
  const kind = mediaType.split("/")[0]
  if (typeof part.filename === "string") input.otherText.push(part.filename)
  if (kind === "image" && (content.status === "bytes" || content.status === "url")) {
    input.modalities?.add("image")
    const url = content.status === "url" ? content.url : `data:${fullType(mediaType)};base64,${content.base64}`
    shown.push({ type: "image_url", image_url: { url } })
  } else if (kind === "audio" && content.status === "bytes") {
    input.modalities?.add("audio")
    const format = /wav/.test(mediaType) ? "wav" : "mp3"
    shown.push({ type: "input_audio", input_audio: { data: content.base64, format } })
  } else if (content.status === "text") shown.push({ type: "text", text: content.text })
  else if (kind === "text" && content.status === "bytes") shown.push({ type: "text", text: textOf(content.base64) })
  else {
    input.unseen.push(`\`${path}\``)
    input.modalities = undefined
  }
  return undefined
}

function contentOf({ type, data, url }: Fields): FileContent | undefined {
  const field = typeof type === "string" && Object.hasOwn(CONTENT_FIELDS, type) ? CONTENT_FIELDS[type] : undefined
  if (field === "stored") return { status: "stored" }
  if (field === "url") return { status: "url", url: String(url) }
  if (field === undefined && type !== "file" && type !== "reasoning-file") return undefined
  if (!isRecord(data) || data instanceof URL || data instanceof Uint8Array) return untaggedContent(data)
  switch (data.type) {
    case "data":
      return untaggedContent(data.data)
    case "url":
      return { status: "url", url: String(data.originalUrl ?? data.url) }
    case "text":
      return { status: "text", text: String(data.text) }
    case "reference":
      return { status: "stored" }
    default:
      return undefined
  }
}

function untaggedContent(data: unknown): FileContent | undefined {
  if (data instanceof URL) return { status: "url", url: data.href }
  if (data instanceof Uint8Array) return { status: "bytes", base64: base64Of(data) }
  if (typeof data !== "string") return undefined
  return /^(https?|data):/i.test(data) ? { status: "url", url: data } : { status: "bytes", base64: data }
}

/** Specification v4 also allows `image` and `image/*`. The token package reads the real type from the bytes. */
function fullType(mediaType: string): string {
  return /^image\/[a-z]/.test(mediaType) ? mediaType : "image/png"
}

const BLOCK = 0x8000

export function base64Of(bytes: Uint8Array): string {
  let binary = ""
  for (let at = 0; at < bytes.length; at += BLOCK) binary += String.fromCharCode(...bytes.subarray(at, at + BLOCK))
  return btoa(binary)
}

function textOf(base64: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)))
  } catch {
    // Not base64: a provider may send the string unchanged.
    return base64
  }
}
