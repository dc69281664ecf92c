import { InvalidArgumentError } from "@p2/core"
import type { StoredEntry, UsageEntry, UsageFilter, UsageGroup, UsageLedger, UsageTotals } from "../ledger"
import type { Millis, Name } from "../store"
import { canonical } from "./expect"
import { checkEntry, checkRoot, checkRootAndId } from "./model-checks"
import type { ModelRecord, ModelRoot } from "./model-state"

type Requested<Member extends keyof UsageLedger> = Parameters<UsageLedger[Member]>[0]

/** The ledger's part of the contract, by filtering and sorting everything each time. */
export class ModelLedger implements UsageLedger {
  constructor(
    protected readonly root: (name: Name) => ModelRoot,
    protected readonly now: () => Millis,
    /** How long an entry is kept; Infinity: until it is pruned. */
    protected readonly retentionMs: number,
  ) {}

  async record(request: Requested<"record">): Promise<{ now: Millis }> {
    checkRootAndId(request)
    checkEntry(request.entry)
    const now = this.now()
    const root = this.root(request.root)
    if (!root.entries.has(request.id)) this.write(root, request.id, request.entry, {}, 0, now)
    return { now }
  }

  async get(request: Requested<"get">): Promise<StoredEntry[]> {
    const attempts = this.sorted(request.root, { requestId: request.requestId })
    return structuredClone(attempts.sort((a, b) => a.attempt - b.attempt))
  }

