import { formatCursor, parseCursor } from "../usage/cursor"
import type { StoredEntry, UsageFilter } from "../usage/entry"
import { matchesFilter } from "../usage/filter"
import { UsageFold } from "../usage/fold"
import type { UsageLedger } from "../usage/ledger"
import { compareAttempts } from "../usage/order"
import type { Millis, Name } from "./name"
import { nextTurn } from "./next-turn"
import { parseRecord } from "./record-text"
import type { Position, Storage } from "./storage"
import type { RunJob } from "./storage-job"
import { record } from "./transition"

/** How many entries to read in one turn of the event loop, if the scan of the storage does not wait. */
const ENTRIES_PER_TURN = 1_000

/** The usage ledger on a storage. */
export function storageLedger(storage: Storage, runJob: RunJob): UsageLedger {
  async function* matching(
    partition: Name,
    filter: UsageFilter,
    options: { newestFirst: boolean; after?: Position | undefined } = { newestFirst: false },
  ): AsyncGenerator<StoredEntry> {
    let scanned = 0
    await nextTurn()
    for await (const text of storage.scan(partition, { filter, ...options })) {
      if (++scanned % ENTRIES_PER_TURN === 0) await nextTurn()
      const entry = parseRecord("entry", "(scan)", text)
      if (matchesFilter(entry, filter)) yield entry
    }
  }

  return {
    record: ({ partition, key, entry }) =>
      runJob(partition, {
        reads: { entry: [key] },
        run(view): { now: Millis } {
          const { now } = view.moment()
          const written = record(view.get("entry", key), { key, entry }, now)
          if (written !== undefined) view.put("entry", key, written)
          return { now }
        },
      }),
    async get({ partition, requestId }) {
      const attempts: StoredEntry[] = []
      for await (const entry of matching(partition, { requestId })) attempts.push(entry)
      return attempts.sort(compareAttempts)
    },
    async list({ partition, filter, cursor, limit, newestFirst }) {
      const after = cursor === null ? undefined : parseCursor(cursor)
      const entries: StoredEntry[] = []
      for await (const entry of matching(partition, filter, { newestFirst, after })) {
        const last = entries.at(-1)
        if (last !== undefined && entries.length === limit) return { entries, cursor: formatCursor(last), dropped: 0 }
        entries.push(entry)
      }
      return { entries, cursor: null, dropped: 0 }
    },
    async totals({ partition, filter, groupBy, buckets }) {
      const fold = new UsageFold({ groupBy, buckets })
      for await (const entry of matching(partition, filter)) fold.add(entry)
      return fold.totals()
    },
    async prune({ partition, before }) {
      await nextTurn()
      return { removed: await storage.prune(partition, before) }
    },
  }
}
