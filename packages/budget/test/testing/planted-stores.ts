import { InvalidArgumentError } from "@p2/core"
import type { StoredEntry, UsageEntry, UsageLedger, UsageTotals } from "../../src/ledger"
import type {
  AdjustRequest,
  CellRef,
  Expired,
  ExtendResult,
  ReserveCell,
  ReserveRequest,
  ReserveResult,
  SettleRequest,
  SettleResult,
} from "../../src/store"
import { ModelStore } from "../../src/testing/model"
import { ModelLedger } from "../../src/testing/model-ledger"
import type { ModelCell, ModelRecord, ModelRoot } from "../../src/testing/model-state"
import { type Connect, connectThroughLine, type ModelClass } from "./model-target"
import { type Plant, withLedger } from "./plant"
import { subtlePlants } from "./subtle-stores"

class GetThenSet extends ModelStore {
  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    const now = this.now()
    const decision = this.decide(this.root(request.root), request, now)
    // The answer of the get travels back before the set is sent.
    await Promise.resolve()
    return super.reserve(decision === "admit" ? { ...request, cells: unlimited(request.cells) } : request)
  }
}

const unlimited = (cells: ReserveCell[]) => cells.map((cell) => ({ ...cell, limit: null }))

class OneScopeAtATime extends ModelStore {
  protected override decide(root: ModelRoot, request: ReserveRequest, now: number) {
    const decision = super.decide(root, request, now)
    if (decision === "admit" || decision.result !== "exceeded") return decision
    for (const cell of request.cells.slice(0, decision.which[0]))
      this.change(root, cell, now, { reserved: cell.amount })
    return decision
  }
}

class SettlesWhereToldTo extends ModelStore {
  protected override cellsOf(record: ModelRecord | undefined, request: SettleRequest): ReserveCell[] {
    const own = super.cellsOf(record, request)
    return request.cells.map((ref, index) => ({ ...own[index]!, ...ref, amount: own[index]!.amount }))
  }
}

class EntryOfTheNamedCells extends ModelStore {
  protected override writeEntry(...[root, request, , amounts, now]: Parameters<ModelStore["writeEntry"]>): void {
    super.writeEntry(root, request, request.cells, amounts, now)
  }
}

class FloatMoney extends ModelStore {
  protected override sum(a: number, b: number): number {
    return (a / 1e9 + b / 1e9) * 1e9
  }
}

class FourteenDigits extends ModelStore {
  protected override sum(a: number, b: number): number {
    return Number((a + b).toPrecision(14))
  }
}

class ClientClock extends ModelStore {
  constructor(options: ConstructorParameters<ModelClass>[0]) {
    super({ ...options, now: () => Date.now() })
  }
}

class LeakOnError extends ModelStore {
  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    try {
      return await super.reserve(request)
    } catch (error) {
      const root = this.root(request.root)
      const good = request.cells.filter((cell) => Number.isSafeInteger(cell.amount) && /^[\w.:|=-]+$/.test(cell.key))
      for (const cell of good) this.change(root, cell, this.now(), { reserved: cell.amount })
      throw error
    }
  }
}

class DenialThatConsumes extends ModelStore {
  protected override decide(root: ModelRoot, request: ReserveRequest, now: number) {
    const decision = super.decide(root, request, now)
    if (decision !== "admit" && decision.result === "exceeded") {
      for (const cell of request.cells) this.change(root, cell, now, { spent: cell.amount })
    }
    return decision
  }
}

class DoubleCommit extends ModelStore {
  protected override replay(root: ModelRoot, request: SettleRequest, now: number, result: "committed" | "released") {
    for (const cell of request.cells) this.change(root, cell, now, { spent: cell.amount })
    return super.replay(root, request, now, result)
  }
}

class ExpiryFreesCommitted extends ModelStore {
  protected override dueIds(root: ModelRoot, now: number): string[] {
    const settled = [...root.records].filter(([, record]) => record.state === "committed" && record.leaseEnd <= now)
    return super.dueIds(root, now).concat(settled.map(([id]) => id))
  }
}

