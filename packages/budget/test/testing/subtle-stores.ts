import type { StoredEntry, UsageFilter, UsageLedger, UsageTotals } from "../../src/ledger"
import type {
  AdjustRequest,
  AdjustResult,
  CellChange,
  CellRef,
  Expired,
  ExtendResult,
  ReserveCell,
  ReserveRequest,
  ReserveResult,
  SettleRequest,
  SettleResult,
} from "../../src/store"
import { StoreError } from "../../src/store-error"
import { ModelStore } from "../../src/testing/model"
import { ModelLedger } from "../../src/testing/model-ledger"
import type { ModelCell, ModelRecord, ModelRoot } from "../../src/testing/model-state"
import { type Plant, withLedger } from "./plant"

const LARGEST_INT32 = 2 ** 31 - 1

/** A few turns of the event loop's queue: as long as an answer of a server takes. */
async function meanwhile(turns = 1): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
}

// ── Steps that are two ──

class AdjustWritesBackWhatWasReserved extends ModelStore {
  override async adjust(request: AdjustRequest): Promise<AdjustResult> {
    const { reserved } = this.state.get(request.root)?.cells.get(request.cell.key) ?? { reserved: 0 }
    await meanwhile()
    const answer = await super.adjust(request)
    const cell = this.state.get(request.root)?.cells.get(request.cell.key)
    if (cell !== undefined && answer.result === "ok" && !answer.replayed) cell.reserved = reserved
    return answer
  }
}

class ResetWritesBackWhatWasReserved extends AdjustWritesBackWhatWasReserved {
  override async adjust(request: AdjustRequest): Promise<AdjustResult> {
    return request.kind === "reset" ? super.adjust(request) : ModelStore.prototype.adjust.call(this, request)
  }
}

class ExtendWritesBackTheRecord extends ModelStore {
  override async extend(request: { root: string; id: string; leaseMs: number }): Promise<ExtendResult> {
    const records = this.state.get(request.root)?.records
    const record = structuredClone(records?.get(request.id))
    await meanwhile()
    if (record?.state === "held" && record.leaseEnd > this.now()) records!.set(request.id, record)
    return super.extend(request)
  }
}

class SweepExpiresWhatWasSettledMeanwhile extends ModelStore {
  override async sweep(request: { root: string; max: number }) {
    const root = this.root(request.root)
    const due = this.dueIds(root, this.now()).slice(0, request.max)
    await meanwhile()
    const settled = due.filter((id) => ["committed", "released"].includes(root.records.get(id)!.state))
    const late = settled.map((id) => this.expire(root, id, this.now()))
    const answer = await super.sweep(request)
    return { ...answer, expired: late.concat(answer.expired) }
  }
}

class SettleResolvesWhatItRead extends ModelStore {
  override async settle(request: SettleRequest): Promise<SettleResult> {
    const copy = structuredClone(request)
    const records = this.state.get(request.root)?.records
    const record = structuredClone(records?.get(request.id))
    await meanwhile()
    // The sweep has ended the lease since, and is written over.
    const { state } = records?.get(request.id) ?? {}
    if (record?.state === "held" && state === "expired") records!.set(request.id, record)
    return super.settle(copy)
  }
}

/** Read committed, and a lock on the first cell of a call alone. */
class LocksTheFirstCell extends ModelStore {
  readonly #last = new Map<string, Promise<unknown>>()

  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    const name = `${request.root} ${request.cells[0]?.key}`
    const copy = structuredClone(request)
    const run = async () => {
      const cells = this.state.get(copy.root)?.cells
      const read = copy.cells.slice(1).map(({ key }) => [key, cells?.get(key)?.reserved ?? 0] as const)
      await meanwhile()
      const answer = await super.reserve(copy)
      if (answer.result === "ok" && !answer.replayed) {
        for (const [index, [key, reserved]] of read.entries())
          this.state.get(copy.root)!.cells.get(key)!.reserved = reserved + copy.cells[index + 1]!.amount
      }
      return answer
    }
    const next = (this.#last.get(name) ?? Promise.resolve()).then(run)
    this.#last.set(
      name,
      next.catch(() => undefined),
    )
    return next
  }
}

/** A transaction that is rolled back, with the leases that it ended and told. */
class RollsBackARefusal extends ModelStore {
  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    const before = structuredClone(this.state.get(request.root))
    const answer = await super.reserve(request)
    const refused = answer.result === "exceeded" || answer.result === "stale-window"
    if (refused && before !== undefined) this.state.set(request.root, before)
    return answer
  }
}

