import type { UsageEntry } from "../ledger"
import type {
  AdjustRequest,
  AdjustResult,
  CellChange,
  CellRef,
  CellState,
  Expired,
  ExtendResult,
  Millis,
  Name,
  ReserveCell,
  ReserveRequest,
  ReserveResult,
  SettleRequest,
  SettleResult,
} from "../store"
import {
  checkAdjustRequest,
  checkExtendRequest,
  checkReadRequest,
  checkReserveRequest,
  checkSettleRequest,
  checkSweepRequest,
} from "../store-checks"
import { StoreError } from "../store-error"
import { ForgetQueue } from "./forget-queue"
import { MemoryLedger } from "./memory-ledger"
import { Adjustment, type Forgettable, type HeldCell, heldCells, IdRecord, MemoryCell, MemoryRoot } from "./memory-root"

const MAX = Number.MAX_SAFE_INTEGER
/** Most leases that a reserve ends beside its own. */
const EXPIRE_IN_RESERVE = 16
/** Most things that an operation forgets; more than an operation can add. */
const FORGET_PER_OPERATION = 64

export interface MemoryLimits {
  clock: () => Millis
  retentionMs: number
  maxIds: number
  maxCells: number
  maxEntries: number
  maxContentChars: number
}

/** The contract's state table over maps. Nothing here waits, so that each member is one atomic step. */
export class MemoryState {
  readonly retentionMs: number
  readonly maxCellsPerCall = 32
  readonly ledger: MemoryLedger | undefined
  readonly #limits: MemoryLimits
  readonly #roots = new Map<Name, MemoryRoot>()
  readonly #queue: ForgetQueue
  #ids = 0
  #cells = 0

  constructor(limits: MemoryLimits) {
    this.#limits = limits
    this.retentionMs = limits.retentionMs
    this.#queue = new ForgetQueue(limits.retentionMs, (item) => this.#forget(item))
    if (limits.maxEntries > 0) this.ledger = new MemoryLedger(limits.clock, limits.maxEntries, limits.maxContentChars)
  }

