import {
  type CellChange,
  type CellRef,
  type CellState,
  type Expired,
  type Final,
  type ReserveCell,
  StoreError,
} from "@p2/budget"

const MAX = Number.MAX_SAFE_INTEGER

interface Cell {
  spent: number
  reserved: number
  granted: number
  peak: number
  endsAt: number | null
  keepMs: number | null
  touchedAt: number
}

export interface Id {
  state: "held" | Final
  fingerprint: string
  cells: ReserveCell[]
  leaseEnd: number
  /** What each cell is charged under this id. */
  charged: number[]
  revision: number
  /** Null while held: an open id is never forgotten. */
  forgetAt: number | null
}

/** Everything that one root holds. */
export interface Root {
  cells: Map<string, Cell>
  ids: Map<string, Id>
  adjustments: Map<string, { content: string; applied: number; forgetAt: number }>
}

/** The rules of one root at one instant. Nothing here waits, so that each call of the store is one step. */
export class Rules {
  constructor(
    readonly root: Root,
    readonly now: number,
    private readonly retentionMs: number,
  ) {
    this.#forget()
  }

  cell(key: string): Cell {
    const cell = this.root.cells.get(key)
    if (cell === undefined)
      return { spent: 0, reserved: 0, granted: 0, peak: 0, endsAt: null, keepMs: null, touchedAt: 0 }
    if (![cell.spent, cell.reserved, cell.granted, cell.peak].every(Number.isSafeInteger)) {
      throw new StoreError(`The cell ${key} holds no counts.`, { code: "corrupt", applied: "no" })
    }
    return cell
  }

  state(key: string): CellState {
    const { spent, reserved, granted } = this.cell(key)
    return { key, spent, reserved, granted }
  }

  unchanged(key: string): CellChange {
    const { peak } = this.cell(key)
    return { ...this.state(key), peakBefore: peak, peak }
  }

  change(ref: CellRef, by: { spent?: number; reserved?: number; granted?: number }): CellChange {
    const before = this.cell(ref.key)
    const spent = sum(before.spent, by.spent)
    this.root.cells.set(ref.key, {
      spent,
      reserved: sum(before.reserved, by.reserved),
      granted: sum(before.granted, by.granted),
      peak: Math.max(before.peak, spent),
      endsAt: ref.endsAt,
      keepMs: ref.keepMs,
      touchedAt: this.now,
    })
    return { ...this.unchanged(ref.key), peakBefore: before.peak }
  }

  isOpen(ref: CellRef): boolean {
    return (ref.startsAt === null || ref.startsAt <= this.now) && (ref.endsAt === null || this.now < ref.endsAt)
  }

  fits(ref: ReserveCell): boolean {
    const { spent, reserved, granted } = this.cell(ref.key)
    const cap = Math.min(MAX, ref.limit === null ? MAX : ref.limit + granted)
    return ref.amount === 0 || ref.amount <= cap - spent - reserved
  }

  /** Held ids whose lease ran out, in order of (end of lease, id). */
  due(): string[] {
    return [...this.root.ids]
      .filter(([, id]) => id.state === "held" && id.leaseEnd <= this.now)
      .sort(([nameA, a], [nameB, b]) => a.leaseEnd - b.leaseEnd || (nameA < nameB ? -1 : 1))
      .map(([name]) => name)
  }

  /** Ends at most `max` of them, and `own` in any case. */
  expire(max: number, own?: string): Expired[] {
    const chosen = this.due().filter((name, index) => index < max || name === own)
    return chosen.map((name) => {
      const id = this.root.ids.get(name)!
      const cells = id.cells.map((cell) => ({
        ...this.change(cell, { spent: cell.onExpire, reserved: -cell.amount }),
        charged: cell.onExpire,
      }))
      const charged = id.cells.map((cell) => cell.onExpire)
      this.root.ids.set(name, { ...id, state: "expired", charged, forgetAt: this.now + this.retentionMs })
      return { id: name, cells }
    })
  }

  /** Open ids stay, and so do the cells in which they reserved something. */
  #forget(): void {
    const { cells, ids, adjustments } = this.root
    for (const [key, cell] of cells) {
      const idle = cell.keepMs === null ? Number.POSITIVE_INFINITY : cell.touchedAt + cell.keepMs
      const end = cell.endsAt === null ? idle : cell.endsAt + this.retentionMs
      if (cell.reserved === 0 && end <= this.now) cells.delete(key)
    }
    for (const [name, id] of ids) if (id.forgetAt !== null && id.forgetAt <= this.now) ids.delete(name)
    for (const [name, one] of adjustments) if (one.forgetAt <= this.now) adjustments.delete(name)
  }
}

/** Cut off at the largest safe integer: money that is gone is recorded as far as a number can. */
function sum(a: number, b = 0): number {
  return Math.max(-MAX, Math.min(MAX, a + b))
}
