import { describe, expect, it } from "vitest"
import { wavBytesPerSecond } from "../src/index"

function wav({ rate = 16_000, channels = 1, bits = 16, tag = 1 }, length = 64): Uint8Array {
  const bytes = Buffer.alloc(64)
  bytes.write("RIFF....WAVEfmt ")
  bytes.writeUInt16LE(tag, 20)
  bytes.writeUInt16LE(channels, 22)
  bytes.writeUInt32LE(rate, 24)
  bytes.writeUInt16LE(bits, 34)
  return new Uint8Array(bytes.subarray(0, length))
}

describe("wavBytesPerSecond", () => {
  it.each([
    [{}, 32_000],
    [{ rate: 44_100, channels: 2 }, 176_400],
    [{ rate: 8_000, bits: 8 }, 8_000],
    // A higher rate would make the audio shorter.
    [{ rate: 4_000_000_000, channels: 2 }, 192_000],
  ])("is the rate of %j", (format, rate) => {
    expect(wavBytesPerSecond(wav(format))).toBe(rate)
    expect(wavBytesPerSecond(wav(format, 36))).toBe(rate)
  })

  it.each([
    ["compressed samples", wav({ tag: 85 })],
    ["half a byte for each sample", wav({ bits: 4 })],
    ["the rate of no audio", wav({ rate: 1, bits: 8 })],
    ["a part of a header", wav({}, 35)],
    ["another format", new Uint8Array(64)],
  ])("is undefined for %s", (_name, head) => {
    expect(wavBytesPerSecond(head)).toBeUndefined()
  })
})
