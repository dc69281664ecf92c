import { InvalidArgumentError } from "@p2/core"
import type { StoredEntry, UsageDraft, UsageEntry, UsageFilter, UsageLedger, UsageTotals } from "../ledger"
import { hasFields, isWithin, UsageFold } from "../ledger-fold"
import type { Millis, Name } from "../store"
import {
  checkListRequest,
  checkName,
  checkPruneRequest,
  checkRecordRequest,
  checkTotalsRequest,
  compareEntries,
  MAX_ID_BYTES,
} from "../store-checks"

type Requested<Member extends keyof UsageLedger> = Parameters<UsageLedger[Member]>[0]

/** What each cell was charged: a key, its amount, the next key … An object would have a shape of its own for each user. */
export type Charges = readonly (Name | number)[]

interface Slot {
  readonly id: Name
  readonly at: Millis
  revision: number
  entry: UsageEntry
  charges: Charges
  root: RootEntries
  gone: boolean
}

class RootEntries {
  readonly byId = new Map<Name, Slot>()
  /** In order of (at, id) unless `sorted` is false; slots that are gone stay until the next clean-up. */
  order: Slot[] = []
  sorted = true
  gone = 0
  dropped = 0
}

/** The usage ledger in memory: bounded, and it says how many entries it dropped. */
export class MemoryLedger implements UsageLedger {
  readonly #roots = new Map<Name, RootEntries>()
  readonly #now: () => Millis
  readonly #maxEntries: number
  readonly #maxContentChars: number
  /** Slots of all roots, oldest first, from `#head` on. */
  #queue: Slot[] = []
  #head = 0
  #size = 0
  #contentChars = 0

  constructor(now: () => Millis, maxEntries: number, maxContentChars: number) {
    this.#now = now
    this.#maxEntries = maxEntries
    this.#maxContentChars = maxContentChars
  }

  get size(): number {
    return this.#size
  }

  async record(request: Requested<"record">): Promise<{ now: Millis }> {
    checkRecordRequest(request)
    const now = this.#now()
    if (!this.#roots.get(request.root)?.byId.has(request.id))
      this.write(request.root, request.id, request.entry, [], 0, now)
    return { now }
  }

  async get(request: Requested<"get">): Promise<StoredEntry[]> {
    checkName("root", request.root, MAX_ID_BYTES)
    const { requestId } = request
    const found = this.#live(request.root).filter((slot) => slot.entry.requestId === requestId)
    return found.map(copyOf).sort((a, b) => a.attempt - b.attempt)
  }

  async list(request: Requested<"list">): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }> {
    checkListRequest(request)
    const live = this.#live(request.root)
    const newest = request.order === "newest"
    const step = newest ? -1 : 1
    const last = request.cursor === undefined ? undefined : readCursor(request.cursor)
    const start = last === undefined ? (newest ? live.length - 1 : 0) : this.#startAfter(live, last, newest)
    const entries: StoredEntry[] = []
    let cursor: string | null = null
    for (let index = start; index >= 0 && index < live.length; index += step) {
      const slot = live[index]!
      if (!matches(slot, request.filter)) continue
      if (entries.length === request.limit) {
        const end = entries.at(-1)!
        cursor = `${end.at}/${end.id}`
        break
      }
      entries.push(copyOf(slot))
    }
    return { entries, cursor, dropped: this.#roots.get(request.root)?.dropped ?? 0 }
  }

  async totals(request: Requested<"totals">): Promise<UsageTotals[]> {
    checkTotalsRequest(request)
    const fold = new UsageFold(request)
    for (const slot of this.#live(request.root)) if (matches(slot, request.filter)) fold.addAt(slot.at, slot.entry)
    return fold.totals()
  }

  async prune(request: Requested<"prune">): Promise<{ removed: number }> {
    checkPruneRequest(request)
    const old = this.#live(request.root).filter((slot) => slot.at < request.before)
    for (const slot of old) this.#remove(slot)
    return { removed: old.length }
  }

  /** Writes or overwrites the entry of an id; the time of the first write stays. The store has checked it. */
  write(rootName: Name, id: Name, entry: UsageEntry, charges: Charges, revision: number, now: Millis): void {
    const root = this.#rootOf(rootName)
    const known = root.byId.get(id)
    const stored = { ...entry }
    stored.tokens = { ...entry.tokens }
    if (entry.tags !== undefined) stored.tags = { ...entry.tags }
    if (entry.costs !== undefined) stored.costs = { ...entry.costs }
    this.#contentChars += contentChars(stored) - (known === undefined ? 0 : contentChars(known.entry))
    if (known === undefined) this.#append(root, { id, at: now, revision, entry: stored, charges, root, gone: false })
    else Object.assign(known, { revision, entry: stored, charges })
    while (this.#size > this.#maxEntries || (this.#contentChars > this.#maxContentChars && this.#size > 1))
      this.#dropOldest()
  }

  /** The draft of a lease that ran out becomes its entry. */
  writeExpired(root: Name, id: Name, draft: UsageDraft, charges: Charges, now: Millis): void {
    const { expireCostNanoUsd: costNanoUsd = draft.reservedNanoUsd, ...attempt } = draft
    const costSource = draft.expireCostNanoUsd === 0 ? "none" : "bound"
    this.write(root, id, { ...attempt, status: "expired", tokens: {}, costNanoUsd, costSource }, charges, 0, now)
  }

  /** What a settle without an entry makes of an entry that is there, so that the sums still agree. */
  correction(root: Name, id: Name, outcome: "commit" | "release"): UsageEntry | undefined {
    const entry = this.#roots.get(root)?.byId.get(id)?.entry
    if (entry === undefined || outcome === "commit") return entry
    return { ...entry, status: "released", costNanoUsd: 0, costSource: "none" }
  }

  #rootOf(name: Name): RootEntries {
    let root = this.#roots.get(name)
    if (root === undefined) {
      root = new RootEntries()
      this.#roots.set(name, root)
    }
    return root
  }

  #append(root: RootEntries, slot: Slot): void {
    const last = root.order.at(-1)
    if (last !== undefined && compareEntries(last, slot) > 0) root.sorted = false
    root.byId.set(slot.id, slot)
    root.order.push(slot)
    if (this.#queue.length > 2 * this.#size + 1_024) {
      this.#queue = this.#queue.slice(this.#head).filter((queued) => !queued.gone)
      this.#head = 0
    }
    this.#queue.push(slot)
    this.#size++
  }

  #dropOldest(): void {
    while (this.#head < this.#queue.length) {
      const slot = this.#queue[this.#head++]!
      if (this.#head > 1_024 && this.#head * 2 > this.#queue.length) {
        this.#queue = this.#queue.slice(this.#head)
        this.#head = 0
      }
      if (slot.gone) continue
      slot.root.dropped++
      this.#remove(slot)
      return
    }
  }