  reserve(request: ReserveRequest): ReserveResult {
    checkReserveRequest(request, this.maxCellsPerCall)
    const now = this.#begin()
    const known = this.#roots.get(request.root)
    const expired = known === undefined ? [] : this.#expireDue(known, now, EXPIRE_IN_RESERVE, request.id)
    const rest = { now, expired, backlog: known !== undefined && isDue(known, now) }
    const record = known && this.#record(known, request.id, now)
    const which = record === undefined ? this.#whichRefuse(known, request.cells, now) : undefined
    if (record === undefined && which === undefined) {
      const root = this.#rootWithRoom(request.root, request.cells, now)
      this.#hold(root, request, now)
      const cells = request.cells.map(({ key }) => stateOf(key, root.cells.get(key)))
      return { ...rest, cells, result: "ok", replayed: false, expiresAt: now + request.leaseMs }
    }
    const cells = request.cells.map(({ key }) => stateOf(key, known && this.#cell(known, key, now)))
    if (record === undefined) return { ...rest, cells, ...which! }
    if (record.fingerprint !== request.fingerprint) return { ...rest, cells, result: "mismatch" }
    if (record.state !== "held") return { ...rest, cells, result: "resolved", state: record.state }
    return { ...rest, cells, result: "ok", replayed: true, expiresAt: record.leaseEnd }
  }

  settle(request: SettleRequest): SettleResult {
    checkSettleRequest(request, this.maxCellsPerCall)
    const now = this.#begin()
    const root = this.#rootOf(request.root)
    const record = this.#record(root, request.id, now)
    const answer = this.#decideSettle(request, record, now)
    if (answer.result === "mismatch" || answer.result === "forgotten" || answer.replayed)
      return { now, cells: this.#unchanged(root, request, now), ...answer }
    return { now, cells: this.#resolve(root, request, record, now), ...answer }
  }

  extend(request: { root: Name; id: Name; leaseMs: number }): ExtendResult {
    checkExtendRequest(request)
    const now = this.#limits.clock()
    const root = this.#roots.get(request.root)
    const record = root && this.#record(root, request.id, now)
    if (root === undefined || record === undefined) return { now, state: "unknown" }
    if (record.state !== "held") return { now, state: record.state }
    if (record.leaseEnd <= now) return { now, state: "expired" }
    record.leaseEnd = Math.max(record.leaseEnd, now + request.leaseMs)
    root.leases.moved(record)
    return { now, state: "held", expiresAt: record.leaseEnd }
  }

  read(request: { root: Name; keys: Name[] }): { now: Millis; due: number; cells: CellState[] } {
    checkReadRequest(request)
    const now = this.#limits.clock()
    const root = this.#roots.get(request.root)
    const cells = request.keys.map((key) => stateOf(key, root && this.#cell(root, key, now)))
    return { now, due: root?.leases.countDue(now) ?? 0, cells }
  }

  adjust(request: AdjustRequest): AdjustResult {
    checkAdjustRequest(request)
    const now = this.#begin()
    const root = this.#rootOf(request.root)
    const { key } = request.cell
    const content = `${key} ${request.kind} ${request.delta}`
    const known = alive(root.adjustments.get(request.id), now, this.retentionMs)
    const unchanged = () => changeOf(key, this.#cell(root, key, now))
    if (known !== undefined && known.content !== content) return { now, cell: unchanged(), result: "mismatch" }
    if (known !== undefined) return { now, cell: unchanged(), result: "ok", replayed: true, applied: known.applied }
    if (isClosed(request.cell, now)) return { now, cell: unchanged(), result: "stale-window" }
    this.#requireRoom(1, this.#cell(root, key, now) === undefined ? 1 : 0, now)
    const { change, applied } = this.#applyAdjustment(root, request, now)
    const adjustment = new Adjustment(root, request.id, content, applied, now + this.retentionMs)
    if (!root.adjustments.has(request.id)) this.#ids++
    root.adjustments.set(request.id, adjustment)
    this.#queue.add(adjustment, adjustment.forgottenFrom)
    return { now, cell: change, result: "ok", replayed: false, applied }
  }

  sweep(request: { root: Name; max: number }): { now: Millis; expired: Expired[]; more: boolean } {
    checkSweepRequest(request)
    const now = this.#begin()
    this.#queue.drain(now, Number.POSITIVE_INFINITY)
    const root = this.#roots.get(request.root)
    if (root === undefined) return { now, expired: [], more: false }
    const expired = this.#expireDue(root, now, request.max)
    return { now, expired, more: isDue(root, now) }
  }

  size(): { ids: number; cells: number; entries: number } {
    return { ids: this.#ids, cells: this.#cells, entries: this.ledger?.size ?? 0 }
  }

  #begin(): Millis {
    const now = this.#limits.clock()
    this.#queue.drain(now, FORGET_PER_OPERATION)
    return now
  }

  // ── Deciding ──

  #whichRefuse(
    root: MemoryRoot | undefined,
    cells: readonly ReserveCell[],
    now: Millis,
  ): { result: "stale-window" | "exceeded"; which: number[] } | undefined {
    const stale = indexesOf(cells, (cell) => isClosed(cell, now))
    if (stale.length > 0) return { result: "stale-window", which: stale }
    const exceeded = indexesOf(cells, (cell) => !fits(cell, root && this.#cell(root, cell.key, now)))
    return exceeded.length > 0 ? { result: "exceeded", which: exceeded } : undefined
  }

  #decideSettle(request: SettleRequest, record: IdRecord | undefined, now: Millis): SettleDecision {
    const { outcome } = request
    const done = outcome === "commit" ? "committed" : "released"
    if (record === undefined) {
      const { expiresAt } = request
      const isLost = expiresAt === null || now < expiresAt + this.retentionMs
      if (outcome === "release" || isLost) return resolved(done, { recovered: outcome === "commit" })
      return { result: "forgotten" }
    }
    if (record.fingerprint !== request.fingerprint) return { result: "mismatch" }
    if (record.state === "held") return resolved(done)
    if (record.state === "expired") return resolved(done, { late: true })
    if (record.state !== done) return { result: "mismatch" }
    if (done === "committed" && request.revision > record.revision) return resolved(done)
    if (done === "committed" && request.revision === record.revision && !sameAmounts(request, record))
      return { result: "mismatch" }
    return { ...resolved(done), replayed: true }
  }

  // ── Writing ──

  #rootWithRoom(name: Name, cells: readonly ReserveCell[], now: Millis): MemoryRoot {
    const known = this.#roots.get(name)
    let missing = 0
    for (const { key } of cells) if (!known?.cells.has(key)) missing++
    this.#requireRoom(1, missing, now)
    return this.#rootOf(name)
  }

  #requireRoom(ids: number, cells: number, now: Millis): void {
    const { maxIds, maxCells } = this.#limits
    const isFull = () => this.#ids + ids > maxIds || (cells > 0 && this.#cells + cells > maxCells)
    if (!isFull()) return
    this.#queue.drain(now, Number.POSITIVE_INFINITY)
    if (!isFull()) return
    const what = this.#ids + ids > maxIds ? `maxIds (${maxIds}) ids` : `maxCells (${maxCells}) cells`
    throw new StoreError(
      `The memory store is full: it holds ${what}, and forgets none that is open or younger than retentionMs ` +
        `(${this.retentionMs} ms). Raise the limit, shorten retentionMs, or use a store outside of this process.`,
      { code: "unavailable", applied: "no" },
    )
  }

  #rootOf(name: Name): MemoryRoot {
    let root = this.#roots.get(name)
    if (root === undefined) {
      root = new MemoryRoot(name)
      this.#roots.set(name, root)
    }
    return root
  }

  #hold(root: MemoryRoot, request: ReserveRequest, now: Millis): void {
    const cells = heldCells(request.cells)
    for (const cell of cells) this.#change(root, cell, now, 0, cell.amount)
    const { id, fingerprint, draft } = request
    const record = new IdRecord(root, id, fingerprint, cells, now + request.leaseMs, draft && { ...draft })
    // A record that is over may still be there; it is replaced, and leaves the queue by itself.
    if (!root.records.has(id)) this.#ids++
    root.records.set(id, record)
    root.leases.add(record)
  }

  /** Replaces what is reserved or charged under this id by the amounts of the request. */
  #resolve(root: MemoryRoot, request: SettleRequest, known: IdRecord | undefined, now: Millis): CellChange[] {
    const commits = request.outcome === "commit"
    const amounts = request.cells.map(({ amount }) => (commits ? amount : 0))
    // The record's own cells: a retry after midnight may name the cells of the next window.
    const cells: readonly HeldCell[] =
      known?.cells ?? request.cells.map((cell) => ({ ...cell, amount: cell.reserved, onExpire: 0 }))
    const isHeld = known?.state === "held"
    const changes = cells.map((cell, index) =>
      this.#change(root, cell, now, (amounts[index] ?? 0) - (known?.charged?.[index] ?? 0), isHeld ? -cell.amount : 0),
    )
    const record = known ?? this.#newRecord(root, request, cells, now)
    if (isHeld) root.leases.remove(record)
    const wasQueued = record.forgottenFrom !== null
    record.state = commits ? "committed" : "released"
    record.charged = amounts
    record.revision = request.revision
    record.draft = undefined
    record.forgottenFrom = Math.max(record.leaseEnd, now) + this.retentionMs
    if (!wasQueued) this.#queue.add(record, record.forgottenFrom)
    this.#writeEntry(root, request, cells, amounts, now)
    return changes
  }

  #newRecord(root: MemoryRoot, request: SettleRequest, cells: readonly HeldCell[], now: Millis): IdRecord {
    const record = new IdRecord(root, request.id, request.fingerprint, cells, request.expiresAt ?? now, undefined)
    if (!root.records.has(request.id)) this.#ids++
    root.records.set(request.id, record)
    return record
  }

  #writeEntry(
    root: MemoryRoot,
    request: SettleRequest,
    cells: readonly HeldCell[],
    amounts: readonly number[],
    now: Millis,
  ): void {
    if (this.ledger === undefined) return
    const entry: UsageEntry | undefined =
      request.entry ?? this.ledger.correction(root.name, request.id, request.outcome)
    if (entry !== undefined)
      this.ledger.write(root.name, request.id, entry, chargesOf(cells, amounts), request.revision, now)
  }