class LateCommitDropped extends ModelStore {
  protected override commit(root: ModelRoot, request: SettleRequest, record: ModelRecord | undefined, now: number) {
    if (record?.state !== "expired") return super.commit(root, request, record, now)
    const { cells } = this.unchanged(root, request, now, "mismatch")
    return { now, cells, result: "committed" as const, replayed: false, late: true, recovered: false }
  }
}

class IdReuseIgnored extends ModelStore {
  protected override sameContent(): boolean {
    return true
  }
}

class LocalZoneWindows extends ModelStore {
  protected override windowIsOpen(cell: CellRef, now: number): boolean {
    return super.windowIsOpen(cell, now + 5.5 * 3_600_000)
  }
}

class ThirtyDayMonths extends ModelStore {
  protected override windowIsOpen(cell: CellRef, now: number): boolean {
    const days = (Number(cell.endsAt) - Number(cell.startsAt)) / 86_400_000
    if (cell.startsAt === null || days < 28 || days > 31) return super.windowIsOpen(cell, now)
    return super.windowIsOpen({ ...cell, endsAt: cell.startsAt + 30 * 86_400_000 }, now)
  }
}

class ResetClearsReservations extends ModelStore {
  protected override applyAdjustment(root: ModelRoot, request: AdjustRequest, now: number) {
    const { reserved } = this.stateOf(root, request.cell.key, now)
    if (request.kind === "reset") this.change(root, request.cell, now, { reserved: -reserved })
    return super.applyAdjustment(root, request, now)
  }
}

class ResetClearsGrants extends ModelStore {
  protected override applyAdjustment(root: ModelRoot, request: AdjustRequest, now: number) {
    const { granted } = this.stateOf(root, request.cell.key, now)
    if (request.kind === "reset") this.change(root, request.cell, now, { granted: -granted })
    return super.applyAdjustment(root, request, now)
  }
}

class UnboundedKeys extends ModelStore {
  protected override forget(): void {}
}

class TomorrowsMoney extends ModelStore {
  protected override windowIsOpen(cell: CellRef, now: number): boolean {
    return cell.endsAt === null || now < cell.endsAt
  }
}

class NoWindowCheck extends ModelStore {
  protected override windowIsOpen(): boolean {
    return true
  }
}

class CellDiesBeforeItsRecord extends ModelStore {
  protected override cellIsOver(cell: ModelCell, now: number): boolean {
    return super.cellIsOver({ ...cell, reserved: 0 }, now)
  }
}

class RecordDiesBeforeItsCells extends ModelStore {
  protected override recordIsOver(record: { forgetAt: number | null; leaseEnd?: number }, now: number): boolean {
    if (super.recordIsOver(record, now)) return true
    return record.leaseEnd !== undefined && record.leaseEnd + this.capabilities.retentionMs <= now
  }

  protected override dueIds(root: ModelRoot, now: number): string[] {
    return super.dueIds(root, now).filter((id) => !this.recordIsOver(root.records.get(id)!, now))
  }
}

class ReplayAnswersDifferently extends ModelStore {
  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    const answer = await super.reserve(request)
    if (answer.result !== "ok" || !answer.replayed) return answer
    return { ...answer, expiresAt: answer.expiresAt + 1_000 }
  }
}

class ReplayIsDecidedAnew extends ModelStore {
  protected override decide(root: ModelRoot, request: ReserveRequest, now: number) {
    const which = request.cells.flatMap((cell, index) => (this.fits(root, cell, now) ? [] : [index]))
    return which.length > 0 ? { result: "exceeded" as const, which } : super.decide(root, request, now)
  }
}

class ReplayPassesThresholds extends ModelStore {
  protected override replay(root: ModelRoot, request: SettleRequest, now: number, result: "committed" | "released") {
    const answer = super.replay(root, request, now, result)
    return { ...answer, cells: answer.cells.map((cell) => ({ ...cell, peakBefore: 0 })) }
  }
}

