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
import { Adjustment, type Forgettable, IdRecord, MemoryCell, MemoryRoot } from "./memory-root"

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
    const own = known?.records.get(request.id)
    const expired = known === undefined ? [] : this.#expireDue(known, now, EXPIRE_IN_RESERVE, own)
    const backlog = known !== undefined && isDue(known, now)
    const record = aliveRecord(own, now)
    const found = request.cells.map(({ key }) => known && this.#cell(known, key, now))
    const refusal = record === undefined ? refusalOf(request.cells, found, now) : undefined
    if (record === undefined && refusal === undefined) {
      this.#requireRoom(1, found, now)
      const held = this.#hold(known ?? this.#rootOf(request.root), request, found, own, now)
      const expiresAt = now + request.leaseMs
      return { now, cells: held.map(stateOf), expired, backlog, result: "ok", replayed: false, expiresAt }
    }
    const cells = request.cells.map(({ key }, index) => stateAt(key, found[index]))
    if (record === undefined) return { now, cells, expired, backlog, ...refusal! }
    if (record.fingerprint !== request.fingerprint) return { now, cells, expired, backlog, result: "mismatch" }
    if (record.state !== "held") return { now, cells, expired, backlog, result: "resolved", state: record.state }
    return { now, cells, expired, backlog, result: "ok", replayed: true, expiresAt: record.leaseEnd }
  }

  settle(request: SettleRequest): SettleResult {
    checkSettleRequest(request, this.maxCellsPerCall)
    const now = this.#begin()
    const known = this.#roots.get(request.root)
    const record = known && this.#record(known, request.id, now)
    const answer = this.#decideSettle(request, record, now)
    if (answer.result === "mismatch" || answer.result === "forgotten" || answer.replayed) {
      const cells = request.cells.map(({ key }) => unchanged(key, known && this.#cell(known, key, now)))
      return { now, cells, ...answer }
    }
    const cells = this.#resolve(known ?? this.#rootOf(request.root), request, record, now)
    return { now, cells, ...answer }
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
    const cells = request.keys.map((key) => stateAt(key, root && this.#cell(root, key, now)))
    return { now, due: root?.leases.countDue(now) ?? 0, cells }
  }

  adjust(request: AdjustRequest): AdjustResult {
    checkAdjustRequest(request)
    const now = this.#begin()
    // Nothing is kept of an adjustment that changes nothing, not even the name of its root.
    const there = this.#roots.get(request.root)
    const { key } = request.cell
    const content = `${key} ${request.kind} ${request.delta}`
    const last = there?.adjustments.get(request.id)
    const known = last === undefined || last.forgottenFrom <= now ? undefined : last
    const same = () => unchanged(key, there && this.#cell(there, key, now))
    if (known !== undefined && known.content !== content) return { now, cell: same(), result: "mismatch" }
    if (known !== undefined) return { now, cell: same(), result: "ok", replayed: true, applied: known.applied }
    if (isClosed(request.cell, now)) return { now, cell: same(), result: "stale-window" }
    this.#requireRoom(1, [there && this.#cell(there, key, now)], now)
    const root = this.#rootOf(request.root)
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

  /** `found` are the cells of a call that are there; those that are not need room as well. */
  #requireRoom(ids: number, found: readonly (MemoryCell | undefined)[], now: Millis): void {
    const { maxIds, maxCells } = this.#limits
    let cells = 0
    for (const cell of found) if (cell === undefined) cells++
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

  #hold(
    root: MemoryRoot,
    request: ReserveRequest,
    found: readonly (MemoryCell | undefined)[],
    replaced: IdRecord | undefined,
    now: Millis,
  ): MemoryCell[] {
    const { id, fingerprint, draft } = request
    const amounts = request.cells.map(({ amount }) => amount)
    const isFull = request.cells.every(({ amount, onExpire }) => amount === onExpire)
    const onExpire = isFull ? amounts : request.cells.map((cell) => cell.onExpire)
    const cells = request.cells.map((ref, index) => {
      const cell = this.#touch(found[index] ?? this.#newCell(root, ref), ref.keepMs, now)
      cell.reserved = cut(cell.reserved + ref.amount)
      return cell
    })
    const leaseEnd = now + request.leaseMs
    const record = new IdRecord(root, id, fingerprint, cells, amounts, onExpire, leaseEnd, draft && { ...draft })
    this.#keep(record, replaced)
    root.leases.add(record)
    return cells
  }

  /** A record that is over may still have the place of the new one; it leaves the queue by itself. */
  #keep(record: IdRecord, replaced: IdRecord | undefined): void {
    if (replaced === undefined || replaced.gone) this.#ids++
    else replaced.gone = true
    record.root.records.set(record.id, record)
  }

  /** Replaces what is reserved or charged under this id by the amounts of the request. */
  #resolve(root: MemoryRoot, request: SettleRequest, known: IdRecord | undefined, now: Millis): CellChange[] {
    const commits = request.outcome === "commit"
    const record = known ?? this.#lostRecord(root, request, now)
    const isHeld = record.state === "held" && known !== undefined
    const amounts = request.cells.map(({ amount }) => (commits ? amount : 0))
    const { charged } = record
    // The record's own cells: a retry after midnight may name the cells of the next window.
    const changes = record.cells.map((named, index) => {
      const cell = this.#cellFor(root, named, now)
      if (isHeld) cell.reserved = cut(cell.reserved - record.amounts[index]!)
      return charge(cell, (amounts[index] ?? 0) - (charged?.[index] ?? 0))
    })
    if (isHeld) root.leases.remove(record)
    const wasQueued = record.forgottenFrom !== null
    record.state = commits ? "committed" : "released"
    record.charged = amounts
    record.revision = request.revision
    record.draft = undefined
    record.forgottenFrom = Math.max(record.leaseEnd, now) + this.retentionMs
    if (!wasQueued) this.#queue.add(record, record.forgottenFrom)
    this.#writeEntry(root, request, record, now)
    return changes
  }

  /** The record of an id that is not known here. */
  #lostRecord(root: MemoryRoot, request: SettleRequest, now: Millis): IdRecord {
    const { id, fingerprint, expiresAt } = request
    const cells = request.cells.map((ref) => this.#cellFor(root, ref, now))
    const record = new IdRecord(root, id, fingerprint, cells, [], [], expiresAt ?? now, undefined)
    this.#keep(record, root.records.get(id))
    return record
  }

  #writeEntry(root: MemoryRoot, request: SettleRequest, record: IdRecord, now: Millis): void {
    if (this.ledger === undefined) return
    const entry: UsageEntry | undefined =
      request.entry ?? this.ledger.correction(root.name, request.id, request.outcome)
    if (entry !== undefined) this.ledger.write(root.name, request.id, entry, chargesOf(record), request.revision, now)
  }

  #applyAdjustment(root: MemoryRoot, request: AdjustRequest, now: Millis): { change: CellChange; applied: number } {
    const cell = this.#cellFor(root, request.cell, now)
    const { spent, granted } = cell
    if (request.kind === "spent") {
      const change = charge(cell, request.delta)
      return { change, applied: change.spent - spent }
    }
    if (request.kind === "granted") {
      cell.granted = cut(granted + request.delta)
      return { change: charge(cell, 0), applied: cell.granted - granted }
    }
    const change = charge(cell, -spent)
    cell.peak = 0
    return { change: { ...change, peak: 0 }, applied: 0 - spent }
  }

  // ── Leases ──

  /** Ends leases that ran out, oldest first, at most `max`; the caller's own always. */
  #expireDue(root: MemoryRoot, now: Millis, max: number, own?: IdRecord): Expired[] {
    const expired: Expired[] = []
    for (let first = root.leases.first(); first !== undefined && first.leaseEnd <= now; first = root.leases.first()) {
      if (expired.length === max) break
      expired.push(this.#expire(root, first, now))
    }
    if (own?.state === "held" && own.leaseEnd <= now) expired.push(this.#expire(root, own, now))
    return expired
  }

  #expire(root: MemoryRoot, record: IdRecord, now: Millis): Expired {
    root.leases.remove(record)
    const cells = record.cells.map((named, index) => {
      const cell = this.#cellFor(root, named, now)
      cell.reserved = cut(cell.reserved - record.amounts[index]!)
      const charged = record.onExpire[index]!
      return { ...charge(cell, charged), charged }
    })
    record.state = "expired"
    record.charged = record.onExpire
    record.forgottenFrom = now + this.retentionMs
    this.#queue.add(record, record.forgottenFrom)
    if (record.draft !== undefined)
      this.ledger?.writeExpired(root.name, record.id, record.draft, chargesOf(record), now)
    record.draft = undefined
    return { id: record.id, cells }
  }

  // ── Cells and memory ──

  /** The cell of a key, made if it is not there, touched now. */
  #cellFor(root: MemoryRoot, ref: Pick<CellRef, "key" | "endsAt" | "keepMs">, now: Millis): MemoryCell {
    // A record names the cell itself, which needs no look-up as long as it has not left.
    const isOwn = ref instanceof MemoryCell && !ref.gone && !isOver(ref, now, this.retentionMs)
    const cell = isOwn ? ref : (this.#cell(root, ref.key, now) ?? this.#newCell(root, ref))
    return this.#touch(cell, ref.keepMs, now)
  }

  #touch(cell: MemoryCell, keepMs: number | null, now: Millis): MemoryCell {
    cell.touchedAt = now
    cell.keepMs = keepMs
    if (!cell.queued && (cell.endsAt !== null || keepMs !== null)) {
      cell.queued = true
      this.#queue.add(cell, cell.endsAt === null ? now + keepMs! : cell.endsAt + this.retentionMs)
    }
    return cell
  }

  #newCell(root: MemoryRoot, ref: Pick<CellRef, "key" | "endsAt" | "keepMs">): MemoryCell {
    const over = root.cells.get(ref.key)
    if (over === undefined) this.#cells++
    else over.gone = true
    const cell = new MemoryCell(root, ref.key, ref.endsAt, ref.keepMs)
    root.cells.set(ref.key, cell)
    return cell
  }

  #cell(root: MemoryRoot, key: Name, now: Millis): MemoryCell | undefined {
    const cell = root.cells.get(key)
    return cell === undefined || isOver(cell, now, this.retentionMs) ? undefined : cell
  }

  #record(root: MemoryRoot, id: Name, now: Millis): IdRecord | undefined {
    return aliveRecord(root.records.get(id), now)
  }

  #forget(item: Forgettable): void {
    const removed = item.forget()
    if (!removed) return
    if (item instanceof MemoryCell) {
      item.gone = true
      this.#cells--
    } else this.#ids--
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