  #applyAdjustment(root: MemoryRoot, request: AdjustRequest, now: Millis): { change: CellChange; applied: number } {
    const before = stateOf(request.cell.key, this.#cell(root, request.cell.key, now))
    if (request.kind === "spent") {
      const change = this.#change(root, request.cell, now, request.delta, 0)
      return { change, applied: change.spent - before.spent }
    }
    if (request.kind === "granted") {
      const change = this.#change(root, request.cell, now, 0, 0, request.delta)
      return { change, applied: change.granted - before.granted }
    }
    const change = this.#change(root, request.cell, now, -before.spent, 0)
    root.cells.get(request.cell.key)!.peak = 0
    return { change: { ...change, peak: 0 }, applied: 0 - before.spent }
  }

  // ── Leases ──

  /** Ends leases that ran out, oldest first, at most `max`; the caller's own always. */
  #expireDue(root: MemoryRoot, now: Millis, max: number, own?: Name): Expired[] {
    const expired: Expired[] = []
    for (let first = root.leases.first(); first !== undefined && first.leaseEnd <= now; first = root.leases.first()) {
      if (expired.length === max) break
      expired.push(this.#expire(root, first, now))
    }
    const mine = own === undefined ? undefined : root.records.get(own)
    if (mine?.state === "held" && mine.leaseEnd <= now) expired.push(this.#expire(root, mine, now))
    return expired
  }

  #expire(root: MemoryRoot, record: IdRecord, now: Millis): Expired {
    root.leases.remove(record)
    const charged = record.cells.map(({ onExpire }) => onExpire)
    const cells = record.cells.map((cell) => ({
      ...this.#change(root, cell, now, cell.onExpire, -cell.amount),
      charged: cell.onExpire,
    }))
    if (record.draft !== undefined)
      this.ledger?.writeExpired(root.name, record.id, record.draft, chargesOf(record.cells, charged), now)
    record.state = "expired"
    record.charged = charged
    record.draft = undefined
    record.forgottenFrom = now + this.retentionMs
    this.#queue.add(record, record.forgottenFrom)
    return { id: record.id, cells }
  }