class NoTombstone extends ModelStore {
  protected override release(root: ModelRoot, request: SettleRequest, record: ModelRecord | undefined, now: number) {
    if (record !== undefined) return super.release(root, request, record, now)
    const { cells } = this.unchanged(root, request, now, "mismatch")
    return { now, cells, result: "released" as const, replayed: false, late: false, recovered: false }
  }
}

class FreesButNeverCharges extends ModelStore {
  protected override chargeOnExpiry(): number {
    return 0
  }
}

class ChargesInFull extends ModelStore {
  protected override chargeOnExpiry(cell: ReserveCell): number {
    return cell.amount
  }
}

class ExpiresOnlyInSweep extends ModelStore {
  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    this.#reserving = true
    try {
      return await super.reserve(request)
    } finally {
      this.#reserving = false
    }
  }

  #reserving = false

  protected override expireDue(root: ModelRoot, now: number, max: number, own?: string): Expired[] {
    return this.#reserving ? [] : super.expireDue(root, now, max, own)
  }
}

class ExpiresInAnyOrder extends ModelStore {
  protected override dueIds(root: ModelRoot, now: number): string[] {
    return super.dueIds(root, now).reverse()
  }
}

class SweepsEverything extends ModelStore {
  protected override expireDue(root: ModelRoot, now: number): Expired[] {
    return super.expireDue(root, now, 10_000)
  }
}

class SweepsOneStep extends ModelStore {
  protected override expireDue(root: ModelRoot, now: number, max: number, own?: string): Expired[] {
    return super.expireDue(root, now, Math.min(max, 64), own)
  }
}

class ExtendRevives extends ModelStore {
  override async extend(request: { root: string; id: string; leaseMs: number }): Promise<ExtendResult> {
    const record = this.root(request.root).records.get(request.id)
    if (record?.state === "held" && record.leaseEnd <= this.now()) record.leaseEnd = this.now() + 1
    return super.extend(request)
  }
}

class ExtendShortens extends ModelStore {
  override async extend(request: { root: string; id: string; leaseMs: number }): Promise<ExtendResult> {
    const record = this.root(request.root).records.get(request.id)
    const now = this.now()
    if (record?.state === "held" && record.leaseEnd > now) record.leaseEnd = now
    const answer = await super.extend(request)
    if (record?.state !== "held") return answer
    record.leaseEnd = now + request.leaseMs
    return { now, state: "held", expiresAt: record.leaseEnd }
  }
}

class ReadEndsLeases extends ModelStore {
  override async read(request: { root: string; keys: string[] }) {
    this.expireDue(this.root(request.root), this.now(), 16)
    return super.read(request)
  }
}

class ReadMakesCells extends ModelStore {
  override async read(request: { root: string; keys: string[] }) {
    const answer = await super.read(request)
    const endless = { startsAt: null, endsAt: null, keepMs: null }
    for (const key of request.keys) this.change(this.root(request.root), { key, ...endless }, answer.now, {})
    return answer
  }
}

class GrantsIgnored extends ModelStore {
  protected override fits(root: ModelRoot, cell: ReserveCell, now: number): boolean {
    const { spent, reserved } = this.stateOf(root, cell.key, now)
    return cell.amount === 0 || cell.limit === null || spent + reserved + cell.amount <= cell.limit
  }
}

class ReservationsIgnored extends ModelStore {
  protected override fits(root: ModelRoot, cell: ReserveCell, now: number): boolean {
    const { reserved } = this.stateOf(root, cell.key, now)
    return cell.limit === null || super.fits(root, { ...cell, limit: cell.limit + reserved }, now)
  }
}

class ZeroIsRefused extends ModelStore {
  protected override fits(root: ModelRoot, cell: ReserveCell, now: number): boolean {
    const { spent } = this.stateOf(root, cell.key, now)
    return super.fits(root, cell, now) && (cell.limit === null || cell.limit === 0 || spent <= cell.limit)
  }
}