  async list(request: Requested<"list">): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }> {
    if (!Number.isSafeInteger(request.limit) || request.limit < 1) {
      throw new InvalidArgumentError("limit", "a safe integer of at least 1", request.limit)
    }
    if (request.cursor !== undefined && !/^\d+\/[A-Za-z0-9_.:|=-]+$/.test(request.cursor)) {
      throw new InvalidArgumentError("cursor", "one that `list` answered", request.cursor)
    }
    const newest = request.order === "newest"
    const sorted = this.sorted(request.root, request.filter)
    if (newest) sorted.reverse()
    const rest = this.after(sorted, request.cursor, newest)
    const entries = structuredClone(rest.slice(0, request.limit))
    const last = entries.at(-1)
    const cursor = last !== undefined && rest.length > entries.length ? `${last.at}/${last.id}` : null
    return { entries, cursor, dropped: 0 }
  }

  async totals(request: Requested<"totals">): Promise<UsageTotals[]> {
    const groups = new Map<string, { group: UsageTotals["group"]; entries: StoredEntry[] }>()
    const buckets = request.buckets ?? []
    for (const entry of this.sorted(request.root, request.filter)) {
      const bucket = buckets.findIndex((start, index) => start <= entry.at && entry.at < (buckets[index + 1] ?? start))
      if (request.groupBy.includes("bucket") && bucket === -1) continue
      const group = request.groupBy.map((by) => this.groupValue(entry, by, buckets[bucket]))
      const key = canonical(group)
      if (!groups.has(key)) groups.set(key, { group, entries: [] })
      groups.get(key)!.entries.push(entry)
    }
    return [...groups.values()].map(({ group, entries }) => this.totalsOf(group, entries))
  }

  async prune(request: Requested<"prune">): Promise<{ removed: number }> {
    checkRoot(request.root)
    // Fails when the state cannot be reached.
    this.now()
    const root = this.root(request.root)
    const old = [...root.entries.values()].filter((entry) => entry.at < request.before)
    for (const entry of old) root.entries.delete(entry.id)
    return { removed: old.length }
  }

  /** Writes or overwrites the entry of an id; the time of the first write stays. */
  write(
    root: ModelRoot,
    id: Name,
    entry: UsageEntry,
    charges: Record<Name, number>,
    revision: number,
    now: Millis,
  ): void {
    const at = root.entries.get(id)?.at ?? now
    root.entries.set(id, { ...structuredClone(entry), id, at, revision, charges })
  }

  /** The draft of a lease that ran out becomes its entry. */
  writeExpired(root: ModelRoot, id: Name, record: ModelRecord, charged: readonly number[], now: Millis): void {
    if (record.draft === undefined) return
    const charges = Object.fromEntries(record.cells.map((cell, index) => [cell.key, charged[index]!]))
    const { expireCostNanoUsd: costNanoUsd = record.draft.reservedNanoUsd, ...attempt } = record.draft
    const costSource = record.draft.expireCostNanoUsd === 0 ? "none" : "bound"
    this.write(root, id, { ...attempt, status: "expired", tokens: {}, costNanoUsd, costSource }, charges, 0, now)
  }

  /** What a settle without an entry makes of an entry that is there, so that the sums still agree. */
  correction(root: ModelRoot, id: Name, outcome: "commit" | "release"): UsageEntry | undefined {
    const entry = root.entries.get(id)
    if (entry === undefined || outcome === "commit") return entry
    return { ...entry, status: "released", costNanoUsd: 0, costSource: "none" }
  }

  protected sorted(root: Name, filter: UsageFilter): StoredEntry[] {
    checkRoot(root)
    const now = this.now()
    return [...this.root(root).entries.values()]
      .filter((entry) => entry.at + this.retentionMs > now && this.passes(entry, filter))
      .sort(byTimeAndId)
  }

  protected after(sorted: StoredEntry[], cursor: string | undefined, newest: boolean): StoredEntry[] {
    if (cursor === undefined) return sorted
    const slash = cursor.indexOf("/")
    const last = { at: Number(cursor.slice(0, slash)), id: cursor.slice(slash + 1) }
    return sorted.filter((entry) => (newest ? byTimeAndId(entry, last) < 0 : byTimeAndId(entry, last) > 0))
  }

  protected passes(entry: StoredEntry, filter: UsageFilter): boolean {
    const same = (field: "requestId" | "clientId" | "userId" | "model" | "provider" | "status") =>
      filter[field] === undefined || entry[field] === filter[field]
    return (
      (filter.from === undefined || entry.at >= filter.from) &&
      (filter.to === undefined || entry.at < filter.to) &&
      (["requestId", "clientId", "userId", "model", "provider", "status"] as const).every(same) &&
      (filter.tag === undefined || tagOf(entry, filter.tag.name) === filter.tag.value)
    )
  }

  protected groupValue(entry: StoredEntry, by: UsageGroup, bucket: Millis | undefined): string | number | null {
    if (by === "bucket") return bucket ?? null
    if (typeof by === "object") return tagOf(entry, by.tag)
    return entry[by] ?? null
  }

  protected totalsOf(group: UsageTotals["group"], entries: readonly StoredEntry[]): UsageTotals {
    const count = (status: string) => entries.filter((entry) => entry.status === status).length
    const sum = (of: (entry: StoredEntry) => number) => exactSum(entries.map(of))
    const kinds = new Set(entries.flatMap((entry) => Object.keys(entry.tokens)))
    const tokens = Object.fromEntries([...kinds].map((kind) => [kind, sum((entry) => entry.tokens[kind] ?? 0)]))
    return {
      group,
      requests: new Set(entries.map((entry) => entry.requestId)).size,
      attempts: entries.length,
      succeeded: count("succeeded"),
      failed: count("failed"),
      refused: count("refused"),
      expired: count("expired"),
      tokens,
      costNanoUsd: sum((entry) => entry.costNanoUsd),
      failedCostNanoUsd: sum((entry) => (entry.status === "succeeded" ? 0 : entry.costNanoUsd)),
      reservedNanoUsd: sum((entry) => entry.reservedNanoUsd),
      differenceNanoUsd: sum((entry) => entry.costNanoUsd - (entry.tableCostNanoUsd ?? entry.costNanoUsd)),
    }
  }
}

/** Where no number holds the sum, it stops at the last one. */
function exactSum(numbers: readonly number[]): number {
  const sum = numbers.reduce((total, number) => total + BigInt(number), 0n)
  const most = BigInt(Number.MAX_SAFE_INTEGER)
  return Number(sum > most ? most : sum < -most ? -most : sum)
}

function byTimeAndId(a: { at: Millis; id: Name }, b: { at: Millis; id: Name }): number {
  return a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

function tagOf(entry: StoredEntry, name: string): string | null {
  return entry.tags !== undefined && Object.hasOwn(entry.tags, name) ? entry.tags[name]! : null
}
