import type { UsageEntry } from "../ledger"
import type {
  AdjustRequest,
  AdjustResult,
  BudgetStore,
  CellChange,
  CellRef,
  CellState,
  Expired,
  ExtendResult,
  Final,
  Millis,
  Name,
  ReserveCell,
  ReserveRequest,
  ReserveResult,
  SettleRequest,
  SettleResult,
  StoreCapabilities,
} from "../store"
import { StoreError } from "../store-error"
import { canonical } from "./expect"
import * as checks from "./model-checks"
import { ModelLedger } from "./model-ledger"
import { emptyRoot, type ModelCell, type ModelRecord, type ModelRoot, type ModelState } from "./model-state"

const MAX = Number.MAX_SAFE_INTEGER

export interface ModelOptions {
  now: () => Millis
  /** @defaultValue one hour */
  retentionMs?: number | undefined
  /** How long the ledger keeps an entry. @defaultValue until it is pruned */
  ledgerRetentionMs?: number | undefined
  /** State to go on from, as after a restart. */
  state?: ModelState | undefined
}

/**
 * The contract, said a second time: one method a rule, every value looked up anew, nothing fast. The fuzz compares a
 * store with it, and the planted stores of the suite's own test are this class with one rule broken.
 */
export class ModelStore implements BudgetStore {
  readonly name: string = "model"
  readonly capabilities: StoreCapabilities
  readonly ledger: ModelLedger
  readonly state: ModelState
  protected readonly now: () => Millis

  constructor(options: ModelOptions) {
    this.now = options.now
    this.state = options.state ?? new Map()
    this.capabilities = {
      shared: false,
      clock: "process",
      retentionMs: options.retentionMs ?? 3_600_000,
      maxCells: 32,
    }
    this.ledger = this.createLedger(options.ledgerRetentionMs ?? Number.POSITIVE_INFINITY)
  }

  async reserve(request: ReserveRequest): Promise<ReserveResult> {
    checks.checkReserve(request, this.capabilities.maxCells)
    const now = this.now()
    const root = this.root(request.root)
    this.forget(root, now)
    const expired = this.expireDue(root, now, 16, request.id)
    const rest = { now, expired, backlog: this.dueIds(root, now).length > 0 }
    const decision = this.decide(root, request, now)
    if (decision === "admit") this.hold(root, request, now)
    const cells = request.cells.map((cell) => this.stateOf(root, cell.key, now))
    if (decision !== "admit") return { ...rest, cells, ...decision }
    return { ...rest, cells, result: "ok", replayed: false, expiresAt: now + request.leaseMs }
  }

  async settle(request: SettleRequest): Promise<SettleResult> {
    checks.checkSettle(request, this.capabilities.maxCells)
    const now = this.now()
    const root = this.root(request.root)
    this.forget(root, now)
    const record = this.recordOf(root, request.id, now)
    if (record !== undefined && !this.sameContent(record, request))
      return this.unchanged(root, request, now, "mismatch")
    if (request.outcome === "release") return this.release(root, request, record, now)
    return this.commit(root, request, record, now)
  }

  async extend(request: { root: Name; id: Name; leaseMs: number }): Promise<ExtendResult> {
    checks.checkExtend(request)
    const now = this.now()
    const record = this.recordOf(this.root(request.root), request.id, now)
    if (record === undefined) return { now, state: "unknown" }
    if (record.state !== "held") return { now, state: record.state }
    if (record.leaseEnd <= now) return { now, state: "expired" }
    record.leaseEnd = Math.max(record.leaseEnd, now + request.leaseMs)
    return { now, state: "held", expiresAt: record.leaseEnd }
  }

  async read(request: { root: Name; keys: Name[] }): Promise<{ now: Millis; due: number; cells: CellState[] }> {
    checks.checkRead(request)
    const now = this.now()
    const root = this.state.get(request.root) ?? emptyRoot()
    const cells = request.keys.map((key) => this.stateOf(root, key, now))
    return { now, due: this.dueIds(root, now).length, cells }
  }

  async adjust(request: AdjustRequest): Promise<AdjustResult> {
    checks.checkAdjust(request)
    const now = this.now()
    const root = this.root(request.root)
    this.forget(root, now)
    const content = canonical([request.cell.key, request.kind, request.delta])
    const known = this.live(root.adjustments, request.id, now)
    const peak = () => this.cellAt(root, request.cell.key, now)?.peak ?? 0
    const same = (): CellChange => ({ ...this.stateOf(root, request.cell.key, now), peakBefore: peak(), peak: peak() })
    if (known !== undefined && known.content !== content) return { now, cell: same(), result: "mismatch" }
    if (known !== undefined) return { now, cell: same(), result: "ok", replayed: true, applied: known.applied }
    if (!this.windowIsOpen(request.cell, now)) return { now, cell: same(), result: "stale-window" }
    const { cell, applied } = this.applyAdjustment(root, request, now)
    root.adjustments.set(request.id, { content, applied, forgetAt: now + this.capabilities.retentionMs })
    return { now, cell, result: "ok", replayed: false, applied }
  }

