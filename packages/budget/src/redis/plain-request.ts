import type { ReserveCell, SettleCell } from "../store"
import { MAX_ID_BYTES, MAX_KEY_BYTES } from "../store-checks"

const NAME = /^[A-Za-z0-9_.:|=-]+$/

/**
 * Whether a request is beyond doubt, decided without making a text for a mistake that is hardly ever there. Where the answer
 * is no, `store-checks.ts` says what is wrong, or that nothing is; these tests are never weaker than those.
 */
export function arePlainReserveCells(cells: readonly ReserveCell[], maxCells: number): boolean {
  if (!Array.isArray(cells) || cells.length > maxCells) return false
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index]!
    const { amount, limit, onExpire } = cell
    if (!isPlainRef(cells, index) || !isNat(amount) || !isNat(onExpire) || onExpire > amount) return false
    if (limit !== null && !isNat(limit)) return false
  }
  return true
}

/** {@link arePlainReserveCells} for the cells of a settle. */
export function arePlainSettleCells(cells: readonly SettleCell[], maxCells: number): boolean {
  if (!Array.isArray(cells) || cells.length > maxCells) return false
  for (let index = 0; index < cells.length; index++) {
    const { reserved, amount } = cells[index]!
    if (!isPlainRef(cells, index) || !isNat(reserved) || !isNat(amount)) return false
  }
  return true
}

/** Whether root and id are names as they should be. */
export function arePlainNames(root: unknown, id: unknown): boolean {
  return isName(root, MAX_ID_BYTES) && isName(id, MAX_ID_BYTES)
}

export function isNat(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isName(value: unknown, maxBytes: number): boolean {
  return typeof value === "string" && value.length <= maxBytes && NAME.test(value)
}

function isPlainRef(cells: readonly (ReserveCell | SettleCell)[], index: number): boolean {
  const { key, startsAt, endsAt, keepMs } = cells[index]!
  if (!isName(key, MAX_KEY_BYTES)) return false
  if ((startsAt !== null && !isNat(startsAt)) || (endsAt !== null && !isNat(endsAt))) return false
  if (keepMs !== null && (!isNat(keepMs) || keepMs === 0)) return false
  // At most 32 cells: comparing them costs less than a set.
  for (let before = 0; before < index; before++) if (cells[before]!.key === key) return false
  return true
}