class DeadlocksOnOppositeOrders extends ModelStore {
  readonly #locked = new Map<string, number>()

  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    const keys = request.cells.map((cell) => cell.key).sort()
    return this.#locking(keys, () => super.reserve(request))
  }

  override async settle(request: SettleRequest): Promise<SettleResult> {
    const keys = request.cells.map((cell) => cell.key)
    return this.#locking(keys, () => super.settle(request))
  }

  async #locking<T>(keys: string[], run: () => Promise<T>): Promise<T> {
    const taken: string[] = []
    try {
      for (const key of keys) {
        for (let round = 0; this.#locked.has(key); round++) {
          if (round === 2_000) throw new StoreError("Deadlock.", { code: "unavailable", applied: "no" })
          await meanwhile()
        }
        this.#locked.set(key, 1)
        taken.push(key)
        await meanwhile()
      }
      return await run()
    } finally {
      for (const key of taken) this.#locked.delete(key)
    }
  }
}

class CopiesTooLate extends ModelStore {
  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    await meanwhile()
    return super.reserve(request)
  }

  override async settle(request: SettleRequest): Promise<SettleResult> {
    await meanwhile()
    return super.settle(request)
  }

  override async adjust(request: AdjustRequest): Promise<AdjustResult> {
    await meanwhile()
    return super.adjust(request)
  }
}

// ── Numbers ──

class ExpiryIn32Bits extends ModelStore {
  protected override chargeOnExpiry(cell: ReserveCell): number {
    return Math.min(cell.onExpire, LARGEST_INT32)
  }
}

class ChargedIn32Bits extends ModelStore {
  protected override resolve(...asked: Parameters<ModelStore["resolve"]>): SettleResult {
    const answer = super.resolve(...asked)
    const record = asked[0].records.get(asked[1].id)!
    record.charged = record.charged.map((amount) => (amount > LARGEST_INT32 ? Math.fround(amount) : amount))
    return answer
  }
}

class AppliedInFloats extends ModelStore {
  override async adjust(request: AdjustRequest): Promise<AdjustResult> {
    const answer = await super.adjust(request)
    return answer.result === "ok" && answer.replayed ? { ...answer, applied: Math.fround(answer.applied) } : answer
  }
}

class KeepsFor32Bits extends ModelStore {
  protected override cellIsOver(cell: ModelCell, now: number): boolean {
    return super.cellIsOver({ ...cell, keepMs: cell.keepMs === null ? null : cell.keepMs | 0 }, now)
  }
}

class UnsignedGrants extends ModelStore {
  protected override applyAdjustment(root: ModelRoot, request: AdjustRequest, now: number) {
    const { granted } = this.stateOf(root, request.cell.key, now)
    if (request.kind !== "granted") return super.applyAdjustment(root, request, now)
    return super.applyAdjustment(root, { ...request, delta: Math.max(-granted, request.delta) }, now)
  }
}

class AppliesMoreThanItDid extends ModelStore {
  override async adjust(request: AdjustRequest): Promise<AdjustResult> {
    const answer = await super.adjust(request)
    return answer.result === "ok" && request.kind !== "reset" ? { ...answer, applied: request.delta } : answer
  }
}

class WrapsWhatIsCharged extends ModelStore {
  protected override sum(a: number, b: number): number {
    return a + b
  }
}

// ── Names ──

class KeysCutAt191 extends ModelStore {
  protected override cellName(key: string): string {
    return key.slice(0, 191)
  }
}

const cutId = <T extends { id: string }>(request: T): T =>
  typeof request.id === "string" && request.id.length <= 64 ? { ...request, id: request.id.slice(0, 63) } : request

class IdsCutAt63 extends ModelStore {
  override reserve(request: ReserveRequest) {
    return super.reserve(cutId(request))
  }

  override settle(request: SettleRequest) {
    return super.settle(cutId(request))
  }

  override extend(request: { root: string; id: string; leaseMs: number }) {
    return super.extend(cutId(request))
  }
}

class RootsCutAt63 extends ModelStore {
  protected override root(name: string): ModelRoot {
    return super.root(name.slice(0, 63))
  }
}

class FingerprintsWithoutCase extends ModelStore {
  protected override sameContent(record: ModelRecord, request: { fingerprint: string }): boolean {
    return record.fingerprint.toLowerCase() === request.fingerprint.toLowerCase()
  }
}

class FingerprintsCutAt64 extends ModelStore {
  protected override sameContent(record: ModelRecord, request: { fingerprint: string }): boolean {
    return record.fingerprint.slice(0, 64) === request.fingerprint.slice(0, 64)
  }
}

const idWithoutCase = <T extends { id: string }>(request: T): T =>
  typeof request.id === "string" ? { ...request, id: request.id.toLowerCase() } : request

class IdsWithoutCase extends ModelStore {
  override reserve(request: ReserveRequest) {
    return super.reserve(idWithoutCase(request))
  }

  override settle(request: SettleRequest) {
    return super.settle(idWithoutCase(request))
  }
}

class SweepsEveryRoot extends ModelStore {
  protected override expireDue(root: ModelRoot, now: number, max: number, own?: string): Expired[] {
    const others = [...this.state.values()].filter((one) => one !== root)
    return super.expireDue(root, now, max, own).concat(others.flatMap((one) => super.expireDue(one, now, max)))
  }
}