class NamesOneCell extends ModelStore {
  protected override decide(root: ModelRoot, request: ReserveRequest, now: number) {
    const decision = super.decide(root, request, now)
    if (decision === "admit" || !("which" in decision)) return decision
    return { ...decision, which: decision.which.slice(0, 1) }
  }
}

class OverrunCutOff extends ModelStore {
  override async settle(request: SettleRequest): Promise<SettleResult> {
    const cells = request.cells.map((cell) => ({ ...cell, amount: Math.min(cell.amount, cell.reserved) }))
    return super.settle({ ...request, cells })
  }
}

class PeakGoesDown extends ModelStore {
  protected override peakAfter(_peak: number, spent: number): number {
    return spent
  }
}

class LowerRevisionWins extends ModelStore {
  protected override commit(root: ModelRoot, request: SettleRequest, record: ModelRecord | undefined, now: number) {
    if (record?.state !== "committed" || request.revision === record.revision)
      return super.commit(root, request, record, now)
    return this.resolve(root, request, record, now, "committed")
  }
}

class RevisionAdds extends ModelStore {
  protected override commit(root: ModelRoot, request: SettleRequest, record: ModelRecord | undefined, now: number) {
    if (record?.state !== "committed" || request.revision <= record.revision)
      return super.commit(root, request, record, now)
    return this.resolve(root, request, { ...record, charged: record.charged.map(() => 0) }, now, "committed")
  }
}

class WindowsBeforeId extends ModelStore {
  protected override decide(root: ModelRoot, request: ReserveRequest, now: number) {
    const which = request.cells.flatMap((cell, index) => (this.windowIsOpen(cell, now) ? [] : [index]))
    return which.length > 0 ? { result: "stale-window" as const, which } : super.decide(root, request, now)
  }
}

class ForgetsAtTheEndOfTheLease extends ModelStore {
  protected override resolvedUntil(leaseEnd: number): number {
    return leaseEnd
  }
}

class ForgetsWhatMayComeAgain extends ModelStore {
  protected override resolvedUntil(_leaseEnd: number, now: number): number {
    return now + this.capabilities.retentionMs
  }
}

class ChargesTheForgotten extends ModelStore {
  protected override wasLost(): boolean {
    return true
  }
}

class DropsTheLost extends ModelStore {
  protected override wasLost(): boolean {
    return false
  }
}

class CaseBlind extends ModelStore {
  protected override cellName(key: string): string {
    return key.toLowerCase()
  }
}

class ColonsMerged extends ModelStore {
  protected override cellName(key: string): string {
    return key.replaceAll(/[:|]+/g, ":")
  }
}

class RootsShared extends ModelStore {
  protected override root(name: string): ModelRoot {
    return super.root(name.slice(0, 8))
  }
}

class OneIdForAll extends ModelStore {
  override async adjust(request: AdjustRequest) {
    if (this.root(request.root).records.has(request.id)) {
      return { ...(await super.adjust({ ...request, delta: 0, kind: "spent" })), replayed: true } as never
    }
    return super.adjust(request)
  }
}

class TakesAnyName extends ModelStore {
  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    const clean = (name: string) => (typeof name === "string" ? name.replaceAll(/[^\w.:|=-]/g, "_") || "_" : "_")
    const cells = request.cells.map((cell) => ({ ...cell, key: clean(cell.key).slice(0, 200) }))
    return super.reserve({ ...request, cells })
  }
}

class RoundsAmounts extends ModelStore {
  override async settle(request: SettleRequest): Promise<SettleResult> {
    const cells = request.cells.map((cell) => ({ ...cell, amount: Math.max(0, Math.round(Number(cell.amount) || 0)) }))
    return super.settle({ ...request, cells })
  }
}

class ReadsDamageAsZero extends ModelStore {
  protected override cellAt(root: ModelRoot, key: string, now: number): ModelCell | undefined {
    try {
      return super.cellAt(root, key, now)
    } catch (error) {
      if (InvalidArgumentError.isInstance(error) && error.kind === "usage") throw error
      return undefined
    }
  }
}

