import type { CellRef, ReserveRequest, SettleCell, SettleRequest } from "../store"
import { expiredAttempt } from "./entry"

/** When the key of a cell may leave: an instant; negative, a time without reservations; or 0 for never. */
export function lifeOf(cell: CellRef, retentionMs: number): number {
  if (cell.endsAt !== null) return cell.endsAt + retentionMs
  return cell.keepMs === null ? 0 : -cell.keepMs
}

/** The first two lines of a held record, which a settle must repeat: fingerprint, cells and what is reserved in them. */
export function heldHead(fingerprint: string, cells: readonly SettleCell[]): string {
  let head = `${JSON.stringify(fingerprint)}\n`
  for (let index = 0; index < cells.length; index++) {
    const { key, reserved } = cells[index]!
    head += index === 0 ? `${key} ${reserved}` : ` ${key} ${reserved}`
  }
  return head
}

/**
 * What follows state, lease and place in a held record (`scripts/lua-record.ts`): head, a line of charges and lives by cell,
 * and the attempt that an expiry would write.
 */
export function heldRecord(request: ReserveRequest, retentionMs: number, ledger: boolean): string {
  const { cells } = request
  let head = `${JSON.stringify(request.fingerprint)}\n`
  let ends = ""
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index]!
    const space = index === 0 ? "" : " "
    head += `${space}${cell.key} ${cell.amount}`
    ends += `${space}${cell.onExpire} ${lifeOf(cell, retentionMs)}`
  }
  if (!ledger || request.draft === undefined) return `${head}\n${ends}\n`
  return `${head}\n${ends}\n${expiredAttempt(request.draft)}`
}

/**
 * The instant at which a held record may leave: never before the last of its cells, or their `reserved` would stay; 0: it
 * has none.
 */
export function heldUntil(cells: readonly CellRef[], retentionMs: number): number {
  let last = 0
  for (const cell of cells) {
    if (cell.endsAt === null) return 0
    if (cell.endsAt > last) last = cell.endsAt
  }
  return last === 0 ? 0 : last + retentionMs
}

/** Revision and charges, as a resolved record begins with them. */
export function chargeLine(request: SettleRequest, cells: readonly SettleCell[]): string {
  let line = `${request.revision}`
  const commit = request.outcome === "commit"
  for (let index = 0; index < cells.length; index++) line += ` ${commit ? cells[index]!.amount : 0}`
  return line
}

/** The first line of an entry's text: id, revision, and each cell with its charge. */
export function entryHead(request: SettleRequest, cells: readonly SettleCell[]): string {
  let head = `${request.id} ${request.revision}`
  const commit = request.outcome === "commit"
  for (let index = 0; index < cells.length; index++) {
    const { key, amount } = cells[index]!
    head += ` ${key} ${commit ? amount : 0}`
  }
  return `${head}\n`
}

/** A cell to be settled, and when it may leave. */
export interface SettledCell extends SettleCell {
  /** As {@link lifeOf}, or "k": it keeps the end it has, and is not made again. */
  life: number | "k"
}

/**
 * The id's own cells, as the server told them, with the amounts of the request by their place: a retry after midnight may
 * name the cells of the next window. Where the end of a cell is not known any more, it keeps the one it has.
 */
export function ownCells(told: string, request: SettleRequest, retentionMs: number): SettledCell[] {
  const [names = "", ends = ""] = told.split("\n")
  const [words, lives] = [names.split(" "), ends.split(" ")]
  const cells: SettledCell[] = []
  for (let index = 0; 2 * index + 1 < words.length; index++) {
    const given = request.cells[index]
    const key = words[2 * index]!
    const known = given?.key === key ? lifeOf(given, retentionMs) : ("k" as const)
    const window = { startsAt: null, endsAt: null, keepMs: null }
    const end = lives[2 * index + 1]
    const life = end === undefined ? known : Number(end)
    cells.push({ ...window, key, reserved: Number(words[2 * index + 1]), amount: given?.amount ?? 0, life })
  }
  return cells
}
