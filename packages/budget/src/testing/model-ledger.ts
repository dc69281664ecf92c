import { InvalidArgumentError } from "@p2/core"
import type { Millis, Name } from "../store/shape"
import type { StoredEntry, UsageEntry, UsageFilter } from "../usage/entry"
import type { UsageGroup, UsageLedger, UsageTotals } from "../usage/ledger"
import { canonical } from "./expect"
import type { ModelPartition } from "./model-state"

type RequestOf<Member extends keyof UsageLedger> = Parameters<UsageLedger[Member]>[0]

/** The settle or the expiry that wrote an entry. */
export interface EntryOrigin {
  state: StoredEntry["state"]
  revision: number
  charges: Record<Name, number>
}

/** The ledger of the model: filters and sorts every entry in each call. */
export class ModelLedger implements UsageLedger {
  constructor(
    readonly partition: (name: Name) => ModelPartition,
    readonly now: (partition: Name) => Millis,
    /** How long an entry is kept; Infinity: until it is pruned. */
    readonly retentionMs: number,
  ) {}

  async record(request: RequestOf<"record">): Promise<{ now: Millis }> {
    const now = this.now(request.partition)
    const partition = this.partition(request.partition)
    const entry = this.entryAt(partition, request.key, now)
    if (entry === undefined) {
      this.write(partition, request.key, request.entry, { state: "recorded", revision: 0, charges: {} }, now)
    } else if (entry.state === "recorded") {
      entry.count = this.countAfter(entry.count ?? 1, request.entry.count ?? 1)
    }
    return { now }
  }

  async get(request: RequestOf<"get">): Promise<StoredEntry[]> {
    const attempts = this.sorted(request.partition, { requestId: request.requestId })
    return structuredClone(attempts.sort((a, b) => a.attempt - b.attempt))
  }

