/** Width and height in pixels. */
export interface ImageSize {
  width: number
  height: number
}

/** Characters of base64 that are read to find the size, which long metadata may precede. */
const READ_CHARS = 1 << 20

/** Reads the size of a PNG, JPEG, GIF or WebP in a base64 `data:` URL; undefined for other URLs, formats and broken data. */
export function imageSizeOf(url: string): ImageSize | undefined {
  const header = /^data:[^,]{0,200};base64,/i.exec(url)
  if (header === null) return undefined
  const bytes = decodeBase64(url.slice(header[0].length, header[0].length + READ_CHARS))
  const size = pngSize(bytes) ?? gifSize(bytes) ?? webpSize(bytes) ?? jpegSize(bytes)
  return size !== undefined && size.width > 0 && size.height > 0 ? size : undefined
}

function decodeBase64(text: string): DataView {
  const clean = text.replace(/[^A-Za-z0-9+/]/g, "")
  const usable = clean.length % 4 === 1 ? clean.slice(0, -1) : clean
  const binary = atob(usable)
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index)
  return new DataView(bytes.buffer)
}

/** https://www.w3.org/TR/png/#11IHDR */
function pngSize(bytes: DataView): ImageSize | undefined {
  if (bytes.byteLength < 24 || bytes.getUint32(0) !== 0x89504e47 || bytes.getUint32(12) !== 0x49484452) return undefined
  return { width: bytes.getUint32(16), height: bytes.getUint32(20) }
}

/** https://www.w3.org/Graphics/GIF/spec-gif89a.txt, 18 */
function gifSize(bytes: DataView): ImageSize | undefined {
  if (bytes.byteLength < 10 || bytes.getUint32(0) !== 0x47494638) return undefined
  return { width: bytes.getUint16(6, true), height: bytes.getUint16(8, true) }
}

/** https://developers.google.com/speed/webp/docs/riff_container */
function webpSize(bytes: DataView): ImageSize | undefined {
  if (bytes.byteLength < 30 || bytes.getUint32(0) !== 0x52494646 || bytes.getUint32(8) !== 0x57454250) return undefined
  const kind = bytes.getUint32(12)
  if (kind === 0x56503858)
    return {
      width: 1 + (bytes.getUint16(24, true) | (bytes.getUint8(26) << 16)),
      height: 1 + (bytes.getUint16(27, true) | (bytes.getUint8(29) << 16)),
    }
  if (kind === 0x5650384c) {
    const bits = bytes.getUint32(21, true)
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) }
  }
  if (kind === 0x56503820)
    return { width: bytes.getUint16(26, true) & 0x3fff, height: bytes.getUint16(28, true) & 0x3fff }
  return undefined
}

/** ITU T.81, B.2.2: the frame header is the first segment of SOF0 to SOF15 other than DHT, JPG and DAC. */
function jpegSize(bytes: DataView): ImageSize | undefined {
  if (bytes.byteLength < 4 || bytes.getUint16(0) !== 0xffd8) return undefined
  let at = 2
  while (at + 9 <= bytes.byteLength) {
    if (bytes.getUint8(at) !== 0xff) return undefined
    const marker = bytes.getUint8(at + 1)
    if (marker === 0xff) {
      at++
      continue
    }
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc)
      return { height: bytes.getUint16(at + 5), width: bytes.getUint16(at + 7) }
    at += 2 + bytes.getUint16(at + 2)
  }
  return undefined
}