  async sweep(request: { root: Name; max: number }): Promise<{ now: Millis; expired: Expired[]; more: boolean }> {
    checks.checkSweep(request)
    const now = this.now()
    const root = this.root(request.root)
    this.forget(root, now)
    const expired = this.expireDue(root, now, request.max)
    return { now, expired, more: this.dueIds(root, now).length > 0 }
  }

  /** How many records there are, usage entries left out. */
  size(): number {
    let size = 0
    for (const root of this.state.values()) size += root.cells.size + root.records.size + root.adjustments.size
    return size
  }

  // ── Deciding ──

  /** What a reserve comes to, before anything is written. */
  protected decide(root: ModelRoot, request: ReserveRequest, now: Millis): "admit" | Decision {
    const record = this.recordOf(root, request.id, now)
    if (record !== undefined) return this.decideKnown(record, request)
    const which = (test: (cell: ReserveCell) => boolean) =>
      request.cells.flatMap((cell, index) => (test(cell) ? [index] : []))
    const stale = which((cell) => !this.windowIsOpen(cell, now))
    if (stale.length > 0) return { result: "stale-window", which: stale }
    const exceeded = which((cell) => !this.fits(root, cell, now))
    if (exceeded.length > 0) return { result: "exceeded", which: exceeded }
    return "admit"
  }

  protected decideKnown(record: ModelRecord, request: ReserveRequest): Decision {
    if (!this.sameContent(record, request)) return { result: "mismatch" }
    if (record.state === "held") return { result: "ok", replayed: true, expiresAt: record.leaseEnd }
    return { result: "resolved", state: record.state }
  }

  protected sameContent(record: ModelRecord, request: { fingerprint: string }): boolean {
    return record.fingerprint === request.fingerprint
  }

  protected windowIsOpen(cell: CellRef, now: Millis): boolean {
    return (cell.startsAt === null || cell.startsAt <= now) && (cell.endsAt === null || now < cell.endsAt)
  }

  protected fits(root: ModelRoot, cell: ReserveCell, now: Millis): boolean {
    const { spent, reserved, granted } = this.stateOf(root, cell.key, now)
    const cap = cell.limit === null ? MAX : Math.min(MAX, cell.limit + granted)
    return cell.amount === 0 || cell.amount <= cap - spent - reserved
  }

  // ── Writing ──

  protected hold(root: ModelRoot, request: ReserveRequest, now: Millis): void {
    for (const ref of request.cells) this.change(root, ref, now, { reserved: ref.amount })
    root.records.set(request.id, {
      state: "held",
      fingerprint: request.fingerprint,
      cells: structuredClone(request.cells),
      leaseEnd: now + request.leaseMs,
      charged: request.cells.map(() => 0),
      revision: 0,
      draft: structuredClone(request.draft),
      forgetAt: null,
    })
  }

  protected commit(
    root: ModelRoot,
    request: SettleRequest,
    record: ModelRecord | undefined,
    now: Millis,
  ): SettleResult {
    const amounts = request.cells.map((cell) => cell.amount)
    if (record === undefined) {
      if (!this.wasLost(request, now)) return this.unchanged(root, request, now, "forgotten")
      return this.resolve(root, request, undefined, now, "committed", { recovered: true })
    }
    if (record.state === "released") return this.unchanged(root, request, now, "mismatch")
    if (record.state === "committed") {
      const same = canonical(amounts) === canonical(record.charged)
      if (request.revision > record.revision) return this.resolve(root, request, record, now, "committed")
      if (request.revision === record.revision && !same) return this.unchanged(root, request, now, "mismatch")
      return this.replay(root, request, now, "committed")
    }
    return this.resolve(root, request, record, now, "committed", { late: record.state === "expired" })
  }

  protected release(
    root: ModelRoot,
    request: SettleRequest,
    record: ModelRecord | undefined,
    now: Millis,
  ): SettleResult {
    if (record?.state === "committed") return this.unchanged(root, request, now, "mismatch")
    if (record?.state === "released") return this.replay(root, request, now, "released")
    return this.resolve(root, request, record, now, "released", { late: record?.state === "expired" })
  }

  /** Whether the store lost this id (the money must be charged), rather than resolved and forgot it. */
  protected wasLost(request: SettleRequest, now: Millis): boolean {
    return request.expiresAt === null || now < request.expiresAt + this.capabilities.retentionMs
  }

