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
  checkName,
  checkReadRequest,
  checkReserveContent,
  checkSettleContent,
  checkSweepRequest,
  MAX_ID_BYTES,
} from "../store-checks"
import { StoreError } from "../store-error"
import { ForgetQueue } from "./forget-queue"
import { NONE } from "./id-table"
import { type Charges, MemoryLedger } from "./memory-ledger"
import { Adjustment, type Forgettable, MemoryCell, MemoryRoot } from "./memory-root"
import { COMMITTED, EXPIRED, HELD, RELEASED, RecordTable } from "./record-table"

const MAX = Number.MAX_SAFE_INTEGER
/** Most leases that a reserve ends beside its own. */
const EXPIRE_IN_RESERVE = 16
/** Most things of a kind that an operation forgets; more than an operation can add. */
const FORGET_PER_OPERATION = 64
/** Spreads numbers of roots over 32 bits. */
const SPREAD = 0x9e3779b1

export interface MemoryLimits {
  clock: () => Millis
  retentionMs: number
  maxIds: number
  maxCells: number
  maxEntries: number
  maxContentChars: number
}

/** The contract's state table over maps and tables. Nothing here waits, so that each member is one atomic step. */
export class MemoryState {
  readonly retentionMs: number
  readonly maxCellsPerCall = 32
  readonly ledger: MemoryLedger | undefined
  readonly #limits: MemoryLimits
  readonly #roots = new Map<Name, MemoryRoot>()
  readonly #records = new RecordTable()
  readonly #oldRecords: ForgetQueue<number>
  readonly #oldItems: ForgetQueue<Forgettable>
  #rootsMade = 0
  #adjustments = 0
  #cells = 0

