import { wavBytesPerSecond } from "@p2/tokens"
import type { FormFile } from "../protocol"

/**
 * The most seconds of an audio file: by its size, if its samples are not compressed, otherwise what the caller states. Headers of
 * compressed audio and an assumed bit rate prove nothing. Undefined: there is no maximum.
 */
export function audioSeconds({ size, head }: FormFile, maxAudioSeconds: number | undefined): number | undefined {
  const bytesPerSecond = wavBytesPerSecond(head)
  return bytesPerSecond === undefined ? maxAudioSeconds : Math.ceil(size / bytesPerSecond)
}
