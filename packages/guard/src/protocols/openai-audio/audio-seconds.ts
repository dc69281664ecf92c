import { wavBytesPerSecond } from "@p2/tokens"
import type { FormFile } from "../protocol"

/**
 * Maximum seconds of an audio file: by its size if its samples are not compressed, otherwise what the caller states.
 * Headers of compressed audio and an assumed bit rate prove nothing, nor does the header of a WAV file under another
 * name: a server that trusts the name decodes the bytes as compressed audio. Undefined: there is no maximum.
 */
export function audioSeconds({ name, size, head }: FormFile, maxAudioSeconds: number | undefined): number | undefined {
  const bytesPerSecond = /\.wave?$/i.test(name) ? wavBytesPerSecond(head) : undefined
  return bytesPerSecond === undefined ? maxAudioSeconds : Math.ceil(size / bytesPerSecond)
}