  // ── Cells and memory ──

  #change(root: MemoryRoot, ref: CellRef, now: Millis, spent: number, reserved: number, granted = 0): CellChange {
    let cell = this.#cell(root, ref.key, now)
    if (cell === undefined) {
      if (!root.cells.has(ref.key)) this.#cells++
      cell = new MemoryCell(root, ref.key, ref.endsAt, ref.keepMs)
      cell.touchedAt = now
      root.cells.set(ref.key, cell)
    }
    cell.keepMs = ref.keepMs
    if (!cell.queued && (cell.endsAt !== null || cell.keepMs !== null)) {
      cell.queued = true
      this.#queue.add(cell, cell.forgetAt(this.retentionMs) ?? now)
    }
    const peakBefore = cell.peak
    cell.touchedAt = now
    cell.spent = cut(cell.spent + spent)
    cell.reserved = cut(cell.reserved + reserved)
    cell.granted = cut(cell.granted + granted)
    if (cell.spent > cell.peak) cell.peak = cell.spent
    return {
      key: ref.key,
      spent: cell.spent,
      reserved: cell.reserved,
      granted: cell.granted,
      peakBefore,
      peak: cell.peak,
    }
  }

  #cell(root: MemoryRoot, key: Name, now: Millis): MemoryCell | undefined {
    return alive(root.cells.get(key), now, this.retentionMs)
  }

  #record(root: MemoryRoot, id: Name, now: Millis): IdRecord | undefined {
    return alive(root.records.get(id), now, this.retentionMs)
  }

  #unchanged(root: MemoryRoot, request: SettleRequest, now: Millis): CellChange[] {
    return request.cells.map(({ key }) => changeOf(key, this.#cell(root, key, now)))
  }

  #forget(item: Forgettable): void {
    const removed = item.forget()
    if (!removed) return
    if (item instanceof MemoryCell) this.#cells--
    else this.#ids--
    const { root } = item
    if (root.records.size + root.cells.size + root.adjustments.size === 0) this.#roots.delete(root.name)
  }
}

type SettleDecision =
  | { result: "committed" | "released"; replayed: boolean; late: boolean; recovered: boolean }
  | { result: "mismatch" }
  | { result: "forgotten" }

function resolved(
  result: "committed" | "released",
  how: { late?: boolean; recovered?: boolean } = {},
): Extract<SettleDecision, { replayed: boolean }> {
  return { result, replayed: false, late: how.late ?? false, recovered: how.recovered ?? false }
}

function alive<Item extends Forgettable>(item: Item | undefined, now: Millis, retentionMs: number): Item | undefined {
  if (item === undefined) return undefined
  const at = item.forgetAt(retentionMs)
  return at !== null && at <= now ? undefined : item
}

function isDue(root: MemoryRoot, now: Millis): boolean {
  const first = root.leases.first()
  return first !== undefined && first.leaseEnd <= now
}

function isClosed(cell: CellRef, now: Millis): boolean {
  return (cell.startsAt !== null && now < cell.startsAt) || (cell.endsAt !== null && now >= cell.endsAt)
}

function fits({ amount, limit }: ReserveCell, cell: MemoryCell | undefined): boolean {
  if (amount === 0) return true
  const cap = limit === null ? MAX : Math.min(MAX, limit + (cell?.granted ?? 0))
  return amount <= cap - (cell?.spent ?? 0) - (cell?.reserved ?? 0)
}

function indexesOf<T>(items: readonly T[], test: (item: T) => boolean): number[] {
  const found: number[] = []
  for (let index = 0; index < items.length; index++) if (test(items[index]!)) found.push(index)
  return found
}

function sameAmounts(request: SettleRequest, record: IdRecord): boolean {
  return (
    request.cells.length === record.charged?.length &&
    request.cells.every((cell, index) => cell.amount === record.charged![index])
  )
}

function chargesOf(cells: readonly CellRef[], amounts: readonly number[]): Record<Name, number> {
  return Object.fromEntries(cells.map((cell, index) => [cell.key, amounts[index] ?? 0]))
}

/** Exact, and never outside of the safe integers: what does not fit is cut off. */
function cut(sum: number): number {
  if (sum > MAX) return MAX
  return Math.max(sum, -MAX)
}

function stateOf(key: Name, cell: MemoryCell | undefined): CellState {
  return { key, spent: cell?.spent ?? 0, reserved: cell?.reserved ?? 0, granted: cell?.granted ?? 0 }
}

function changeOf(key: Name, cell: MemoryCell | undefined): CellChange {
  const peak = cell?.peak ?? 0
  return { ...stateOf(key, cell), peakBefore: peak, peak }
}
