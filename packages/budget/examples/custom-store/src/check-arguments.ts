import type { CellRef } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"

const NAME = /^[A-Za-z0-9_.:|=-]+$/

/** Core encodes names before they come here; the store checks again, because a wrong one would merge two cells. */
export function checkName(argument: string, value: unknown, maxBytes: number): void {
  if (typeof value !== "string" || value.length > maxBytes || !NAME.test(value)) {
    throw new InvalidArgumentError(argument, `1 to ${maxBytes} characters of A-Z a-z 0-9 _ . : | = -`, value)
  }
}

export function checkInteger(argument: string, value: unknown, least: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < least) {
    throw new InvalidArgumentError(argument, `a safe integer of at least ${least}`, value)
  }
}

export function checkRootAndId(request: { root: string; id: string }): void {
  checkName("root", request.root, 64)
  checkName("id", request.id, 64)
}

export function checkCells(cells: readonly CellRef[], counts: readonly string[], maxCells: number): void {
  if (cells.length > maxCells) throw new InvalidArgumentError("cells", `at most ${maxCells} cells`, cells)
  for (const [index, cell] of cells.entries()) {
    checkName(`cells[${index}].key`, cell.key, 200)
    for (const count of counts) checkInteger(`cells[${index}].${count}`, cell[count as keyof CellRef], 0)
  }
  if (new Set(cells.map((cell) => cell.key)).size < cells.length) {
    throw new InvalidArgumentError("cells", "cells with different keys", cells)
  }
}
