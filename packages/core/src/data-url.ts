import { InvalidArgumentError } from "./errors"

/** Bytes of an image or a file. */
export type Bytes = Uint8Array | ArrayBuffer

const MEBIBYTE = 2 ** 20

/** The most that one image may have: 20 MiB of bytes. */
export const MAX_IMAGE_BYTES = 20 * MEBIBYTE
/** The most that one file may have: 50 MiB of bytes. */
export const MAX_FILE_BYTES = 50 * MEBIBYTE

/**
 * An address as it is, or the bytes of a PNG, JPEG, GIF or WebP as a `data:` URL.
 * @throws InvalidArgumentError for other bytes, other addresses, and more than 20 MiB.
 */
export function toImageUrl(image: string | Bytes): string {
  const expected = "an http(s) address, a data: URL of an image, or the bytes of a PNG, JPEG, GIF or WebP"
  if (typeof image === "string") {
    if (!/^https?:\/\/[^\s/]|^data:image\/(png|jpeg|gif|webp);base64,/i.test(image))
      throw new InvalidArgumentError("image", expected, image)
    checkSize("image", (image.length * 3) / 4, MAX_IMAGE_BYTES)
    return image
  }
  const bytes = bytesOf("image", image, expected)
  checkSize("image", bytes.length, MAX_IMAGE_BYTES)
  const type = sniffImage(bytes)
  if (type === undefined) throw new InvalidArgumentError("image", expected, image)
  return `data:${type};base64,${toBase64(bytes)}`
}

/**
 * A `data:` URL as it is, or bytes as one.
 * @throws InvalidArgumentError for anything else, and for more than 50 MiB.
 */
export function toFileUrl(file: string | Bytes, mediaType?: string): string {
  const expected = "a data: URL, or bytes"
  if (typeof file === "string") {
    if (!/^data:[\w.+-]+\/[\w.+-]+;base64,/.test(file)) throw new InvalidArgumentError("file", expected, file)
    checkSize("file", (file.length * 3) / 4, MAX_FILE_BYTES)
    return file
  }
  const bytes = bytesOf("file", file, expected)
  checkSize("file", bytes.length, MAX_FILE_BYTES)
  const type = mediaType ?? sniffImage(bytes) ?? (startsWith(bytes, "%PDF-") ? "application/pdf" : undefined)
  if (type === undefined || !/^[\w.+-]+\/[\w.+-]+$/.test(type))
    throw new InvalidArgumentError(
      "mediaType",
      'a media type such as "text/csv", since the bytes do not tell',
      mediaType,
    )
  return `data:${type};base64,${toBase64(bytes)}`
}

function bytesOf(argument: string, value: Bytes, expected: string): Uint8Array {
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (value instanceof Uint8Array) return value
  throw new InvalidArgumentError(argument, expected, value)
}

function checkSize(argument: string, bytes: number, limit: number): void {
  if (bytes > limit) throw new InvalidArgumentError(argument, `at most ${limit} bytes`, Math.round(bytes))
}

/** The media type by the first bytes, which is what providers look at too. */
function sniffImage(bytes: Uint8Array): string | undefined {
  if (startsWith(bytes, "\x89PNG\r\n\x1A\n")) return "image/png"
  if (startsWith(bytes, "\xFF\xD8\xFF")) return "image/jpeg"
  if (startsWith(bytes, "GIF87a") || startsWith(bytes, "GIF89a")) return "image/gif"
  return startsWith(bytes, "RIFF") && startsWith(bytes.subarray(8), "WEBP") ? "image/webp" : undefined
}

function startsWith(bytes: Uint8Array, signature: string): boolean {
  return [...signature].every((sign, index) => bytes[index] === sign.charCodeAt(0))
}

function toBase64(bytes: Uint8Array): string {
  const parts: string[] = []
  // A chunk is a multiple of 3 bytes, so that its base64 has no padding; and small enough to be arguments of one call.
  for (let start = 0; start < bytes.length; start += 24_576)
    parts.push(btoa(String.fromCharCode(...bytes.subarray(start, start + 24_576))))
  return parts.join("")
}