  /** Replaces what is reserved or charged under this id by the amounts of the request. */
  protected resolve(
    root: ModelRoot,
    request: SettleRequest,
    record: ModelRecord | undefined,
    now: Millis,
    state: "committed" | "released",
    how: { late?: boolean; recovered?: boolean } = {},
  ): SettleResult {
    const amounts = request.cells.map((cell) => (state === "released" ? 0 : cell.amount))
    const own = this.cellsOf(record, request)
    const cells = own.map((ref, index) =>
      this.change(root, ref, now, {
        spent: (amounts[index] ?? 0) - (record?.charged[index] ?? 0),
        reserved: record?.state === "held" ? -ref.amount : 0,
      }),
    )
    root.records.set(request.id, {
      state,
      fingerprint: request.fingerprint,
      cells: own,
      leaseEnd: record?.leaseEnd ?? now,
      charged: amounts,
      revision: request.revision,
      draft: record?.draft,
      forgetAt: this.resolvedUntil(record?.leaseEnd ?? request.expiresAt ?? now, now),
    })
    this.writeEntry(root, request, own, amounts, now)
    return { now, cells, result: state, replayed: false, late: how.late ?? false, recovered: how.recovered ?? false }
  }

  /** The record's own cells: a retry after midnight may name those of the next window. */
  protected cellsOf(record: ModelRecord | undefined, request: SettleRequest): ReserveCell[] {
    return record?.cells ?? request.cells.map((ref) => ({ ...ref, amount: 0, limit: null, onExpire: 0 }))
  }

  /** Not before `wasLost` answers no, or the same money could be charged again. */
  protected resolvedUntil(leaseEnd: Millis, now: Millis): Millis {
    return Math.max(leaseEnd, now) + this.capabilities.retentionMs
  }

  protected replay(
    root: ModelRoot,
    request: SettleRequest,
    now: Millis,
    result: "committed" | "released",
  ): SettleResult {
    const cells = this.unchangedCells(root, request, now)
    return { now, cells, result, replayed: true, late: false, recovered: false }
  }

  protected unchanged<R extends "mismatch" | "forgotten">(
    root: ModelRoot,
    request: SettleRequest,
    now: Millis,
    result: R,
  ) {
    return { now, cells: this.unchangedCells(root, request, now), result }
  }

  private unchangedCells(root: ModelRoot, request: SettleRequest, now: Millis): CellChange[] {
    return request.cells.map(({ key }) => {
      const peak = this.cellAt(root, key, now)?.peak ?? 0
      return { ...this.stateOf(root, key, now), peakBefore: peak, peak }
    })
  }

  protected applyAdjustment(
    root: ModelRoot,
    request: AdjustRequest,
    now: Millis,
  ): { cell: CellChange; applied: number } {
    const { spent, granted } = this.stateOf(root, request.cell.key, now)
    if (request.kind === "granted") {
      const cell = this.change(root, request.cell, now, { granted: request.delta })
      return { cell, applied: cell.granted - granted }
    }
    if (request.kind === "spent") {
      const cell = this.change(root, request.cell, now, { spent: request.delta })
      return { cell, applied: cell.spent - spent }
    }
    const peakBefore = this.cellAt(root, request.cell.key, now)?.peak ?? 0
    this.change(root, request.cell, now, { spent: -spent })
    this.cellAt(root, request.cell.key, now)!.peak = 0
    return { cell: { ...this.stateOf(root, request.cell.key, now), peakBefore, peak: 0 }, applied: 0 - spent }
  }

  // ── Leases ──

  /** Ids whose lease ran out, in order of (end of lease, id). */
  protected dueIds(root: ModelRoot, now: Millis): Name[] {
    const due: [id: Name, leaseEnd: Millis][] = []
    for (const [id, record] of root.records) {
      if (record.state === "held" && record.leaseEnd <= now) due.push([id, record.leaseEnd])
    }
    return due.sort(([idA, a], [idB, b]) => a - b || (idA < idB ? -1 : 1)).map(([id]) => id)
  }

  /** Ends leases that ran out, oldest first, at most `max`; the caller's own id always. */
  protected expireDue(root: ModelRoot, now: Millis, max: number, own?: Name): Expired[] {
    const due = this.dueIds(root, now)
    const chosen = due.filter((id, index) => index < max || id === own)
    return chosen.map((id) => this.expire(root, id, now))
  }

  protected expire(root: ModelRoot, id: Name, now: Millis): Expired {
    const record = root.records.get(id)!
    const charged = record.cells.map((cell) => this.chargeOnExpiry(cell))
    const cells = record.cells.map((cell, index) => ({
      ...this.change(root, cell, now, { spent: charged[index]!, reserved: -cell.amount }),
      charged: charged[index]!,
    }))
    root.records.set(id, {
      ...record,
      state: "expired",
      charged,
      revision: -1,
      forgetAt: now + this.capabilities.retentionMs,
    })
    this.ledger.writeExpired(root, id, record, charged, now)
    return { id, cells }
  }

