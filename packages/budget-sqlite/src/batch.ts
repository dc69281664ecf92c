import { type CellChange, type CellRef, type CellState, type Final, StoreError } from "@p2/budget"
import type { Connection } from "./connection"
import type { EntryWriter } from "./entry-writer"
import type { Housekeeping } from "./housekeeping"

const MAX = Number.MAX_SAFE_INTEGER

/** A cell as it stands inside the open transaction. */
interface Cell {
  spent: number
  reserved: number
  granted: number
  peak: number
  endsAt: number | null
  keepMs: number | null
  touchedAt: number
  /** Whether the file has a row of it. */
  stored: boolean
  /** Whether it is to be written when the transaction ends. */
  changed: boolean
}

/** One cell of an id: what is set aside in it (held), or what it was charged (resolved). */
export type HeldCell = [key: string, reserved: number, onExpire: number, endsAt: number | null, keepMs: number | null]
export type ChargedCell = [key: string, charged: number]

/** What is known of an id. */
export type IdRecord = { fingerprint: string; leaseEnd: number; revision: number } & (
  | { state: "held"; cells: HeldCell[]; draft: string | null }
  | { state: Final; cells: ChargedCell[] }
)

interface CellRow {
  spent: number
  reserved: number
  granted: number
  peak: number
  ends_at: number | null
  keep_ms: number | null
  touched_at: number
}

interface IdRow {
  state: string
  fingerprint: string
  cells: string
  lease_end: number
  revision: number
  draft: string | null
  forget_at: number | null
}

export const SELECT_CELL =
  "SELECT spent, reserved, granted, peak, ends_at, keep_ms, touched_at FROM p2_cells WHERE root = ? AND key = ?"
export const SELECT_ID =
  "SELECT state, fingerprint, cells, lease_end, revision, draft, forget_at FROM p2_ids WHERE root = ? AND id = ?"
export const INSERT_ID =
  "INSERT OR REPLACE INTO p2_ids (root, id, state, fingerprint, cells, lease_end, revision, draft, forget_at) VALUES (?, ?, 'held', ?, ?, ?, 0, ?, NULL)"
export const RESOLVE_ID =
  "UPDATE p2_ids SET state = ?, cells = ?, revision = ?, draft = NULL, forget_at = ? WHERE root = ? AND id = ?"
const INSERT_RESOLVED =
  "INSERT OR REPLACE INTO p2_ids (root, id, state, fingerprint, cells, lease_end, revision, draft, forget_at) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)"
export const SELECT_DUE =
  "SELECT id FROM p2_ids WHERE root = ? AND state = 'held' AND lease_end <= ? ORDER BY lease_end, id LIMIT ?"
export const UPDATE_CELL =
  "UPDATE p2_cells SET spent = ?, reserved = ?, granted = ?, peak = ?, ends_at = ?, keep_ms = ?, touched_at = ? WHERE root = ? AND key = ?"
const INSERT_CELL =
  "INSERT INTO p2_cells (spent, reserved, granted, peak, ends_at, keep_ms, touched_at, root, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

/** A row whose values make no sense is never counted with, never overwritten and never dropped. */
export function corruptRow(what: string): StoreError {
  return new StoreError(
    `The row of ${what} makes no sense. It was left as it is; correct it, or restore the file from a copy.`,
    { code: "corrupt", applied: "no" },
  )
}

/**
 * The operations of one transaction. Cells are read once and written once, when the transaction ends. Each operation
 * loads everything that it touches before it changes anything, so that one that fails leaves no trace in the others.
 */
export class Batch {
  /** By root, then by key: a name made of both would have to be hashed at each look. */
  readonly #cells = new Map<string, Map<string, Cell>>()
  readonly #changed: { root: string; key: string; cell: Cell }[] = []
  readonly #withoutDue = new Set<string>()

  constructor(
    readonly connection: Connection,
    readonly now: number,
    readonly retentionMs: number,
    readonly entries: EntryWriter,
    readonly housekeeping: Housekeeping,
  ) {}

  /** Reads the cell, so that one that makes no sense is found before anything changes. */
  load(root: string, key: string): void {
    this.#cell(root, key)
  }

  stateOf(root: string, key: string): CellState {
    const { spent, reserved, granted } = this.#cell(root, key)
    return { key, spent, reserved, granted }
  }

  unchanged(root: string, key: string): CellChange {
    const { spent, reserved, granted, peak } = this.#cell(root, key)
    return { key, spent, reserved, granted, peakBefore: peak, peak }
  }

  /**
   * Exact; what would leave the safe integers is cut off at their end. Without `endsAt` and `keepMs` the cell keeps
   * those that it has.
   */
  change(
    root: string,
    ref: Pick<CellRef, "key"> & Partial<CellRef>,
    by: { spent?: number; reserved?: number; granted?: number; resetPeak?: boolean },
  ): CellChange {
    const { key } = ref
    const cell = this.#cell(root, key)
    const peakBefore = cell.peak
    cell.spent = sum(cell.spent, by.spent ?? 0)
    cell.reserved = sum(cell.reserved, by.reserved ?? 0)
    cell.granted = sum(cell.granted, by.granted ?? 0)
    cell.peak = by.resetPeak ? 0 : Math.max(cell.peak, cell.spent)
    if (ref.endsAt !== undefined) cell.endsAt = ref.endsAt
    if (ref.keepMs !== undefined) cell.keepMs = ref.keepMs
    cell.touchedAt = this.now
    if (!cell.changed) this.#changed.push({ root, key, cell })
    cell.changed = true
    const { spent, reserved, granted, peak } = cell
    return { key, spent, reserved, granted, peakBefore, peak }
  }

