import { InvalidArgumentError } from "../errors"

/** Bytes of an image or a file. */
export type Bytes = Uint8Array | ArrayBuffer

/** Accepted images and files, and the maximum bytes of each. */
const KINDS = {
  image: {
    expected: "an http(s) URL, a data: URL, or the bytes of a PNG, JPEG, GIF or WebP, such as `await readFile(path)`",
    url: /^https?:\/\/[^\s/]|^data:image\/(png|jpeg|gif|webp);base64,/i,
    /** 20 MiB. */
    maxBytes: 20_971_520,
  },
  file: {
    expected: "a data: URL, or bytes such as `await readFile(path)`",
    url: /^data:[\w.+-]+\/[\w.+-]+;base64,/,
    /** 50 MiB. */
    maxBytes: 52_428_800,
  },
}

/** Media types by their first bytes, which providers check as well. */
const SIGNATURES: [type: string, bytes: RegExp][] = [
  ["image/png", /^\x89PNG\r\n\x1A\n/],
  ["image/jpeg", /^\xFF\xD8\xFF/],
  ["image/gif", /^GIF8[79]a/],
  ["image/webp", /^RIFF....WEBP/s],
  ["application/pdf", /^%PDF-/],
]

/**
 * Converts bytes to a `data:` URL; returns a URL as it is.
 * @throws InvalidArgumentError if it is not an image or file, if its type cannot be detected from the bytes, or if it is
 * larger than 20 MiB (image) or 50 MiB (file)
 */
export function toDataUrl(kind: keyof typeof KINDS, source: string | Bytes, mediaType?: string): string {
  const { expected, url, maxBytes } = KINDS[kind]
  const bytes = source instanceof ArrayBuffer ? new Uint8Array(source) : source
  const size = typeof bytes === "string" ? Math.round((bytes.length * 3) / 4) : bytes?.length
  if (typeof bytes === "string" ? !url.test(bytes) : !(bytes instanceof Uint8Array))
    throw new InvalidArgumentError(kind, expected, source)
  if (size > maxBytes) throw new InvalidArgumentError(kind, `at most ${maxBytes} bytes`, size)
  if (typeof bytes === "string") return bytes
  const type = mediaType ?? mediaTypeOf(bytes)
  if (kind === "image" && !type?.startsWith("image/")) throw new InvalidArgumentError(kind, expected, source)
  if (type === undefined || !/^[\w.+-]+\/[\w.+-]+$/.test(type))
    throw new InvalidArgumentError("mediaType", 'a media type such as "text/csv"', type)
  return `data:${type};base64,${toBase64(bytes)}`
}

function mediaTypeOf(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 16))
  return SIGNATURES.find(([, signature]) => signature.test(start))?.[0]
}

function toBase64(bytes: Uint8Array): string {
  const parts: string[] = []
  // A chunk is a multiple of 3 bytes, so that its base64 has no padding, and small enough to be passed as arguments.
  for (let start = 0; start < bytes.length; start += 24_576)
    parts.push(btoa(String.fromCharCode(...bytes.subarray(start, start + 24_576))))
  return parts.join("")
}
