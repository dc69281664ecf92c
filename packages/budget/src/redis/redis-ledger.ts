import type { Millis, Name } from "../store/shape"
import type { Position } from "../store/storage"
import type { StoredEntry, UsageEntry, UsageFilter } from "../usage/entry"
import { UsageFold } from "../usage/fold"
import type { UsageLedger, UsageTotals } from "../usage/ledger"
import { compareAttempts, compareEntries, formatCursor, matchesFilter, parseCursor } from "../usage/query"
import type { RedisConnection, Script } from "./connection"
import { corrupt } from "./failure"
import { SCRIPTS } from "./generated/scripts"
import { PartitionKeys } from "./keys"
import type { RedisSettings } from "./settings"

type RequestOf<Member extends keyof UsageLedger> = Parameters<UsageLedger[Member]>[0]

/** How many entries one step of a scan reads. */
const PAGE = 200

/** Reads usage entries page by page. The scripts write them in the same step as the counters. */
export class RedisLedger implements UsageLedger {
  readonly #connection: RedisConnection
  readonly #settings: RedisSettings

  constructor(connection: RedisConnection, settings: RedisSettings) {
    this.#connection = connection
    this.#settings = settings
  }

  async record({ partition, key, entry }: RequestOf<"record">): Promise<{ now: Millis }> {
    const { ledgerRetentionMs, clock } = this.#settings
    const of = this.#keysOf(partition)
    const args = [clock(), key, ledgerRetentionMs, entry.count ?? 1, JSON.stringify(entry)]
    const [, now] = await this.#run(SCRIPTS.record, [of.entry(key), of.entries, of.time], args)
    return { now: Number(now) }
  }

  async get({ partition, requestId }: RequestOf<"get">): Promise<StoredEntry[]> {
    const attempts: StoredEntry[] = []
    for await (const entry of this.#scan(partition, { requestId }, false)) attempts.push(entry)
    return attempts.sort(compareAttempts)
  }

  async list(request: RequestOf<"list">): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }> {
    const { partition, filter, cursor, limit, newestFirst } = request
    const after = cursor === null ? undefined : parseCursor(cursor)
    const entries: StoredEntry[] = []
    for await (const entry of this.#scan(partition, filter, newestFirst, after)) {
      const last = entries.at(-1)
      if (last !== undefined && entries.length === limit) return { entries, cursor: formatCursor(last), dropped: 0 }
      entries.push(entry)
    }
    return { entries, cursor: null, dropped: 0 }
  }

  async totals({ partition, filter, groupBy, buckets }: RequestOf<"totals">): Promise<UsageTotals[]> {
    const fold = new UsageFold({ groupBy, buckets })
    for await (const entry of this.#scan(partition, filter, false)) fold.add(entry)
    return fold.totals()
  }

  async prune({ partition, before }: RequestOf<"prune">): Promise<{ removed: number }> {
    const of = this.#keysOf(partition)
    let removed = 0
    for (;;) {
      const old = await this.#page(partition, { to: before }, { newestFirst: false, withForgotten: true })
      if (old.length === 0) return { removed }
      const keys = old.map(({ key }) => key)
      const [, count] = await this.#run(
        SCRIPTS.prune,
        [of.entries, ...keys.map((key) => of.entry(key))],
        [before, ...keys],
      )
      removed += Number(count)
    }
  }

  /** Every matching entry, in order. Fails if an entry cannot be read. */
  async *#scan(
    partition: Name,
    filter: UsageFilter,
    newestFirst: boolean,
    after?: Position,
  ): AsyncGenerator<StoredEntry> {
    let position = after
    for (;;) {
      const page = await this.#page(partition, filter, { newestFirst, after: position })
      for (const entry of await this.#entries(partition, page)) {
        // If the entry at `position` was removed, the page repeats entries of its millisecond.
        if (position !== undefined && isBefore(entry, position, newestFirst)) continue
        if (matchesFilter(entry, filter)) yield entry
      }
      if (page.length < PAGE) return
      position = page.at(-1)!
    }
  }

  /** Reads the next keys of the index. */
  async #page(
    partition: Name,
    range: { from?: Millis | undefined; to?: Millis | undefined },
    options: { newestFirst: boolean; after?: Position | undefined; withForgotten?: boolean },
  ): Promise<Position[]> {
    const { ledgerRetentionMs, clock } = this.#settings
    const { newestFirst, after, withForgotten = false } = options
    const of = this.#keysOf(partition)
    const args = [
      clock(),
      withForgotten ? "" : ledgerRetentionMs,
      range.from ?? "",
      range.to ?? "",
      newestFirst ? 1 : 0,
    ]
    const [, ...members] = await this.#run(
      SCRIPTS.listEntries,
      [of.entries, of.time],
      [...args, after?.at ?? "", after?.key ?? "", PAGE],
    )
    const page: Position[] = []
    for (let at = 0; at < members.length; at += 2) page.push({ key: members[at] as Name, at: Number(members[at + 1]) })
    return page
  }

  async #entries(partition: Name, page: readonly Position[]): Promise<StoredEntry[]> {
    if (page.length === 0) return []
    const of = this.#keysOf(partition)
    const texts = await this.#connection.command((own) => own.mget(...page.map(({ key }) => of.entry(key))))
    const entries: StoredEntry[] = []
    for (const [index, { key }] of page.entries()) {
      const text = texts[index]
      if (typeof text === "string") entries.push(parseEntry(text, key))
      else if (await this.#isIndexed(of, key)) throw corrupt("Redis has lost a usage entry that is in its index.")
      // Otherwise, the entry was pruned after the page was read.
    }
    return entries
  }

  #isIndexed(of: PartitionKeys, key: Name): Promise<boolean> {
    return this.#connection.command(async (own) => (await own.zscore(of.entries, key)) !== null)
  }

  async #run(script: Script, keys: string[], args: (string | number)[]): Promise<unknown[]> {
    const reply = await this.#connection.run(script, keys, args)
    if (reply[0] === "corrupt") throw corrupt(`Redis holds a damaged record (${reply[1]}); nothing was applied.`)
    return reply
  }

  #keysOf(partition: Name): PartitionKeys {
    return new PartitionKeys(this.#settings.namespace, partition)
  }
}

/** An entry as the scripts write it: see lua/shared/write-entry.lua. */
interface EntryRecord {
  at: Millis
  state: StoredEntry["state"]
  revision: number
  /** The number of denials that a recorded entry stands for. */
  count: number
  charges: Record<Name, number>
  entry: UsageEntry
}

function parseEntry(text: string, idempotencyKey: Name): StoredEntry {
  let record: EntryRecord
  try {
    record = JSON.parse(text) as EntryRecord
  } catch {
    throw corrupt("Redis holds a usage entry that is not JSON.")
  }
  const { at, state, revision, count, charges, entry } = record
  const stored = { ...entry, idempotencyKey, at, revision, state, charges }
  return state === "recorded" && count !== (entry.count ?? 1) ? { ...stored, count } : stored
}

/** Whether a scan that continues after `position` has already passed the entry. */
function isBefore(entry: StoredEntry, position: Position, newestFirst: boolean): boolean {
  const order = compareEntries(entry, { at: position.at, idempotencyKey: position.key })
  return newestFirst ? order >= 0 : order <= 0
}