class DueInEveryRoot extends ModelStore {
  override async read(request: { root: string; keys: string[] }) {
    const answer = await super.read(request)
    const due = [...this.state.values()].reduce((sum, root) => sum + this.dueIds(root, answer.now).length, 0)
    return { ...answer, due }
  }
}

class ExtendsInEveryRoot extends ModelStore {
  override async extend(request: { root: string; id: string; leaseMs: number }): Promise<ExtendResult> {
    const answer = await super.extend(request)
    for (const { records } of answer.state === "held" ? this.state.values() : []) {
      const record = records.get(request.id)
      if (record?.state === "held" && answer.state === "held") record.leaseEnd = answer.expiresAt
    }
    return answer
  }
}

class SettlesInEveryRoot extends ModelStore {
  override async settle(request: SettleRequest): Promise<SettleResult> {
    const answer = await super.settle(request)
    for (const [name, { records }] of this.state) {
      if (name === request.root || records.get(request.id)?.state !== "held") continue
      await super.settle({ ...request, root: name })
    }
    return answer
  }
}

class AdjustmentsOfEveryRoot extends ModelStore {
  readonly #ids = new Map<string, AdjustResult>()

  override async adjust(request: AdjustRequest): Promise<AdjustResult> {
    const name = `${request.id} ${request.cell.key} ${request.kind} ${request.delta}`
    const known = this.#ids.get(name)
    const answer = known === undefined ? await super.adjust(request) : known
    if (answer.result !== "ok") return answer
    if (known !== undefined) return { ...answer, replayed: true }
    this.#ids.set(name, { ...answer, cell: { ...answer.cell, peakBefore: answer.cell.peak } })
    return answer
  }
}

// ── What is told ──

class ReplayTellsNoExpiry extends ModelStore {
  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    const answer = await super.reserve(request)
    const known = answer.result === "mismatch" || answer.result === "resolved"
    return known || (answer.result === "ok" && answer.replayed) ? { ...answer, expired: [] } : answer
  }
}

class ExpiryPassesNoThreshold extends ModelStore {
  protected override expire(root: ModelRoot, id: string, now: number): Expired {
    const expired = super.expire(root, id, now)
    return { ...expired, cells: expired.cells.map((cell) => ({ ...cell, peakBefore: cell.peak })) }
  }
}

const withoutThreshold = (cell: CellChange) => ({ ...cell, peakBefore: cell.peak })

class CorrectionPassesNoThreshold extends ModelStore {
  override async adjust(request: AdjustRequest): Promise<AdjustResult> {
    const answer = await super.adjust(request)
    return request.kind === "spent" ? { ...answer, cell: withoutThreshold(answer.cell) } : answer
  }
}

class ResetForgetsThePeak extends ModelStore {
  override async adjust(request: AdjustRequest): Promise<AdjustResult> {
    const answer = await super.adjust(request)
    return request.kind === "reset" ? { ...answer, cell: withoutThreshold(answer.cell) } : answer
  }
}

class LateCommitPassesNoThreshold extends ModelStore {
  override async settle(request: SettleRequest): Promise<SettleResult> {
    const answer = await super.settle(request)
    return "late" in answer && answer.late ? { ...answer, cells: answer.cells.map(withoutThreshold) } : answer
  }
}

class RecoveredPassesNoThreshold extends ModelStore {
  override async settle(request: SettleRequest): Promise<SettleResult> {
    const answer = await super.settle(request)
    return "recovered" in answer && answer.recovered ? { ...answer, cells: answer.cells.map(withoutThreshold) } : answer
  }
}

// ── How long ──

class ForgetsByTheFirstLease extends ModelStore {
  readonly #firstEnd = new Map<string, number>()

  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    const answer = await super.reserve(request)
    const name = `${request.root} ${request.id}`
    if (answer.result === "ok" && !answer.replayed) this.#firstEnd.set(name, answer.expiresAt)
    return answer
  }

  override async settle(request: SettleRequest): Promise<SettleResult> {
    const answer = await super.settle(request)
    const first = this.#firstEnd.get(`${request.root} ${request.id}`)
    const record = this.root(request.root).records.get(request.id)
    const replayed = "replayed" in answer && answer.replayed
    if (first !== undefined && record?.forgetAt && !replayed) {
      record.forgetAt = Math.max(first, this.now()) + this.capabilities.retentionMs
    }
    return answer
  }
}

class ForgetsTheRecoveredEarly extends ModelStore {
  protected override resolve(...asked: Parameters<ModelStore["resolve"]>): SettleResult {
    const answer = super.resolve(...asked)
    const [root, request, record, now] = asked
    if (record === undefined) root.records.get(request.id)!.forgetAt = now + this.capabilities.retentionMs
    return answer
  }
}

class ShortTombstone extends ModelStore {
  protected override resolve(...asked: Parameters<ModelStore["resolve"]>): SettleResult {
    const answer = super.resolve(...asked)
    const [root, request, record, now, state] = asked
    if (record === undefined && state === "released") root.records.get(request.id)!.forgetAt = now + 1_000
    return answer
  }
}