class KeepsTheCallersObjects extends ModelStore {
  protected override hold(root: ModelRoot, request: ReserveRequest, now: number): void {
    super.hold(root, request, now)
    root.records.get(request.id)!.cells = request.cells
  }
}

/** Everything is in order, but a store that cannot be reached says yes. */
const failingOpen: Connect = (store, line) => {
  const right = connectThroughLine(store, line)
  return {
    ...right,
    reserve: async (request) => {
      try {
        return await right.reserve(request)
      } catch (error) {
        if (InvalidArgumentError.isInstance(error) && error.kind === "usage") throw error
        const cells = request.cells.map(({ key }) => ({ key, spent: 0, reserved: 0, granted: 0 }))
        const expiresAt = request.leaseMs
        return { now: 0, cells, expired: [], backlog: false, result: "ok", replayed: false, expiresAt }
      }
    },
  }
}

const calmAboutLostAnswers: Connect = (store, line) => {
  const right = connectThroughLine(store, line)
  return {
    ...right,
    reserve: async (request) => {
      const reserve = () => right.reserve(request)
      // A lost answer is reported as if nothing had been applied.
      return reserve().catch((error) => {
        throw Object.assign(error, { applied: error.applied === "maybe" ? "no" : error.applied })
      })
    },
  }
}

// ── Ledgers ──

class PagesByOffset extends ModelLedger {
  override async list(request: Parameters<UsageLedger["list"]>[0]) {
    const offset = Number(request.cursor ?? 0)
    const sorted = this.sorted(request.root, request.filter)
    if (request.order === "newest") sorted.reverse()
    const entries = sorted.slice(offset, offset + request.limit)
    const cursor = offset + request.limit < sorted.length ? String(offset + request.limit) : null
    return { entries, cursor, dropped: 0 }
  }
}

class PagesByTime extends ModelLedger {
  protected override after(sorted: StoredEntry[], cursor: string | undefined, newest: boolean): StoredEntry[] {
    if (cursor === undefined) return sorted
    const at = Number(cursor.split("/")[0])
    return sorted.filter((entry) => (newest ? entry.at < at : entry.at > at))
  }
}

class SecondEntryPerRevision extends ModelLedger {
  override write(...[root, id, entry, charges, revision, now]: Parameters<ModelLedger["write"]>): void {
    super.write(root, revision > 0 ? `${id}.${revision}` : id, entry, charges, revision, now)
  }
}

class RecordOverwrites extends ModelLedger {
  override async record(request: { root: string; id: string; entry: UsageEntry }) {
    this.root(request.root).entries.delete(request.id)
    return super.record(request)
  }
}

class ExpiryWithoutEntry extends ModelLedger {
  override writeExpired(): void {}
}

class ExpiredAtTheBound extends ModelLedger {
  override writeExpired(...[root, id, record, charged, now]: Parameters<ModelLedger["writeExpired"]>): void {
    const { expireCostNanoUsd: _dropped, ...draft } = record.draft ?? {}
    super.writeExpired(root, id, { ...record, draft: draft as ModelRecord["draft"] }, charged, now)
  }
}

class ExpiredKeepsTheSaying extends ModelLedger {
  override writeExpired(...[root, id, record, charged, now]: Parameters<ModelLedger["writeExpired"]>): void {
    super.writeExpired(root, id, record, charged, now)
    const { expireCostNanoUsd } = record.draft ?? {}
    if (expireCostNanoUsd !== undefined) Object.assign(root.entries.get(id)!, { expireCostNanoUsd })
  }
}

class LateWriteMovesTime extends ModelLedger {
  override write(...[root, id, entry, charges, revision, now]: Parameters<ModelLedger["write"]>): void {
    root.entries.delete(id)
    super.write(root, id, entry, charges, revision, now)
  }
}

class FloatTotals extends ModelLedger {
  protected override totalsOf(group: UsageTotals["group"], entries: readonly StoredEntry[]): UsageTotals {
    const row = super.totalsOf(group, entries)
    return { ...row, costNanoUsd: Number(row.costNanoUsd.toPrecision(14)) }
  }
}