  /** Undefined: never seen, or forgotten. Throws when the row makes no sense. */
  record(root: string, id: string): IdRecord | undefined {
    const row = this.connection.get<IdRow>(SELECT_ID, root, id)
    if (row === undefined || (row.forget_at !== null && row.forget_at <= this.now)) return undefined
    return parseRecord(row, id)
  }

  hold(root: string, id: string, record: IdRecord & { state: "held" }): void {
    this.housekeeping.tick()
    const cells = JSON.stringify(record.cells)
    this.connection.run(INSERT_ID, root, id, record.fingerprint, cells, record.leaseEnd, record.draft)
  }

  resolve(root: string, id: string, known: boolean, record: IdRecord & { state: Final }, forgetAt: number): void {
    this.housekeeping.tick()
    const { state, fingerprint, leaseEnd, revision } = record
    const cells = JSON.stringify(record.cells)
    if (known) this.connection.run(RESOLVE_ID, state, cells, revision, forgetAt, root, id)
    else this.connection.run(INSERT_RESOLVED, root, id, state, fingerprint, cells, leaseEnd, revision, forgetAt)
  }

  /** Ids whose lease ran out, in order of (end of lease, id). */
  due(root: string, limit: number): string[] {
    // Inside one transaction time stands still, so that nothing becomes due that was not.
    if (this.#withoutDue.has(root)) return []
    const ids = this.connection.all<{ id: string }>(SELECT_DUE, root, this.now, limit).map((row) => row.id)
    if (ids.length === 0) this.#withoutDue.add(root)
    return ids
  }

  /** Writes the cells and sums that changed. */
  finish(): void {
    for (const { root, key, cell } of this.#changed) {
      const { spent, reserved, granted, peak, endsAt, keepMs, touchedAt } = cell
      const sql = cell.stored ? UPDATE_CELL : INSERT_CELL
      this.connection.run(sql, spent, reserved, granted, peak, endsAt, keepMs, touchedAt, root, key)
    }
    this.housekeeping.step(this.connection, this.now, this.entries)
    this.entries.finish()
  }

  #cell(root: string, key: string): Cell {
    let cells = this.#cells.get(root)
    if (cells === undefined) {
      cells = new Map()
      this.#cells.set(root, cells)
    }
    const known = cells.get(key)
    if (known !== undefined) return known
    const row = this.connection.get<CellRow>(SELECT_CELL, root, key)
    const cell = cellOf(row, key, this.now, this.retentionMs)
    cells.set(key, cell)
    return cell
  }
}

/** The cell in a row, zeros where there is none or where its time is over. */
export function cellOf(row: CellRow | undefined, key: string, now: number, retentionMs: number): Cell {
  if (row === undefined) return emptyCell(now, false)
  const { spent, reserved, granted, peak, ends_at: endsAt, keep_ms: keepMs, touched_at: touchedAt } = row
  const sane =
    Number.isSafeInteger(spent) &&
    Number.isSafeInteger(reserved) &&
    Number.isSafeInteger(granted) &&
    Number.isSafeInteger(peak) &&
    Number.isSafeInteger(touchedAt)
  if (!sane || reserved < 0 || peak < 0 || spent > peak) throw corruptRow(`cell ${key}`)
  if (reserved === 0 && isOver(endsAt, keepMs, touchedAt, now, retentionMs)) return emptyCell(now, true)
  return { spent, reserved, granted, peak, endsAt, keepMs, touchedAt, stored: true, changed: false }
}

function emptyCell(now: number, stored: boolean): Cell {
  return {
    spent: 0,
    reserved: 0,
    granted: 0,
    peak: 0,
    endsAt: null,
    keepMs: null,
    touchedAt: now,
    stored,
    changed: false,
  }
}

function isOver(endsAt: number | null, keepMs: number | null, touchedAt: number, now: number, retentionMs: number) {
  if (endsAt !== null) return endsAt + retentionMs <= now
  return keepMs !== null && touchedAt + keepMs <= now
}

function sum(a: number, b: number): number {
  return Math.max(-MAX, Math.min(MAX, a + b))
}

const STATES = new Set(["held", "committed", "released", "expired"])

function parseRecord(row: IdRow, id: string): IdRecord {
  const { state, fingerprint, lease_end: leaseEnd, revision } = row
  const cells = parsed(row.cells, id)
  const sane = STATES.has(state) && Array.isArray(cells) && cells.every((cell) => isCell(cell, state === "held"))
  if (!sane || !Number.isSafeInteger(leaseEnd) || !Number.isSafeInteger(revision)) throw corruptRow(`id ${id}`)
  return { state, fingerprint, leaseEnd, revision, cells, draft: row.draft } as IdRecord
}

export function parsed(json: string, id: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw corruptRow(`id ${id}`)
  }
}

function isCell(cell: unknown, held: boolean): boolean {
  if (!Array.isArray(cell) || cell.length !== (held ? 5 : 2) || typeof cell[0] !== "string") return false
  const amounts: unknown[] = held ? cell.slice(1, 3) : cell.slice(1)
  return amounts.every((amount) => Number.isSafeInteger(amount) && (amount as number) >= 0)
}