class AdjustChecksTheWindowFirst extends ModelStore {
  override async adjust(request: AdjustRequest): Promise<AdjustResult> {
    const answer = await super.adjust(request)
    return this.windowIsOpen(request.cell, answer.now) ? answer : { ...answer, result: "stale-window" }
  }
}

class RecoversOpenWindowsOnly extends ModelStore {
  protected override wasLost(request: SettleRequest, now: number): boolean {
    return super.wasLost(request, now) && request.cells.every((cell) => this.windowIsOpen(cell, now))
  }
}

class WindowsEndLate extends ModelStore {
  protected override windowIsOpen(cell: CellRef, now: number): boolean {
    return super.windowIsOpen(cell, now) || now === cell.endsAt
  }
}

class GrantsOnEveryRetry extends ModelStore {
  override async adjust(request: AdjustRequest): Promise<AdjustResult> {
    const answer = await super.adjust(request)
    if (request.kind !== "granted" || answer.result !== "ok" || !answer.replayed) return answer
    this.change(this.root(request.root), request.cell, answer.now, { granted: request.delta })
    return answer
  }
}

class NeedsACell extends ModelStore {
  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    if (request.cells.length === 0) throw new StoreError("Syntax error at ().", { code: "unavailable", applied: "no" })
    return super.reserve(request)
  }
}

// ── What survives ──

class ExtendsInMemory extends ModelStore {
  readonly #ends = new WeakMap<ModelRecord, number>()

  override async extend(request: { root: string; id: string; leaseMs: number }): Promise<ExtendResult> {
    const record = this.state.get(request.root)?.records.get(request.id)
    const written = record?.leaseEnd
    const answer = await super.extend(request)
    if (answer.state === "held" && record !== undefined && written !== undefined && written !== record.leaseEnd) {
      this.#ends.set(record, written)
      Object.defineProperty(record, "leaseEnd", {
        value: record.leaseEnd,
        enumerable: false,
        configurable: true,
        writable: true,
      })
      Object.assign(record, { written })
    }
    return answer
  }

  protected override dueIds(root: ModelRoot, now: number): string[] {
    for (const record of root.records.values()) {
      if (record.leaseEnd === undefined) record.leaseEnd = (record as unknown as { written: number }).written
    }
    return super.dueIds(root, now)
  }
}

class RevisionsInMemory extends ModelStore {
  protected override resolve(...asked: Parameters<ModelStore["resolve"]>): SettleResult {
    const answer = super.resolve(...asked)
    const record = asked[0].records.get(asked[1].id)!
    const { revision } = record
    Object.defineProperty(record, "revision", { value: revision, enumerable: false })
    return answer
  }

  protected override recordOf(...asked: Parameters<ModelStore["recordOf"]>): ModelRecord | undefined {
    const record = super.recordOf(...asked)
    return record === undefined || record.revision !== undefined ? record : { ...record, revision: 0 }
  }
}

class DraftsInMemory extends ModelStore {
  protected override hold(root: ModelRoot, request: ReserveRequest, now: number): void {
    super.hold(root, request, now)
    const record = root.records.get(request.id)!
    const { draft } = record
    Object.defineProperty(record, "draft", { value: draft, enumerable: false })
  }
}

// ── Ledgers ──

class EntryAfterwards extends ModelStore {
  #later: (() => void)[] = []

  protected override writeEntry(...asked: Parameters<ModelStore["writeEntry"]>): void {
    this.#later.push(() => super.writeEntry(...asked))
  }

  override async settle(request: SettleRequest): Promise<SettleResult> {
    const answer = await super.settle(structuredClone(request))
    const writes = this.#later
    this.#later = []
    await meanwhile(20)
    for (const write of writes) write()
    return answer
  }
}

class EntryBefore extends ModelStore {
  override async settle(request: SettleRequest): Promise<SettleResult> {
    const copy = structuredClone(request)
    const root = this.state.get(request.root)
    const record = root?.records.get(request.id)
    if (root !== undefined && record?.state === "held" && record.fingerprint === request.fingerprint) {
      const amounts = copy.cells.map((cell) => cell.amount)
      this.writeEntry(root, copy, record.cells, copy.outcome === "commit" ? amounts : [], this.now())
      await meanwhile(20)
    }
    return super.settle(copy)
  }
}

class EntryCheckedAfterTheMoney extends ModelStore {
  override async settle(request: SettleRequest): Promise<SettleResult> {
    try {
      return await super.settle(request)
    } catch (error) {
      const { entry: _bad, ...rest } = request
      await super.settle(rest).catch(() => {})
      throw error
    }
  }
}

class OwnExpiryWithoutEntry extends ModelStore {
  #own = ""

  override async reserve(request: ReserveRequest): Promise<ReserveResult> {
    this.#own = request.id
    return super.reserve(request)
  }