class EqualDays extends ModelLedger {
  override async totals(request: Parameters<UsageLedger["totals"]>[0]) {
    const first = request.buckets?.[0]
    const buckets = first === undefined ? undefined : request.buckets?.map((_, index) => first + index * 86_400_000)
    return super.totals({ ...request, buckets })
  }
}

class PrefixFilter extends ModelLedger {
  protected override passes(entry: StoredEntry, filter: Parameters<UsageLedger["list"]>[0]["filter"]): boolean {
    const { userId } = filter
    const starts = userId === undefined || (entry.userId?.startsWith(userId) ?? false)
    return starts && super.passes(entry, { ...filter, userId: undefined })
  }
}

class PruneTakesOneMore extends ModelLedger {
  override async prune(request: { root: string; before: number }) {
    return super.prune({ ...request, before: request.before + 1 })
  }
}

class KeepsEntriesForEver extends ModelLedger {
  constructor(...[root, now]: ConstructorParameters<typeof ModelLedger>) {
    super(root, now, Number.POSITIVE_INFINITY)
  }
}

class SpendsWithoutEntry extends ModelStore {
  protected override writeEntry(...asked: Parameters<ModelStore["writeEntry"]>): void {
    if (asked[1].revision === 0) super.writeEntry(...asked)
  }
}

