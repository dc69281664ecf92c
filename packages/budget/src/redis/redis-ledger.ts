import type { Millis, Name } from "../store/shape"
import type { Position } from "../store/storage"
import { corrupt } from "../store/store-error"
import type { StoredEntry, UsageEntry, UsageFilter } from "../usage/entry"
import type { UsageLedger } from "../usage/ledger"
import { compareEntries, matchesFilter, type ScanOptions, scannedLedger } from "../usage/query"
import type { RedisConnection } from "./connection"
import { SCRIPTS } from "./generated/scripts"
import { type PartitionKeys, partitionKeys, type RedisSettings } from "./keys"

/** How many entries one step of a scan reads. */
const PAGE = 200

/** Reads usage entries page by page. The scripts write them in the same step as the counters. */
export function redisLedger(
  connection: RedisConnection,
  { ledgerRetentionMs, clock, namespace }: RedisSettings,
): UsageLedger {
  /** Reads the next keys of the index. */
  async function pageOf(
    of: PartitionKeys,
    range: { from?: Millis | undefined; to?: Millis | undefined },
    { newestFirst, after, withForgotten = false }: ScanOptions & { withForgotten?: boolean },
  ): Promise<Position[]> {
    const [, ...members] = await connection.run(
      SCRIPTS.listEntries,
      [of.entries, of.time],
      [
        ...[clock(), withForgotten ? "" : ledgerRetentionMs, range.from ?? "", range.to ?? "", newestFirst ? 1 : 0],
        ...[after?.at ?? "", after?.key ?? "", PAGE],
      ],
    )
    const page: Position[] = []
    for (let at = 0; at < members.length; at += 2) page.push({ key: members[at] as Name, at: Number(members[at + 1]) })
    return page
  }

  async function entriesOf(of: PartitionKeys, page: readonly Position[]): Promise<StoredEntry[]> {
    if (page.length === 0) return []
    const texts = await connection.command((own) => own.mget(...page.map(({ key }) => of.entry(key))))
    const entries: StoredEntry[] = []
    for (const [index, { key }] of page.entries()) {
      const text = texts[index]
      if (typeof text === "string") entries.push(parseEntry(text, key))
      else if ((await connection.command((own) => own.zscore(of.entries, key))) !== null)
        throw corrupt("Redis has lost a usage entry that is in its index.")
      // Otherwise, the entry was pruned after the page was read.
    }
    return entries
  }

  /** Every matching entry, in order. Fails if an entry cannot be read. */
  async function* scan(partition: Name, filter: UsageFilter, options: ScanOptions): AsyncGenerator<StoredEntry> {
    const of = partitionKeys(namespace, partition)
    const { newestFirst } = options
    let position = options.after
    for (;;) {
      const page = await pageOf(of, filter, { newestFirst, after: position })
      for (const entry of await entriesOf(of, page)) {
        // If the entry at `position` was removed, the page repeats entries of its millisecond.
        if (position !== undefined && isBefore(entry, position, newestFirst)) continue
        if (matchesFilter(entry, filter)) yield entry
      }
      if (page.length < PAGE) return
      position = page.at(-1)!
    }
  }

  return {
    ...scannedLedger(scan),
    async record({ partition, key, entry }) {
      const of = partitionKeys(namespace, partition)
      const args = [clock(), key, ledgerRetentionMs, entry.count ?? 1, JSON.stringify(entry)]
      const [, now] = await connection.run(SCRIPTS.record, [of.entry(key), of.entries, of.time], args)
      return { now: Number(now) }
    },
    async prune({ partition, before }) {
      const of = partitionKeys(namespace, partition)
      let removed = 0
      for (;;) {
        const old = await pageOf(of, { to: before }, { newestFirst: false, withForgotten: true })
        if (old.length === 0) return { removed }
        const keys = old.map(({ key }) => key)
        const [, count] = await connection.run(SCRIPTS.prune, [of.entries, ...keys.map(of.entry)], [before, ...keys])
        removed += Number(count)
      }
    },
  }
}

/** An entry as the scripts write it: see lua/shared/records.lua. */
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