  protected override expire(root: ModelRoot, id: string, now: number): Expired {
    const expired = super.expire(root, id, now)
    if (id === this.#own) root.entries.delete(id)
    return expired
  }

  override async sweep(request: { root: string; max: number }) {
    this.#own = ""
    return super.sweep(request)
  }
}

class ReleaseWritesItsDraft extends ModelStore {
  protected override release(root: ModelRoot, request: SettleRequest, record: ModelRecord | undefined, now: number) {
    const answer = super.release(root, request, record, now)
    const draft = record?.draft
    if (draft === undefined || request.entry !== undefined || root.entries.has(request.id)) return answer
    const entry = { ...draft, status: "released", tokens: {}, costNanoUsd: 0, costSource: "none" } as const
    this.ledger.write(root, request.id, entry, {}, 0, now)
    return answer
  }
}

class CommitLeavesOldCharges extends ModelStore {
  protected override writeEntry(...asked: Parameters<ModelStore["writeEntry"]>): void {
    if (asked[1].entry !== undefined || asked[1].outcome === "release") super.writeEntry(...asked)
  }
}

class RequestsOfEveryRoot extends ModelStore {
  protected override createLedger(retentionMs: number): ModelLedger {
    const state = this.state
    class Ledger extends ModelLedger {
      override async get(request: { root: string; requestId: string }) {
        const found = await Promise.all([...state.keys()].map((root) => super.get({ ...request, root })))
        return found.flat()
      }
    }
    return new Ledger((name) => this.root(name), this.now, retentionMs)
  }
}

/** Sums that were added up when an entry was first written. */
class TotalsOfTheFirstTruth extends ModelLedger {
  readonly #first = new Map<string, StoredEntry>()