function isOver(cell: MemoryCell, now: Millis, retentionMs: number): boolean {
  const at = cell.forgetAt(retentionMs)
  return at !== null && at <= now
}

function aliveRecord(record: IdRecord | undefined, now: Millis): IdRecord | undefined {
  return record !== undefined && record.forgottenFrom !== null && record.forgottenFrom <= now ? undefined : record
}

function refusalOf(
  cells: readonly ReserveCell[],
  found: readonly (MemoryCell | undefined)[],
  now: Millis,
): { result: "stale-window" | "exceeded"; which: number[] } | undefined {
  const stale: number[] = []
  const exceeded: number[] = []
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index]!
    if (isClosed(cell, now)) stale.push(index)
    else if (!fits(cell, found[index])) exceeded.push(index)
  }
  if (stale.length > 0) return { result: "stale-window", which: stale }
  return exceeded.length > 0 ? { result: "exceeded", which: exceeded } : undefined
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

function sameAmounts(request: SettleRequest, record: IdRecord): boolean {
  return (
    request.cells.length === record.charged?.length &&
    request.cells.every((cell, index) => cell.amount === record.charged![index])
  )
}

function chargesOf({ cells, charged }: IdRecord): Record<Name, number> {
  const charges: Record<Name, number> = {}
  for (let index = 0; index < cells.length; index++) {
    const { key } = cells[index]!
    const amount = charged?.[index] ?? 0
    if (key === "__proto__")
      Object.defineProperty(charges, key, { value: amount, enumerable: true, writable: true, configurable: true })
    else charges[key] = amount
  }
  return charges
}

function charge(cell: MemoryCell, amount: number): CellChange {
  const peakBefore = cell.peak
  cell.spent = cut(cell.spent + amount)
  if (cell.spent > peakBefore) cell.peak = cell.spent
  const { key, spent, reserved, granted, peak } = cell
  return { key, spent, reserved, granted, peakBefore, peak }
}

/** Exact, and never outside of the safe integers: what does not fit is cut off. */
function cut(sum: number): number {
  if (sum > MAX) return MAX
  return Math.max(sum, -MAX)
}

function stateOf({ key, spent, reserved, granted }: MemoryCell): CellState {
  return { key, spent, reserved, granted }
}

function stateAt(key: Name, cell: MemoryCell | undefined): CellState {
  return cell === undefined ? { key, spent: 0, reserved: 0, granted: 0 } : stateOf(cell)
}

function unchanged(key: Name, cell: MemoryCell | undefined): CellChange {
  const peak = cell?.peak ?? 0
  return { ...stateAt(key, cell), peakBefore: peak, peak }
}
