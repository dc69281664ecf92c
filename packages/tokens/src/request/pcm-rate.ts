/** Bytes of the header that are read. The format is in the first chunk of every usual file. */
const HEADER_BYTES = 36

/** 8 kHz, 8 bits, one channel. At a lower rate, every byte would be seconds of silence. */
const MIN_RATE = 8_000
/** 48 kHz, 16 bits, two channels. A higher rate would make the audio shorter. */
const MAX_RATE = 192_000

/** The format tag of PCM without compression. */
const PCM = 1

/**
 * The bytes per second of a WAV file with uncompressed samples, by its first 36 bytes; undefined for every other format. The
 * sizes in the header prove nothing, but a player uses the sample rate, the channels and the bits of the header, so the size of
 * the file divided by this rate is the most that it can play.
 *
 * @example
 * const bytesPerSecond = wavBytesPerSecond(bytes.subarray(0, 36))
 * const seconds = bytesPerSecond === undefined ? undefined : Math.ceil(bytes.length / bytesPerSecond)
 */
export function wavBytesPerSecond(head: Uint8Array): number | undefined {
  if (head.byteLength < HEADER_BYTES) return undefined
  const bytes = new DataView(head.buffer, head.byteOffset, HEADER_BYTES)
  const isWav = bytes.getUint32(0) === 0x52494646 && bytes.getUint32(8) === 0x57415645
  if (!isWav || bytes.getUint32(12) !== 0x666d7420 || bytes.getUint16(20, true) !== PCM) return undefined
  const channels = bytes.getUint16(22, true)
  const sampleRate = bytes.getUint32(24, true)
  const bits = bytes.getUint16(34, true)
  const bytesPerSecond = Math.floor((channels * sampleRate * bits) / 8)
  if (bits % 8 !== 0 || bytesPerSecond < MIN_RATE) return undefined
  return Math.min(bytesPerSecond, MAX_RATE)
}

/** {@link wavBytesPerSecond} for a base64-encoded file. */
export function pcmBytesPerSecond(base64: string): number | undefined {
  const start = base64.slice(0, (HEADER_BYTES / 3) * 4)
  if (!/^[A-Za-z0-9+/]+$/.test(start)) return undefined
  return wavBytesPerSecond(
    Uint8Array.from(atob(start.slice(0, start.length - (start.length % 4))), (byte) => byte.charCodeAt(0)),
  )
}