/** Every fault that the suite is known to find. The first group is asked for by name; the rest came up while stores were written. */
export const plants: Plant[] = [
  {
    name: "get-then-set",
    Store: GetThenSet,
    caughtBy: ["a thousand reservations", "in three scopes at once", "cells in opposite orders"],
  },
  {
    name: "one scope at a time",
    Store: OneScopeAtATime,
    caughtBy: ["a refusal leaves no trace in any cell", "sixteen cells in one call"],
  },
  {
    name: "float money",
    Store: FloatMoney,
    caughtBy: ["large amounts keep every digit", "sums of small charges are exact"],
  },
  { name: "fourteen digits", Store: FourteenDigits, caughtBy: ["large amounts keep every digit", "amounts near 2^53"] },
  {
    name: "client clock",
    Store: ClientClock,
    caughtBy: ["time is the injected clock's", "a lease lasts until its end"],
  },
  {
    name: "leak on error",
    Store: LeakOnError,
    caughtBy: [
      "an amount that is not a safe integer",
      "the same key twice in one call",
      "a name outside of the alphabet",
    ],
  },
  { name: "denial that consumes", Store: DenialThatConsumes, caughtBy: ["a refusal leaves no trace in any cell"] },
  {
    name: "double commit",
    Store: DoubleCommit,
    caughtBy: [
      "a commit sent again",
      "state committed: commit of the same amounts",
      "the same commit sent five times at once",
    ],
  },
  {
    name: "expiry that frees a committed hold",
    Store: ExpiryFreesCommitted,
    caughtBy: ["a committed or released lease never expires"],
  },
  {
    name: "late commit dropped",
    Store: LateCommitDropped,
    caughtBy: ["state expired: commit of less than was charged", "state expired: commit of more than was charged"],
  },
  {
    name: "id reuse ignored",
    Store: IdReuseIgnored,
    caughtBy: ["an id with other content is a mismatch", "state held: another fingerprint"],
  },
  {
    name: "local-zone windows",
    Store: LocalZoneWindows,
    caughtBy: ["a window is open from its start", "windows are the caller's"],
  },
  { name: "30-day months", Store: ThirtyDayMonths, caughtBy: ["windows are the caller's"] },
  {
    name: "reset that clears reservations",
    Store: ResetClearsReservations,
    caughtBy: ["a reset makes spent and peak zero"],
  },
  { name: "unbounded keys", Store: UnboundedKeys, caughtBy: ["memory is bounded"] },
  {
    name: "failing open",
    Store: ModelStore,
    connect: failingOpen,
    caughtBy: ["while the state cannot be reached, every member rejects"],
  },
  {
    name: "a fast client clock that spends tomorrow's window",
    Store: TomorrowsMoney,
    caughtBy: ["a fast clock cannot spend tomorrow's money"],
  },
  {
    name: "a record that outlives its cells",
    Store: CellDiesBeforeItsRecord,
    caughtBy: ["an endless cell with something reserved in it is never idle"],
  },
  {
    name: "a record that dies before its cells",
    Store: RecordDiesBeforeItsCells,
    caughtBy: ["a held id is never forgotten", "a window that closes while a lease is open"],
  },
  {
    name: "a replay that answers differently",
    Store: ReplayAnswersDifferently,
    caughtBy: ["a reserve sent again gives the same decision"],
  },
  {
    name: "an unknown release without a tombstone",
    Store: NoTombstone,
    caughtBy: ["state none: release", "a release that overtakes its reserve wins"],
  },
  // ── Found while writing stores ──
  {
    name: "a replay that is decided anew",
    Store: ReplayIsDecidedAnew,
    caughtBy: ["a reserve sent again gives the same decision"],
  },
  { name: "a replay that passes thresholds again", Store: ReplayPassesThresholds, caughtBy: ["a commit sent again"] },
  { name: "windows never checked", Store: NoWindowCheck, caughtBy: ["a window is open from its start"] },
  {
    name: "windows checked before the id",
    Store: WindowsBeforeId,
    caughtBy: ["the id is looked up before the windows"],
  },
  { name: "reset that clears grants", Store: ResetClearsGrants, caughtBy: ["a reset makes spent and peak zero"] },
  {
    name: "expiry that never charges",
    Store: FreesButNeverCharges,
    caughtBy: ["expiry charges each cell its onExpire"],
  },
  { name: "expiry that charges in full", Store: ChargesInFull, caughtBy: ["expiry charges each cell its onExpire"] },
  {
    name: "expiry in sweep only",
    Store: ExpiresOnlyInSweep,
    caughtBy: ["what expired is freed before anyone is refused"],
  },
  { name: "expiry in any order", Store: ExpiresInAnyOrder, caughtBy: ["expiry goes in order"] },
  { name: "a sweep that ignores max", Store: SweepsEverything, caughtBy: ["sweep ends at most as many"] },
  { name: "a sweep that stops after one step", Store: SweepsOneStep, caughtBy: ["sweep loops over its steps"] },
  { name: "extend that revives", Store: ExtendRevives, caughtBy: ["state held, lease past: extend"] },
  { name: "extend that shortens", Store: ExtendShortens, caughtBy: ["extend moves the end"] },
  { name: "read that ends leases", Store: ReadEndsLeases, caughtBy: ["read counts what is due and ends nothing"] },
  { name: "read that makes cells", Store: ReadMakesCells, caughtBy: ["read writes nothing"] },
  { name: "grants ignored", Store: GrantsIgnored, caughtBy: ["a grant widens the room"] },
  { name: "reservations ignored", Store: ReservationsIgnored, caughtBy: ["spent and reserved add up to the limit"] },
  { name: "zero refused in a full cell", Store: ZeroIsRefused, caughtBy: ["an amount of zero is never refused"] },
  { name: "a refusal that names one cell", Store: NamesOneCell, caughtBy: ["a refusal names every cell"] },
  { name: "overrun cut off", Store: OverrunCutOff, caughtBy: ["commit of more than was reserved"] },
  { name: "a peak that goes down", Store: PeakGoesDown, caughtBy: ["a correction downwards leaves the peak"] },
  {
    name: "a lower revision that wins",
    Store: LowerRevisionWins,
    caughtBy: ["state committed: commit of a lower revision"],
  },
  { name: "a revision that adds", Store: RevisionAdds, caughtBy: ["state committed: commit of a higher revision"] },
  {
    name: "ids forgotten at the end of the lease",
    Store: ForgetsAtTheEndOfTheLease,
    caughtBy: ["a resolved id is remembered for the retention"],
  },
  {
    name: "ids forgotten while they may be charged again",
    Store: ForgetsWhatMayComeAgain,
    caughtBy: ["an id that was committed early in a long lease"],
  },
  {
    name: "a forgotten id charged again",
    Store: ChargesTheForgotten,
    caughtBy: ["an id that was resolved and forgotten long ago"],
  },
  {
    name: "a settle in the windows that it names",
    Store: SettlesWhereToldTo,
    caughtBy: ["a settle after a retry across midnight"],
  },
  { name: "a lost id dropped", Store: DropsTheLost, caughtBy: ["state none: commit of an id that was never reserved"] },
  {
    name: "names without case",
    Store: CaseBlind,
    caughtBy: ["names that look alike are different cells", "hostile names as user"],
  },
  {
    name: "separators merged",
    Store: ColonsMerged,
    caughtBy: ["names that look alike are different cells", "random names never share"],
  },
  { name: "roots cut short", Store: RootsShared, caughtBy: ["roots do not see each other"] },
  {
    name: "one table of ids for everything",
    Store: OneIdForAll,
    caughtBy: ["adjustments and reservations have ids of their own"],
  },
  { name: "names cleaned instead of refused", Store: TakesAnyName, caughtBy: ["a name outside of the alphabet"] },
  {
    name: "amounts rounded instead of refused",
    Store: RoundsAmounts,
    caughtBy: ["an amount that is not a safe integer"],
  },
  { name: "damage read as zero", Store: ReadsDamageAsZero, caughtBy: ["a damaged cell is reported"] },
  { name: "the caller's objects kept", Store: KeepsTheCallersObjects, caughtBy: ["a store works on a copy"] },
  {
    name: "a lost answer reported as not applied",
    Store: ModelStore,
    connect: calmAboutLostAnswers,
    caughtBy: ["a reserve whose answer was lost may have been applied"],
  },
  // ── Ledgers ──
  {
    name: "money without its entry",
    Store: SpendsWithoutEntry,
    caughtBy: ["a replayed commit writes no second entry", "for every cell, spent is"],
  },
  {
    name: "an entry of the cells that the settle names",
    Store: EntryOfTheNamedCells,
    caughtBy: ["after a retry across midnight the entry names"],
  },
  {
    name: "an expired entry at the whole bound",
    Store: withLedger(ExpiredAtTheBound),
    caughtBy: ["an expired entry costs what its draft says"],
  },
  {
    name: "an expired entry that keeps what expiry costs",
    Store: withLedger(ExpiredKeepsTheSaying),
    caughtBy: ["an expired entry costs what its draft says"],
  },
  { name: "pages by offset", Store: withLedger(PagesByOffset), caughtBy: ["a page is stable under writes"] },
  { name: "pages by time alone", Store: withLedger(PagesByTime), caughtBy: ["the order is (time, id)"] },
  {
    name: "an entry per revision",
    Store: withLedger(SecondEntryPerRevision),
    caughtBy: ["a replayed commit writes no second entry"],
  },
  {
    name: "record that overwrites",
    Store: withLedger(RecordOverwrites),
    caughtBy: ["record writes an entry without money"],
  },
  {
    name: "expiry without an entry",
    Store: withLedger(ExpiryWithoutEntry),
    caughtBy: ["an expired lease becomes an entry"],
  },
  {
    name: "a late write that moves the time",
    Store: withLedger(LateWriteMovesTime),
    caughtBy: ["an expired lease becomes an entry"],
  },
  { name: "totals in fourteen digits", Store: withLedger(FloatTotals), caughtBy: ["large sums are exact"] },
  { name: "days of 24 hours", Store: withLedger(EqualDays), caughtBy: ["time buckets are the caller's"] },
  { name: "filters by prefix", Store: withLedger(PrefixFilter), caughtBy: ["every filter matches exactly"] },
  {
    name: "prune that takes one more",
    Store: withLedger(PruneTakesOneMore),
    caughtBy: ["prune removes what is older"],
  },
  {
    name: "entries kept for ever",
    Store: withLedger(KeepsEntriesForEver),
    caughtBy: ["the ledger's retention lets entries leave"],
  },
  ...subtlePlants,
]