  #remove(slot: Slot): void {
    const { root } = slot
    slot.gone = true
    root.byId.delete(slot.id)
    root.gone++
    this.#size--
    this.#contentChars -= contentChars(slot.entry)
    if (root.gone > 1_024 && root.gone * 2 > root.order.length) this.#clean(root)
  }

  #clean(root: RootEntries): void {
    root.order = root.order.filter((slot) => !slot.gone)
    root.gone = 0
  }

  #live(name: Name): Slot[] {
    const root = this.#roots.get(name)
    if (root === undefined) return []
    if (root.gone > 0) this.#clean(root)
    if (!root.sorted) root.order.sort((a, b) => compareEntries(a, b))
    root.sorted = true
    return root.order
  }

  #startAfter(live: readonly Slot[], last: { at: Millis; id: Name }, newest: boolean): number {
    let [low, high] = [0, live.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = compareEntries(live[middle]!, last)
      if (order < 0 || (order === 0 && !newest)) low = middle + 1
      else high = middle
    }
    return newest ? low - 1 : low
  }
}

function readCursor(cursor: string): { at: Millis; id: Name } {
  const match = /^(\d{1,16})\/([A-Za-z0-9_.:|=-]{1,64})$/.exec(cursor)
  if (match === null) throw new InvalidArgumentError("cursor", "a cursor that `list` returned", cursor)
  return { at: Number(match[1]), id: match[2]! }
}

function contentChars(entry: UsageEntry): number {
  return (entry.prompt?.length ?? 0) + (entry.answer?.length ?? 0)
}

function matches({ at, entry }: Slot, filter: UsageFilter): boolean {
  return isWithin(at, filter) && hasFields(entry, filter)
}

function copyOf({ id, at, revision, entry, charges: charged }: Slot): StoredEntry {
  const pairs: [Name, number][] = []
  for (let index = 0; index < charged.length; index += 2)
    pairs.push([charged[index] as Name, charged[index + 1] as number])
  // Also for a key `__proto__`.
  const charges = Object.fromEntries(pairs)
  // No spread: it takes Node 20 microseconds to add a field to one.
  const copy = Object.assign({}, entry, { tokens: { ...entry.tokens }, id, at, revision, charges })
  if (entry.tags !== undefined) copy.tags = { ...entry.tags }
  if (entry.costs !== undefined) copy.costs = { ...entry.costs }
  return copy
}
