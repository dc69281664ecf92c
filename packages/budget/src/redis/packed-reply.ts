import type { CellChange, CellState, Name } from "../store"

/**
 * What `reserve` and `settle` answer: bytes, so that no number is printed by the server and read again here, and none can be
 * rounded on the way; or a list where there is more to tell. Texts in a list are bytes too.
 */
export type PackedReply = Uint8Array | unknown[]

/** Bytes of a cell: little-endian doubles of spent, reserved, granted, peak and life. */
const CELL = 40

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The cell at a place, as `reserve` tells it: it stands there once. */
export function packedState(key: Name, view: DataView, at: number): CellState {
  return {
    key,
    spent: view.getFloat64(at, true),
    reserved: view.getFloat64(at + 8, true),
    granted: view.getFloat64(at + 16, true),
  }
}

/** A cell as `settle` tells it: as it is now, and behind that as it was. */
export function packedChange(key: Name, view: DataView, at: number): CellChange {
  return {
    key,
    spent: view.getFloat64(at, true),
    reserved: view.getFloat64(at + 8, true),
    granted: view.getFloat64(at + 16, true),
    peakBefore: view.getFloat64(at + CELL + 24, true),
    peak: view.getFloat64(at + 24, true),
  }
}

/** The place of a cell behind a head of `head` bytes, where every cell stands `times` times. */
export function cellAt(index: number, head: number, times: 1 | 2): number {
  return head + index * CELL * times
}

/** A list of a packed reply as scripts without bytes answer it: with texts. */
export function withTexts(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
  return Array.isArray(value) ? value.map(withTexts) : value
}
