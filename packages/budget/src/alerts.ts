import type { BudgetAlert } from "./budget"
import { readCellKey } from "./cell-key"
import { LeastRecent } from "./internal/least-recent"
import { type PlannedCell, statusOf } from "./plan"
import type { ReadLimit } from "./read-limits"
import type { CellChange, Expired, Name } from "./store"

/** Cells of limits from functions and calls that this process remembers, to tell of their expired reservations. */
const MAX_REMEMBERED = 10_000

/** Finds the thresholds that a change passed. Whoever makes the change decides, so that each is decided once. */
export class Alerts {
  readonly #deliver: ((alert: BudgetAlert) => void) | undefined
  readonly #warn: (message: string, cause?: unknown) => void
  readonly #families = new Map<string, ReadLimit[]>()
  readonly #remembered = new LeastRecent<string, PlannedCell>(MAX_REMEMBERED)

  constructor(
    deliver: ((alert: BudgetAlert) => void) | undefined,
    warn: (message: string, cause?: unknown) => void,
    known: readonly ReadLimit[],
  ) {
    this.#deliver = deliver
    this.#warn = warn
    for (const limit of known) {
      if (limit.alerts.length > 0)
        this.#families.set(limit.family, [...(this.#families.get(limit.family) ?? []), limit])
    }
  }

  /** Cells that were reserved here: their limits may be unknown to the list. */
  remember(root: Name, cells: readonly PlannedCell[]): void {
    if (this.#deliver === undefined) return
    for (const cell of cells)
      if (cell.limits.some((limit) => limit.alerts.length > 0)) this.#remembered.set(`${root} ${cell.key}`, cell)
  }

  /** Changes of a settle: `cells` are the ones that it named. */
  changed(root: Name, cells: readonly PlannedCell[], changes: readonly CellChange[]): void {
    if (this.#deliver === undefined) return
    for (const change of changes) {
      // A retry after midnight is charged in the day of its first reserve, whose cell it did not name.
      const cell = cells.find(({ key }) => key === change.key) ?? this.#known(root, change.key)
      if (cell !== undefined) this.#passed(root, cell, change)
    }
  }

  /** Leases that ran out, of any subject. */
  expired(root: Name, expired: readonly Expired[]): void {
    if (this.#deliver === undefined) return
    for (const { cells } of expired) {
      for (const change of cells) {
        const cell = this.#known(root, change.key)
        if (cell !== undefined) this.#passed(root, cell, change)
      }
    }
  }

  #known(root: Name, key: Name) {
    return this.#remembered.get(`${root} ${key}`) ?? this.#cellOf(key)
  }

  #cellOf(key: Name): (Omit<PlannedCell, "value"> & { value: string | null | undefined }) | undefined {
    const name = readCellKey(key)
    const limits = name && this.#families.get(name.family)
    if (name === undefined || limits === undefined) return undefined
    return { key, startsAt: name.startsAt, endsAt: name.endsAt, keepMs: null, limits, value: name.value }
  }

  #passed(
    root: Name,
    cell: Omit<PlannedCell, "value"> & { value: string | null | undefined },
    change: CellChange,
  ): void {
    for (const limit of cell.limits) {
      for (const { fraction, at } of limit.alerts) {
        if (!(change.peakBefore < at && at <= change.peak)) continue
        const status = statusOf({ ...cell, value: null }, change, limit)
        const failed = (error: unknown) =>
          this.#warn("onAlert threw an error; the alert is not delivered again.", error)
        try {
          const delivered: unknown = this.#deliver!({ ...status, threshold: fraction, value: cell.value, root })
          if (delivered instanceof Promise) delivered.catch(failed)
        } catch (error) {
          failed(error)
        }
      }
    }
  }
}