  constructor(limits: MemoryLimits) {
    this.#limits = limits
    const { retentionMs } = limits
    this.retentionMs = retentionMs
    this.#oldRecords = new ForgetQueue<number>(retentionMs, {
      forgetAt: (record) => this.#records.forgottenFrom[record]!,
      forget: (record) => this.#forgetRecord(record),
    })
    this.#oldItems = new ForgetQueue<Forgettable>(retentionMs, {
      forgetAt: (item) => item.forgetAt(retentionMs),
      forget: (item) => this.#forgetItem(item),
    })
    if (limits.maxEntries > 0) this.ledger = new MemoryLedger(limits.clock, limits.maxEntries, limits.maxContentChars)
  }

  reserve(request: ReserveRequest): ReserveResult {
    const now = this.#begin()
    const { id, cells: asked } = request
    const known = this.#checkedRoot(request.root)
    const hash = this.#records.ids.hashOf(id)
    checkReserveContent(request, this.maxCellsPerCall, known?.cells)
    const own = known === undefined ? NONE : this.#records.ids.find(known, id, hash)
    const expired = known === undefined ? [] : this.#expireDue(known, now, EXPIRE_IN_RESERVE, own)
    const backlog = known !== undefined && known.leases.firstDue(now) !== NONE
    const record = this.#aliveOrNone(own, now)
    const found = this.#find(known, asked, now)
    const refusal = record === NONE ? refusalOf(asked, found, now) : undefined
    if (record === NONE && refusal === undefined) {
      this.#requireRoom(1, found, now)
      // Only now: making room may have taken the root, and what stood under the id.
      const root = this.#rootOf(request.root)
      const replaced = own === NONE ? NONE : this.#records.ids.find(root, id, hash)
      const expiresAt = now + request.leaseMs
      const cells = this.#hold(root, request, hash, found, replaced, now)
      return { now, cells, expired, backlog, result: "ok", replayed: false, expiresAt }
    }
    const cells = statesAt(asked, found)
    if (record === NONE) return { now, cells, expired, backlog, ...refusal! }
    const { fingerprints, states, leaseEnds } = this.#records
    if (fingerprints[record] !== request.fingerprint) return { now, cells, expired, backlog, result: "mismatch" }
    if (states[record] !== HELD)
      return { now, cells, expired, backlog, result: "resolved", state: this.#records.finalOf(record) }
    return { now, cells, expired, backlog, result: "ok", replayed: true, expiresAt: leaseEnds[record]! }
  }

  settle(request: SettleRequest): SettleResult {
    const now = this.#begin()
    const known = this.#checkedRoot(request.root)
    const hash = this.#records.ids.hashOf(request.id)
    checkSettleContent(request, this.maxCellsPerCall, known?.cells)
    const own = known === undefined ? NONE : this.#records.ids.find(known, request.id, hash)
    const record = this.#aliveOrNone(own, now)
    const { result, changes, late, recovered } = this.#decideSettle(request, record, now)
    if (!changes) {
      const cells = request.cells.map(({ key }) => unchanged(key, known && this.#cell(known, key, now)))
      if (result === "mismatch" || result === "forgotten") return { now, cells, result }
      return { now, cells, result, replayed: true, late, recovered }
    }
    const root = known ?? this.#rootOf(request.root)
    const cells = this.#resolve(root, request, hash, record === NONE ? own : record, record === NONE, now)
    return { now, cells, result: result as "committed" | "released", replayed: false, late, recovered }
  }

  extend(request: { root: Name; id: Name; leaseMs: number }): ExtendResult {
    checkExtendRequest(request)
    const now = this.#limits.clock()
    const root = this.#roots.get(request.root)
    const { ids, states, leaseEnds } = this.#records
    const own = root === undefined ? NONE : ids.find(root, request.id, ids.hashOf(request.id))
    const record = this.#aliveOrNone(own, now)
    if (root === undefined || record === NONE) return { now, state: "unknown" }
    if (states[record] !== HELD) return { now, state: this.#records.finalOf(record) }
    if (leaseEnds[record]! <= now) return { now, state: "expired" }
    const expiresAt = Math.max(leaseEnds[record]!, now + request.leaseMs)
    leaseEnds[record] = expiresAt
    root.leases.moved(record)
    return { now, state: "held", expiresAt }
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
    if (!root.adjustments.has(request.id)) this.#adjustments++
    root.adjustments.set(request.id, adjustment)
    this.#oldItems.add(adjustment, adjustment.forgottenFrom)
    return { now, cell: change, result: "ok", replayed: false, applied }
  }

  sweep(request: { root: Name; max: number }): { now: Millis; expired: Expired[]; more: boolean } {
    checkSweepRequest(request)
    const now = this.#limits.clock()
    this.#drain(now, Number.POSITIVE_INFINITY)
    const root = this.#roots.get(request.root)
    if (root === undefined) return { now, expired: [], more: false }
    const expired = this.#expireDue(root, now, request.max, NONE)
    return { now, expired, more: root.leases.firstDue(now) !== NONE }
  }

  size(): { ids: number; cells: number; entries: number } {
    return { ids: this.#ids, cells: this.#cells, entries: this.ledger?.size ?? 0 }
  }

  get #ids(): number {
    return this.#records.count + this.#adjustments
  }

  #begin(): Millis {
    const now = this.#limits.clock()
    this.#drain(now, FORGET_PER_OPERATION)
    return now
  }

  #drain(now: Millis, max: number): void {
    this.#oldRecords.drain(now, max)
    this.#oldItems.drain(now, max)
  }

  // ── Deciding ──

  #decideSettle(request: SettleRequest, record: number, now: Millis): SettleDecision {
    const commits = request.outcome === "commit"
    const result = commits ? "committed" : "released"
    if (record === NONE) {
      const { expiresAt } = request
      const isLost = expiresAt === null || now < expiresAt + this.retentionMs
      if (commits && !isLost) return { result: "forgotten", changes: false, late: false, recovered: false }
      return { result, changes: true, late: false, recovered: commits }
    }
    const { fingerprints, states, revisions } = this.#records
    const state = states[record]!
    const mismatch = { result: "mismatch", changes: false, late: false, recovered: false } as const
    if (fingerprints[record] !== request.fingerprint) return mismatch
    if (state === HELD || state === EXPIRED) return { result, changes: true, late: state === EXPIRED, recovered: false }
    if (state !== (commits ? COMMITTED : RELEASED)) return mismatch
    const changes = commits && request.revision > revisions[record]!
    if (commits && request.revision === revisions[record] && !this.#hasAmounts(request, record)) return mismatch
    return { result, changes, late: false, recovered: false }
  }

  /** By their place, and a cell that is not named is charged nothing. */
  #hasAmounts({ cells }: SettleRequest, record: number): boolean {
    const { next, amounts } = this.#records.lines
    let index = 0
    for (let line = this.#records.firstLines[record]!; line !== NONE; line = next[line]!)
      if ((cells[index++]?.amount ?? 0) !== amounts[line]) return false
    return true
  }

  // ── Writing ──

  /** `found` are the cells of a call that are there; those that are not need room as well. */
  #requireRoom(ids: number, found: readonly (MemoryCell | undefined)[], now: Millis): void {
    const { maxIds, maxCells } = this.#limits
    let cells = 0
    for (let index = 0; index < found.length; index++) if (found[index] === undefined) cells++
    if (this.#hasRoom(ids, cells)) return
    this.#drain(now, Number.POSITIVE_INFINITY)
    if (this.#hasRoom(ids, cells)) return
    const what = this.#ids + ids > maxIds ? `maxIds (${maxIds}) ids` : `maxCells (${maxCells}) cells`
    throw new StoreError(
      `The memory store is full: it holds ${what}, and forgets none that is open or younger than retentionMs ` +
        `(${this.retentionMs} ms). Raise the limit, shorten retentionMs, or use a store outside of this process.`,
      { code: "unavailable", applied: "no" },
    )
  }

  #hasRoom(ids: number, cells: number): boolean {
    const { maxIds, maxCells } = this.#limits
    return this.#ids + ids <= maxIds && (cells === 0 || this.#cells + cells <= maxCells)
  }

  #checkedRoot(name: Name): MemoryRoot | undefined {
    const root = this.#roots.get(name)
    // A root that is there has been checked.
    if (root === undefined) checkName("root", name, MAX_ID_BYTES)
    return root
  }

  #rootOf(name: Name): MemoryRoot {
    let root = this.#roots.get(name)
    if (root === undefined) {
      root = new MemoryRoot(name, this.#records, Math.imul(++this.#rootsMade, SPREAD))
      this.#roots.set(name, root)
    }
    return root
  }

  /** Makes the record and sets the amounts aside. */
  #hold(
    root: MemoryRoot,
    request: ReserveRequest,
    hash: number,
    found: readonly (MemoryCell | undefined)[],
    replaced: number,
    now: Millis,
  ): CellState[] {
    const { cells: asked, draft } = request
    const records = this.#records
    const record = records.add(root, request.id, hash, replaced)
    records.fingerprints[record] = request.fingerprint
    if (draft !== undefined && this.ledger !== undefined) records.drafts[record] = { ...draft }
    records.leaseEnds[record] = now + request.leaseMs
    const states = new Array<CellState>(asked.length)
    let line = NONE
    for (let index = asked.length - 1; index >= 0; index--) {
      const ref = asked[index]!
      const cell = this.#touch(found[index] ?? this.#newCell(root, ref), ref.keepMs, now)
      cell.reserved = cut(cell.reserved + ref.amount)
      line = records.lines.before(line, cell, ref.amount, ref.onExpire)
      states[index] = stateOf(cell)
    }
    records.firstLines[record] = line
    root.leases.add(record)
    return states
  }

  /**
   * Replaces what is reserved or charged under this id by the amounts of the request. `own` is the id's record, or one
   * that is over, or none.
   */
  #resolve(
    root: MemoryRoot,
    request: SettleRequest,
    hash: number,
    own: number,
    isLost: boolean,
    now: Millis,
  ): CellChange[] {
    const records = this.#records
    const record = isLost ? this.#lostRecord(root, request, hash, own, now) : own
    const isHeld = !isLost && records.states[record] === HELD
    const commits = request.outcome === "commit"
    const { next, amounts } = records.lines
    const changes: CellChange[] = []
    // The record's own cells: a retry after midnight may name the cells of the next window.
    for (let line = records.firstLines[record]!; line !== NONE; line = next[line]!) {
      const cell = this.#cellOfLine(root, line, now)
      const amount = commits ? (request.cells[changes.length]?.amount ?? 0) : 0
      const before = amounts[line]!
      if (isHeld) cell.reserved = cut(cell.reserved - before)
      changes.push(charge(cell, isHeld ? amount : amount - before))
      amounts[line] = amount
    }
    if (isHeld) root.leases.remove(record)
    records.states[record] = commits ? COMMITTED : RELEASED
    records.revisions[record] = request.revision
    this.#close(record, Math.max(records.leaseEnds[record]!, now) + this.retentionMs)
    this.#writeEntry(root, request, record, now)
    return changes
  }

  /** It is over: its draft is not needed any more, and from `forgottenFrom` on nor is the rest. */
  #close(record: number, forgottenFrom: Millis): void {
    const records = this.#records
    const wasOpen = records.forgottenFrom[record] === Number.POSITIVE_INFINITY
    records.forgottenFrom[record] = forgottenFrom
    records.drafts[record] = undefined
    if (wasOpen) this.#oldRecords.add(record, forgottenFrom)
  }

  /** The record of an id that is not known here, with nothing charged yet. */
  #lostRecord(root: MemoryRoot, request: SettleRequest, hash: number, replaced: number, now: Millis): number {
    const records = this.#records
    const record = records.add(root, request.id, hash, replaced)
    records.fingerprints[record] = request.fingerprint
    records.leaseEnds[record] = request.expiresAt ?? now
    let line = NONE
    for (let index = request.cells.length - 1; index >= 0; index--)
      line = records.lines.before(line, this.#cellFor(root, request.cells[index]!, now), 0, 0)
    records.firstLines[record] = line
    return record
  }

  #writeEntry(root: MemoryRoot, request: SettleRequest, record: number, now: Millis): void {
    if (this.ledger === undefined) return
    const entry: UsageEntry | undefined =
      request.entry ?? this.ledger.correction(root.name, request.id, request.outcome)
    if (entry === undefined) return
    this.ledger.write(root.name, request.id, entry, this.#chargesOf(record), request.revision, now)
  }

  /** What each cell is charged under this id now. */
  #chargesOf(record: number): Charges {
    const { next, cells, amounts } = this.#records.lines
    const charges: (Name | number)[] = []
    for (let line = this.#records.firstLines[record]!; line !== NONE; line = next[line]!)
      charges.push(cells[line]!.key, amounts[line]!)
    return charges
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
  #expireDue(root: MemoryRoot, now: Millis, max: number, own: number): Expired[] {
    const expired: Expired[] = []
    const { leases } = root
    for (let first = leases.firstDue(now); first !== NONE; first = leases.firstDue(now)) {
      if (expired.length === max) break
      expired.push(this.#expire(root, first, now))
    }
    const { states, leaseEnds } = this.#records
    if (own !== NONE && states[own] === HELD && leaseEnds[own]! <= now) expired.push(this.#expire(root, own, now))
    return expired
  }

  #expire(root: MemoryRoot, record: number, now: Millis): Expired {
    const records = this.#records
    root.leases.remove(record)
    const { next, amounts, onExpire } = records.lines
    const cells: Expired["cells"] = []
    for (let line = records.firstLines[record]!; line !== NONE; line = next[line]!) {
      const cell = this.#cellOfLine(root, line, now)
      cell.reserved = cut(cell.reserved - amounts[line]!)
      const charged = onExpire[line]!
      cells.push({ charged, ...charge(cell, charged) })
      amounts[line] = charged
    }
    records.states[record] = EXPIRED
    const id = records.ids.idOf(record)
    const draft = records.drafts[record]
    this.#close(record, now + this.retentionMs)
    if (draft !== undefined) this.ledger?.writeExpired(root.name, id, draft, this.#chargesOf(record), now)
    return { id, cells }
  }

  // ── Cells and memory ──

  #find(root: MemoryRoot | undefined, refs: readonly CellRef[], now: Millis): (MemoryCell | undefined)[] {
    const found = new Array<MemoryCell | undefined>(refs.length)
    for (let index = 0; index < refs.length; index++)
      found[index] = root === undefined ? undefined : this.#cell(root, refs[index]!.key, now)
    return found
  }

  /** A record names the cell itself, which needs no look-up as long as it has not left. */
  #cellOfLine(root: MemoryRoot, line: number, now: Millis): MemoryCell {
    const named = this.#records.lines.cells[line]!
    const isThere = !named.gone && !isOver(named, now, this.retentionMs)
    return isThere ? this.#touch(named, named.keepMs, now) : this.#cellFor(root, named, now)
  }

  /** The cell of a key, made if it is not there, touched now. */
  #cellFor(root: MemoryRoot, ref: Pick<CellRef, "key" | "endsAt" | "keepMs">, now: Millis): MemoryCell {
    return this.#touch(this.#cell(root, ref.key, now) ?? this.#newCell(root, ref), ref.keepMs, now)
  }

  #touch(cell: MemoryCell, keepMs: number | null, now: Millis): MemoryCell {
    cell.touchedAt = now
    cell.keepMs = keepMs
    if (!cell.queued && (cell.endsAt !== null || keepMs !== null)) {
      cell.queued = true
      this.#oldItems.add(cell, cell.endsAt === null ? now + keepMs! : cell.endsAt + this.retentionMs)
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

  #aliveOrNone(record: number, now: Millis): number {
    return record === NONE || this.#records.isAlive(record, now) ? record : NONE
  }

  #forgetRecord(record: number): void {
    const root = this.#records.ids.rootOf(record)
    this.#records.remove(record)
    this.#leaveEmpty(root)
  }

  #forgetItem(item: Forgettable): void {
    if (!item.forget()) return
    if (item instanceof MemoryCell) this.#cells--
    else this.#adjustments--
    this.#leaveEmpty(item.root)
  }

  #leaveEmpty(root: MemoryRoot): void {
    // Another root of this name may be there by now.
    if (root.isEmpty && this.#roots.get(root.name) === root) this.#roots.delete(root.name)
  }
}