  protected chargeOnExpiry(cell: ReserveCell): number {
    return cell.onExpire
  }

  // ── Cells and memory ──

  protected change(
    root: ModelRoot,
    ref: CellRef,
    now: Millis,
    by: { spent?: number; reserved?: number; granted?: number },
  ): CellChange {
    const before = this.cellAt(root, ref.key, now) ?? { spent: 0, reserved: 0, granted: 0, peak: 0 }
    const spent = this.sum(before.spent, by.spent ?? 0)
    const cell: ModelCell = {
      spent,
      reserved: this.sum(before.reserved, by.reserved ?? 0),
      granted: this.sum(before.granted, by.granted ?? 0),
      peak: this.peakAfter(before.peak, spent),
      endsAt: ref.endsAt,
      keepMs: ref.keepMs,
      touchedAt: now,
    }
    root.cells.set(this.cellName(ref.key), cell)
    return { ...this.stateOf(root, ref.key, now), peakBefore: before.peak, peak: cell.peak }
  }

  /** Exact, and never outside of the safe integers: what does not fit is cut off. */
  protected sum(a: number, b: number): number {
    return Math.max(-MAX, Math.min(MAX, a + b))
  }

  protected peakAfter(peak: number, spent: number): number {
    return Math.max(peak, spent)
  }

  protected stateOf(root: ModelRoot, key: Name, now: Millis): CellState {
    const cell = this.cellAt(root, key, now)
    return { key, spent: cell?.spent ?? 0, reserved: cell?.reserved ?? 0, granted: cell?.granted ?? 0 }
  }

  protected cellAt(root: ModelRoot, key: Name, now: Millis): ModelCell | undefined {
    const cell = root.cells.get(this.cellName(key))
    if (cell !== undefined && ![cell.spent, cell.reserved, cell.granted, cell.peak].every(Number.isSafeInteger)) {
      throw new StoreError(`The cell ${key} holds no counts.`, { code: "corrupt", applied: "no" })
    }
    return cell === undefined || this.cellIsOver(cell, now) ? undefined : cell
  }

  protected cellName(key: Name): Name {
    return key
  }

  /** A closed window after its retention, or an idle endless cell; never while something is reserved in it. */
  protected cellIsOver(cell: ModelCell, now: Millis): boolean {
    if (cell.reserved !== 0) return false
    if (cell.endsAt !== null) return cell.endsAt + this.capabilities.retentionMs <= now
    return cell.keepMs !== null && cell.touchedAt + cell.keepMs <= now
  }

  protected recordOf(root: ModelRoot, id: Name, now: Millis): ModelRecord | undefined {
    return this.live(root.records, id, now)
  }

  protected live<T extends { forgetAt: Millis | null }>(records: Map<Name, T>, id: Name, now: Millis): T | undefined {
    const record = records.get(id)
    return record === undefined || this.recordIsOver(record, now) ? undefined : record
  }

  protected recordIsOver(record: { forgetAt: Millis | null }, now: Millis): boolean {
    return record.forgetAt !== null && record.forgetAt <= now
  }

  /** Removes what is over. What is over already reads as absent, so that this may come late. */
  protected forget(root: ModelRoot, now: Millis): void {
    if (root.writes++ % 64 !== 0) return
    for (const [key, cell] of root.cells) if (this.cellIsOver(cell, now)) root.cells.delete(key)
    for (const records of [root.records, root.adjustments]) {
      for (const [id, record] of records) if (this.recordIsOver(record, now)) records.delete(id)
    }
  }

  protected root(name: Name): ModelRoot {
    const root = this.state.get(name) ?? emptyRoot()
    this.state.set(name, root)
    return root
  }

  // ── Ledger ──

  protected createLedger(retentionMs: number): ModelLedger {
    return new ModelLedger((name) => this.root(name), this.now, retentionMs)
  }

  protected writeEntry(
    root: ModelRoot,
    request: SettleRequest,
    cells: readonly CellRef[],
    amounts: readonly number[],
    now: Millis,
  ): void {
    const charges = Object.fromEntries(cells.map(({ key }, index) => [key, amounts[index] ?? 0]))
    const entry: UsageEntry | undefined = request.entry ?? this.ledger.correction(root, request.id, request.outcome)
    if (entry !== undefined) this.ledger.write(root, request.id, entry, charges, request.revision, now)
  }
}

type Decision =
  | { result: "exceeded" | "stale-window"; which: number[] }
  | { result: "mismatch" }
  | { result: "resolved"; state: Final }
  | { result: "ok"; replayed: true; expiresAt: Millis }