  override write(...[root, id, entry, charges, revision, now]: Parameters<ModelLedger["write"]>): void {
    super.write(root, id, entry, charges, revision, now)
    const stored = root.entries.get(id)!
    if (!this.#first.has(`${id} ${stored.at}`)) this.#first.set(`${id} ${stored.at}`, structuredClone(stored))
  }

  protected override totalsOf(group: UsageTotals["group"], entries: readonly StoredEntry[]): UsageTotals {
    return super.totalsOf(
      group,
      entries.map((entry) => this.#first.get(`${entry.id} ${entry.at}`) ?? entry),
    )
  }
}

class IndexOfTheFirstTruth extends ModelLedger {
  readonly #models = new WeakMap<ModelRoot, Map<string, string>>()

  override write(...[root, id, entry, charges, revision, now]: Parameters<ModelLedger["write"]>): void {
    super.write(root, id, entry, charges, revision, now)
    const models = this.#models.get(root) ?? new Map<string, string>()
    this.#models.set(root, models)
    if (!models.has(id)) models.set(id, entry.model)
    Object.defineProperty(root.entries.get(id)!, "index", { value: models.get(id), enumerable: false })
  }

  protected override passes(entry: StoredEntry, filter: UsageFilter): boolean {
    const { model, ...rest } = filter
    const index = (entry as unknown as { index?: string }).index ?? entry.model
    return (model === undefined || index === model) && super.passes(entry, rest)
  }
}

class EntriesMerged extends ModelLedger {
  override write(...[root, id, entry, charges, revision, now]: Parameters<ModelLedger["write"]>): void {
    super.write(root, id, { ...root.entries.get(id), ...entry }, charges, revision, now)
  }
}

class PrunesOneStep extends ModelLedger {
  override async prune(request: { root: string; before: number }) {
    const old = this.sorted(request.root, { to: request.before }).slice(0, 1_000)
    for (const entry of old) this.root(request.root).entries.delete(entry.id)
    return { removed: old.length }
  }
}

class PrunesByPrefix extends ModelStore {
  protected override createLedger(retentionMs: number): ModelLedger {
    const state = this.state
    class Ledger extends ModelLedger {
      override async prune(request: { root: string; before: number }) {
        for (const name of state.keys()) {
          if (name !== request.root && name.startsWith(request.root)) await super.prune({ ...request, root: name })
        }
        return super.prune(request)
      }
    }
    return new Ledger((name) => this.root(name), this.now, retentionMs)
  }
}

class NewestIgnoresTheRange extends ModelLedger {
  override async list(request: Parameters<UsageLedger["list"]>[0]) {
    if (request.order !== "newest") return super.list(request)
    const { from: _from, to: _to, ...filter } = request.filter
    return super.list({ ...request, filter })
  }
}

class TotalsIgnoreTags extends ModelLedger {
  override async totals(request: Parameters<UsageLedger["totals"]>[0]) {
    const { tag: _tag, ...filter } = request.filter
    return super.totals({ ...request, filter })
  }
}

class TotalsIgnoreClients extends ModelLedger {
  override async totals(request: Parameters<UsageLedger["totals"]>[0]) {
    const { clientId: _client, provider: _provider, ...filter } = request.filter
    return super.totals({ ...request, filter })
  }
}

class RequestsAreAttempts extends ModelLedger {
  protected override totalsOf(group: UsageTotals["group"], entries: readonly StoredEntry[]): UsageTotals {
    const row = super.totalsOf(group, entries)
    return group.length === 0 ? row : { ...row, requests: row.attempts }
  }
}

class FiltersWithoutCase extends ModelLedger {
  protected override passes(entry: StoredEntry, filter: UsageFilter): boolean {
    const { clientId, ...rest } = filter
    const same = clientId === undefined || entry.clientId?.toLowerCase() === clientId.toLowerCase()
    return same && super.passes(entry, rest)
  }
}

class TextsNormalised extends ModelLedger {
  protected override passes(entry: StoredEntry, filter: UsageFilter): boolean {
    const { userId, ...rest } = filter
    const same = userId === undefined || entry.userId?.normalize() === userId.normalize()
    return same && super.passes(entry, rest)
  }
}

class RequestsWithoutCase extends ModelLedger {
  protected override passes(entry: StoredEntry, filter: UsageFilter): boolean {
    const { requestId, ...rest } = filter
    const same = requestId === undefined || entry.requestId.toLowerCase() === requestId.toLowerCase()
    return same && super.passes(entry, rest)
  }
}

class TrailingSpacesIgnored extends ModelLedger {
  protected override passes(entry: StoredEntry, filter: UsageFilter): boolean {
    const { userId, ...rest } = filter
    return (userId === undefined || entry.userId?.trimEnd() === userId.trimEnd()) && super.passes(entry, rest)
  }
}

class TextsCutAt255 extends ModelLedger {
  protected override passes(entry: StoredEntry, filter: UsageFilter): boolean {
    const { userId, ...rest } = filter
    return (userId === undefined || entry.userId?.slice(0, 255) === userId.slice(0, 255)) && super.passes(entry, rest)
  }
}

class PromptsCutAt65535 extends ModelLedger {
  override write(...[root, id, entry, charges, revision, now]: Parameters<ModelLedger["write"]>): void {
    const cut = entry.prompt === undefined ? entry : { ...entry, prompt: entry.prompt.slice(0, 65_535) }
    super.write(root, id, cut, charges, revision, now)
  }
}

class RefusalStaysUnderItsId extends ModelLedger {
  override write(...[root, id, entry, charges, revision, now]: Parameters<ModelLedger["write"]>): void {
    if (root.entries.get(id)?.status !== "refused") super.write(root, id, entry, charges, revision, now)
  }
}

class AnyCursor extends ModelLedger {
  override async list(request: Parameters<UsageLedger["list"]>[0]) {
    const known = request.cursor === undefined || /^\d+\//.test(request.cursor)
    return super.list(known ? request : { ...request, cursor: undefined })
  }
}

class KeepsTheCallersEntry extends ModelLedger {
  override write(...[root, id, entry, charges, revision, now]: Parameters<ModelLedger["write"]>): void {
    super.write(root, id, entry, charges, revision, now)
    const stored = root.entries.get(id)!
    stored.tokens = entry.tokens
    stored.tags = entry.tags
  }
}

class ListsItsOwnEntries extends ModelLedger {
  override async list(request: Parameters<UsageLedger["list"]>[0]) {
    const answer = await super.list(request)
    const { entries } = this.root(request.root)
    return { ...answer, entries: answer.entries.map((entry) => entries.get(entry.id)!) }
  }
}

class ExpiredAtTheEndOfTheLease extends ModelLedger {
  override writeExpired(...[root, id, record, charged]: Parameters<ModelLedger["writeExpired"]>): void {
    super.writeExpired(root, id, record, charged, record.leaseEnd)
  }
}

class FloatSumsBeyond extends ModelLedger {
  protected override totalsOf(group: UsageTotals["group"], entries: readonly StoredEntry[]): UsageTotals {
    const row = super.totalsOf(group, entries)
    return { ...row, differenceNanoUsd: Math.fround(row.differenceNanoUsd) }
  }
}

/** Faults that only show when calls meet, names and numbers reach their ends, or a truth comes last that was not the first. */
export const subtlePlants: Plant[] = [
  { name: "a lock on the first cell alone", Store: LocksTheFirstCell, caughtBy: ["in three scopes at once"] },
  {
    name: "an adjustment that writes back what was reserved",
    Store: AdjustWritesBackWhatWasReserved,
    caughtBy: ["corrections, grants and resets among"],
  },
  {
    name: "a reset that races a reserve",
    Store: ResetWritesBackWhatWasReserved,
    caughtBy: ["corrections, grants and resets among"],
  },
  {
    name: "an extend that writes back the reservation",
    Store: ExtendWritesBackTheRecord,
    caughtBy: ["an extend that meets a settle"],
  },
  {
    name: "a sweep that ends what was settled meanwhile",
    Store: SweepExpiresWhatWasSettledMeanwhile,
    caughtBy: ["a settle that meets the sweep"],
  },
  {
    name: "a settle that resolves what it read before the sweep",
    Store: SettleResolvesWhatItRead,
    caughtBy: ["a settle that meets the sweep"],
  },
  {
    name: "locks taken in another order by settle than by reserve",
    Store: DeadlocksOnOppositeOrders,
    caughtBy: ["reserves and settles of the same cells in opposite orders"],
  },
  {
    name: "a copy that is taken after the first wait",
    Store: CopiesTooLate,
    caughtBy: ["a store copies what it is given before it waits", "a ledger keeps copies"],
  },
  { name: "expiry in 32 bits", Store: ExpiryIn32Bits, caughtBy: ["large amounts keep every digit through expiry"] },
  {
    name: "charges of an id in single precision",
    Store: ChargedIn32Bits,
    caughtBy: ["large amounts keep every digit through expiry"],
  },
  {
    name: "what an adjustment applied in single precision",
    Store: AppliedInFloats,
    caughtBy: ["what an adjustment applied is told"],
  },
  { name: "an idle time in 32 bits", Store: KeepsFor32Bits, caughtBy: ["an idle cell is kept as long as it was told"] },
  { name: "grants without a sign", Store: UnsignedGrants, caughtBy: ["more may be taken back than was granted"] },
  {
    name: "applied said as asked, not as done",
    Store: AppliesMoreThanItDid,
    caughtBy: ["what an adjustment applied is told"],
  },
  {
    name: "counts beyond the last number",
    Store: WrapsWhatIsCharged,
    caughtBy: ["what is spent stays a safe integer"],
  },
  { name: "keys cut at 191 bytes", Store: KeysCutAt191, caughtBy: ["names of full length that differ"] },
  { name: "ids cut at 63 bytes", Store: IdsCutAt63, caughtBy: ["names of full length that differ"] },
  { name: "roots cut at 63 bytes", Store: RootsCutAt63, caughtBy: ["names of full length that differ"] },
  { name: "ids without case", Store: IdsWithoutCase, caughtBy: ["names that look alike are different ids"] },
  { name: "fingerprints without case", Store: FingerprintsWithoutCase, caughtBy: ["fingerprints that differ in case"] },
  {
    name: "fingerprints cut at 64 characters",
    Store: FingerprintsCutAt64,
    caughtBy: ["fingerprints that differ in case"],
  },
  { name: "a sweep of every root", Store: SweepsEveryRoot, caughtBy: ["leases end in their own root"] },
  { name: "leases of every root counted as due", Store: DueInEveryRoot, caughtBy: ["leases end in their own root"] },
  {
    name: "one table of adjustments for every root",
    Store: AdjustmentsOfEveryRoot,
    caughtBy: ["leases end in their own root"],
  },
  {
    name: "an expiry that a replay does not tell",
    Store: ReplayTellsNoExpiry,
    caughtBy: ["state held, lease past: reserve"],
  },
  {
    name: "an expiry that passes no threshold",
    Store: ExpiryPassesNoThreshold,
    caughtBy: ["state held, lease past: a reserve by others"],
  },
  {
    name: "a correction that passes no threshold",
    Store: CorrectionPassesNoThreshold,
    caughtBy: ["a correction moves spent up and down"],
  },
  {
    name: "a reset that forgets the peak before it",
    Store: ResetForgetsThePeak,
    caughtBy: ["a reset makes spent and peak zero"],
  },
  {
    name: "a late commit that passes no threshold",
    Store: LateCommitPassesNoThreshold,
    caughtBy: ["state expired: commit of more than was charged"],
  },
  {
    name: "a recovered commit that passes no threshold",
    Store: RecoveredPassesNoThreshold,
    caughtBy: ["state none: commit of an id that was never reserved"],
  },
  {
    name: "an id forgotten by its first lease, though it was extended",
    Store: ForgetsByTheFirstLease,
    caughtBy: ["an id whose lease was extended"],
  },
  {
    name: "a recovered id forgotten before its lease would have ended",
    Store: ForgetsTheRecoveredEarly,
    caughtBy: ["a lost id that was recovered"],
  },
  { name: "a tombstone of one second", Store: ShortTombstone, caughtBy: ["a release of an unknown id is remembered"] },
  {
    name: "an adjustment whose window is checked before its id",
    Store: AdjustChecksTheWindowFirst,
    caughtBy: ["an adjustment sent again after its window"],
  },
  {
    name: "a lost id dropped when its window has closed",
    Store: RecoversOpenWindowsOnly,
    caughtBy: ["a commit of a lost id is charged in its window"],
  },
  {
    name: "a window that ends with its last moment included",
    Store: WindowsEndLate,
    caughtBy: ["a window is open from its start"],
  },
  {
    name: "a grant applied on every retry",
    Store: GrantsOnEveryRetry,
    caughtBy: ["an adjustment sent again applies once"],
  },
  { name: "a reservation that needs a cell", Store: NeedsACell, caughtBy: ["a reservation without cells"] },
  {
    name: "extends that a restart forgets",
    Store: ExtendsInMemory,
    caughtBy: ["a restart keeps what an extend moved"],
  },
  {
    name: "revisions that a restart forgets",
    Store: RevisionsInMemory,
    caughtBy: ["a restart keeps what an extend moved"],
  },
  {
    name: "drafts that a restart forgets",
    Store: DraftsInMemory,
    caughtBy: ["a lease that ran out while the store was closed becomes"],
  },
  { name: "an entry written after the money", Store: EntryAfterwards, caughtBy: ["money and entry are one step"] },
  { name: "an entry written before the money", Store: EntryBefore, caughtBy: ["money and entry are one step"] },
  {
    name: "an entry checked after the money",
    Store: EntryCheckedAfterTheMoney,
    caughtBy: ["a settle whose entry is a mistake"],
  },
  {
    name: "a commit without an entry that leaves old charges",
    Store: CommitLeavesOldCharges,
    caughtBy: ["a settle without an entry"],
  },
  {
    name: "totals of the first truth",
    Store: withLedger(TotalsOfTheFirstTruth),
    caughtBy: ["totals follow the last truth"],
  },
  {
    name: "an index of the first truth",
    Store: withLedger(IndexOfTheFirstTruth),
    caughtBy: ["a later truth replaces the whole entry"],
  },
  {
    name: "a later truth merged into the first",
    Store: withLedger(EntriesMerged),
    caughtBy: ["a later truth replaces the whole entry"],
  },
  {
    name: "a prune that stops after one step",
    Store: withLedger(PrunesOneStep),
    caughtBy: ["ten thousand entries in order"],
  },
  {
    name: "a prune of every root whose name begins alike",
    Store: PrunesByPrefix,
    caughtBy: ["roots have ledgers of their own"],
  },
  {
    name: "newest first, whatever the range",
    Store: withLedger(NewestIgnoresTheRange),
    caughtBy: ["filters hold for totals as for pages"],
  },
  {
    name: "totals that ignore the tag",
    Store: withLedger(TotalsIgnoreTags),
    caughtBy: ["filters hold for totals as for pages"],
  },
  {
    name: "totals that ignore client and provider",
    Store: withLedger(TotalsIgnoreClients),
    caughtBy: ["filters hold for totals as for pages"],
  },
  {
    name: "requests counted as attempts",
    Store: withLedger(RequestsAreAttempts),
    caughtBy: ["a request of several attempts"],
  },
  { name: "clients without case", Store: withLedger(FiltersWithoutCase), caughtBy: ["hostile text in an entry"] },
  { name: "texts normalised", Store: withLedger(TextsNormalised), caughtBy: ["hostile text in an entry"] },
  {
    name: "request ids without case",
    Store: withLedger(RequestsWithoutCase),
    caughtBy: ["request ids that differ in case"],
  },
  {
    name: "spaces at the end ignored",
    Store: withLedger(TrailingSpacesIgnored),
    caughtBy: ["hostile text in an entry"],
  },
  {
    name: "texts compared to 255 characters",
    Store: withLedger(TextsCutAt255),
    caughtBy: ["hostile text in an entry"],
  },
  {
    name: "prompts cut at 65,535 characters",
    Store: withLedger(PromptsCutAt65535),
    caughtBy: ["64 KiB of prompt and answer"],
  },
  {
    name: "a refusal that stays under the id of an attempt",
    Store: withLedger(RefusalStaysUnderItsId),
    caughtBy: ["a refusal that was recorded gives way"],
  },
  {
    name: "a cursor that makes no sense taken for the beginning",
    Store: withLedger(AnyCursor),
    caughtBy: ["a cursor or a limit that makes no sense"],
  },
  { name: "the caller's entry kept", Store: withLedger(KeepsTheCallersEntry), caughtBy: ["a ledger keeps copies"] },
  {
    name: "the ledger's own entries given away",
    Store: withLedger(ListsItsOwnEntries),
    caughtBy: ["a ledger keeps copies"],
  },
  {
    name: "an expiry dated to the end of the lease",
    Store: withLedger(ExpiredAtTheEndOfTheLease),
    caughtBy: ["an expired lease becomes an entry"],
  },
  { name: "sums in single precision", Store: withLedger(FloatSumsBeyond), caughtBy: ["sums that no number holds"] },
  {
    name: "a refusal that rolls back what it ended",
    Store: RollsBackARefusal,
    caughtBy: ["a refusal and a stale window"],
  },
  { name: "an extend in every root", Store: ExtendsInEveryRoot, caughtBy: ["leases end in their own root"] },
  { name: "a settle in every root", Store: SettlesInEveryRoot, caughtBy: ["leases end in their own root"] },
  { name: "an own expiry without its entry", Store: OwnExpiryWithoutEntry, caughtBy: ["an expiry writes its entry"] },
  { name: "a release that writes its draft", Store: ReleaseWritesItsDraft, caughtBy: ["a draft alone is no entry"] },
  { name: "requests of every root", Store: RequestsOfEveryRoot, caughtBy: ["roots have ledgers of their own"] },
]