  async list(request: RequestOf<"list">): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }> {
    const sorted = this.sorted(request.partition, request.filter)
    if (request.newestFirst) sorted.reverse()
    const rest = this.after(sorted, request.cursor, request.newestFirst)
    const entries = structuredClone(rest.slice(0, request.limit))
    const last = entries.at(-1)
    const cursor = last !== undefined && rest.length > entries.length ? `${last.at}~${last.idempotencyKey}` : null
    return { entries, cursor, dropped: 0 }
  }

  async totals(request: RequestOf<"totals">): Promise<UsageTotals[]> {
    const groups = new Map<string, { group: UsageTotals["group"]; entries: StoredEntry[] }>()
    const buckets = request.buckets ?? []
    for (const entry of this.sorted(request.partition, request.filter)) {
      if (entry.status === "audit") continue
      const bucket = buckets.findIndex((start, index) => start <= entry.at && entry.at < (buckets[index + 1] ?? start))
      if (request.buckets !== null && bucket === -1) continue
      const group = request.groupBy.map((by) => this.groupValue(entry, by, buckets[bucket]))
      const key = canonical(group)
      if (!groups.has(key)) groups.set(key, { group, entries: [] })
      groups.get(key)!.entries.push(entry)
    }
    return [...groups.values()].map(({ group, entries }) => this.totalsOf(group, entries))
  }

  async prune(request: RequestOf<"prune">): Promise<{ removed: number }> {
    this.now(request.partition)
    const partition = this.partition(request.partition)
    const old = [...partition.entries.values()].filter((entry) => entry.at < request.before)
    for (const entry of old) partition.entries.delete(entry.idempotencyKey)
    return { removed: old.length }
  }

  /** Writes or overwrites the entry of a key; the time of the first write stays. */
  write(partition: ModelPartition, key: Name, entry: UsageEntry, origin: EntryOrigin, now: Millis): void {
    const at = this.entryAt(partition, key, now)?.at ?? now
    partition.entries.set(key, { ...structuredClone(entry), idempotencyKey: key, at, ...origin })
  }

  /** The entry of a key, unless it is older than the ledger keeps. */
  entryAt(partition: ModelPartition, key: Name, now: Millis): StoredEntry | undefined {
    const entry = partition.entries.get(key)
    return entry === undefined || entry.at + this.retentionMs <= now ? undefined : entry
  }

  countAfter(count: number, more: number): number {
    return Math.min(Number.MAX_SAFE_INTEGER, count + more)
  }

  sorted(name: Name, filter: UsageFilter): StoredEntry[] {
    const now = this.now(name)
    const partition = this.partition(name)
    return [...partition.entries.keys()]
      .flatMap((key) => this.entryAt(partition, key, now) ?? [])
      .filter((entry) => this.matches(entry, filter))
      .sort(byTimeAndKey)
  }

  after(sorted: StoredEntry[], cursor: string | null, newestFirst: boolean): StoredEntry[] {
    if (cursor === null) return sorted
    const [, at, idempotencyKey] = /^(\d+)~(.+)$/.exec(cursor) ?? []
    if (idempotencyKey === undefined) throw new InvalidArgumentError("cursor", "one that `list` returned", cursor)
    const last = { at: Number(at), idempotencyKey }
    return sorted.filter((entry) => (newestFirst ? byTimeAndKey(entry, last) < 0 : byTimeAndKey(entry, last) > 0))
  }

  matches(entry: StoredEntry, filter: UsageFilter): boolean {
    const same = (field: "requestId" | "clientId" | "userId" | "model" | "provider" | "status") =>
      filter[field] === undefined || entry[field] === filter[field]
    return (
      (filter.from === undefined || entry.at >= filter.from) &&
      (filter.to === undefined || entry.at < filter.to) &&
      (["requestId", "clientId", "userId", "model", "provider", "status"] as const).every(same) &&
      (filter.tag === undefined || tagOf(entry, filter.tag.name) === filter.tag.value)
    )
  }

  groupValue(entry: StoredEntry, by: UsageGroup, bucket: Millis | undefined): string | number | null {
    if (by === "bucket") return bucket ?? null
    if (typeof by === "object") return tagOf(entry, by.tag)
    return entry[by] ?? null
  }

  totalsOf(group: UsageTotals["group"], entries: readonly StoredEntry[]): UsageTotals {
    const timesOf = (entry: StoredEntry) => (entry.status === "denied" ? (entry.count ?? 1) : 1)
    const sum = (of: (entry: StoredEntry) => number) => exactSum(entries.map(of))
    const count = (status: string) => sum((entry) => (entry.status === status ? timesOf(entry) : 0))
    const kinds = new Set(entries.flatMap((entry) => Object.keys(entry.tokens)))
    return {
      group,
      requests: new Set(entries.map((entry) => entry.requestId)).size + sum((entry) => timesOf(entry) - 1),
      attempts: sum(timesOf),
      succeeded: count("succeeded"),
      failed: count("failed"),
      denied: count("denied"),
      expired: count("expired"),
      released: count("released"),
      tokens: Object.fromEntries([...kinds].map((kind) => [kind, sum((entry) => entry.tokens[kind] ?? 0)])),
      costNanoUsd: sum((entry) => entry.costNanoUsd),
      failedCostNanoUsd: sum((entry) => (entry.status === "succeeded" ? 0 : entry.costNanoUsd)),
      inDoubt: sum((entry) => (entry.inDoubt ? 1 : 0)),
      inDoubtNanoUsd: sum((entry) => (entry.inDoubt ? entry.costNanoUsd : 0)),
      reservedNanoUsd: sum((entry) => entry.reservedNanoUsd),
      differenceNanoUsd: sum((entry) => entry.costNanoUsd - (entry.tableCostNanoUsd ?? entry.costNanoUsd)),
    }
  }
}

/** Sums saturate at ±(2^53 − 1). */
function exactSum(numbers: readonly number[]): number {
  const sum = numbers.reduce((total, number) => total + BigInt(number), 0n)
  const most = BigInt(Number.MAX_SAFE_INTEGER)
  return Number(sum > most ? most : sum < -most ? -most : sum)
}

type Place = Pick<StoredEntry, "at" | "idempotencyKey">

function byTimeAndKey(a: Place, b: Place): number {
  return a.at - b.at || (a.idempotencyKey < b.idempotencyKey ? -1 : a.idempotencyKey > b.idempotencyKey ? 1 : 0)
}

function tagOf(entry: StoredEntry, name: string): string | null {
  return entry.tags !== undefined && Object.hasOwn(entry.tags, name) ? entry.tags[name]! : null
}