interface SettleDecision {
  result: "committed" | "released" | "mismatch" | "forgotten"
  /** False: it is answered as it stands. */
  changes: boolean
  late: boolean
  recovered: boolean
}

function isOver(cell: MemoryCell, now: Millis, retentionMs: number): boolean {
  const at = cell.forgetAt(retentionMs)
  return at !== null && at <= now
}

function refusalOf(
  cells: readonly ReserveCell[],
  found: readonly (MemoryCell | undefined)[],
  now: Millis,
): { result: "stale-window" | "exceeded"; which: number[] } | undefined {
  let stale: number[] | undefined
  let exceeded: number[] | undefined
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index]!
    if (isClosed(cell, now)) {
      stale ??= []
      stale.push(index)
    } else if (!fits(cell, found[index])) {
      exceeded ??= []
      exceeded.push(index)
    }
  }
  if (stale !== undefined) return { result: "stale-window", which: stale }
  return exceeded === undefined ? undefined : { result: "exceeded", which: exceeded }
}

function isClosed(cell: CellRef, now: Millis): boolean {
  return (cell.startsAt !== null && now < cell.startsAt) || (cell.endsAt !== null && now >= cell.endsAt)
}

function fits({ amount, limit }: ReserveCell, cell: MemoryCell | undefined): boolean {
  if (amount === 0) return true
  const cap = limit === null ? MAX : Math.min(MAX, limit + (cell?.granted ?? 0))
  return amount <= cap - (cell?.spent ?? 0) - (cell?.reserved ?? 0)
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

function statesAt(cells: readonly CellRef[], found: readonly (MemoryCell | undefined)[]): CellState[] {
  return cells.map(({ key }, index) => stateAt(key, found[index]))
}

function unchanged(key: Name, cell: MemoryCell | undefined): CellChange {
  const peak = cell?.peak ?? 0
  return { peakBefore: peak, peak, ...stateAt(key, cell) }
}
