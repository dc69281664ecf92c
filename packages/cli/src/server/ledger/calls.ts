import { setTimeout as pause } from "node:timers/promises"
import type { Budget, StoredEntry, UsageFilter } from "@p2/budget"
import { matchesFilter } from "@p2/budget/store"
import { formatCount, printable } from "../../output/table"
import { KEY_TAG } from "../keys/virtual-key"
import { readCount } from "./count"
import { publicEntry } from "./export"
import { type StoreArguments, withLedger } from "./open-ledger"
import { formatDollars } from "./status"
import { readFilter, type SubjectArguments } from "./subject-options"

export interface CallsArguments extends StoreArguments, SubjectArguments {
  rows: string
  follow?: true
  json?: true
}

const POLL_MS = 500
const PAGE = 500
const OVERLAP_MS = 2_000

/** `p2 calls` */
export async function printCalls(given: CallsArguments): Promise<void> {
  const left = new AbortController()
  // The reader of the output closed it, as `head` does.
  process.stdout.on("error", () => left.abort())
  const limit = readCount(given.rows, "--rows")
  const filter = readFilter(given, Date.now())
  const write = (entries: readonly StoredEntry[]) => {
    for (const entry of entries)
      process.stdout.write(`${given.json === true ? JSON.stringify(publicEntry(entry)) : describeCall(entry)}\n`)
  }
  await withLedger(given, async ({ budget }) => {
    const follower = given.follow === true ? await createFollower(budget, filter) : undefined
    const { entries } = await budget.usage.list({ filter, limit, order: "newest" })
    follower?.skip(entries)
    write(entries.reverse())
    while (follower !== undefined && !left.signal.aborted) {
      for await (const fresh of follower.read()) write(fresh)
      await pause(POLL_MS, undefined, { signal: left.signal }).catch(() => {})
    }
  })
}

/** Reads entries as they come, each once. */
interface Follower {
  /** Entries that are known already. */
  skip(entries: readonly StoredEntry[]): void
  /** Pages of new entries that match the filter. */
  read(): AsyncGenerator<StoredEntry[]>
}

/**
 * Entries of one millisecond are in the order of their keys, and one that is written late may come before others. So the last two
 * seconds are read again, and what was seen is skipped. Filters here, so that a rare match does not read the whole ledger again.
 */
async function createFollower(budget: Budget, filter: UsageFilter): Promise<Follower> {
  const [newest] = (await budget.usage.list({ limit: 1, order: "newest" })).entries
  const seen = new Map<string, number>()
  let latestAt = newest?.at ?? 0
  async function* unseen(): AsyncGenerator<StoredEntry[]> {
    const from = latestAt - OVERLAP_MS
    for (const [key, at] of seen) if (at < from) seen.delete(key)
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<Budget["usage"]["list"]>> = await budget.usage.list({
        filter: { from },
        cursor,
        limit: PAGE,
      })
      const fresh = page.entries.filter(({ idempotencyKey }) => !seen.has(idempotencyKey))
      skip(fresh)
      yield fresh.filter((entry) => matchesFilter(entry, filter))
      cursor = page.cursor
    } while (cursor !== null)
  }
  function skip(entries: readonly StoredEntry[]): void {
    for (const { idempotencyKey, at } of entries) {
      seen.set(idempotencyKey, at)
      latestAt = Math.max(latestAt, at)
    }
  }
  // Marks the entries that exist as seen.
  for await (const _page of unseen());
  return { skip, read: unseen }
}

/** One line: time, subject, model, outcome, tokens, cost. */
export function describeCall(entry: StoredEntry): string {
  const { at, userId, tags = {}, model, status, tokens, costNanoUsd, count, errorCode, inDoubt } = entry
  const time = new Date(at).toISOString().slice(0, 19).replace("T", " ")
  const owner = userId ?? tags[KEY_TAG] ?? "-"
  const ending = status === "denied" && (count ?? 1) > 1 ? `denied ×${count}` : status
  const start = [time, owner.padEnd(12), model.padEnd(24), ending.padEnd(9)]
  // Nothing was sent.
  if (status === "denied") return printable(start.join("  ").trimEnd())
  const sizes = [
    ...(tokens.inputTokens === undefined ? [] : [`${formatCount(tokens.inputTokens)} in`]),
    ...(tokens.outputTokens === undefined ? [] : [`${formatCount(tokens.outputTokens)} out`]),
  ].join(", ")
  const remarks = [...(inDoubt === true ? ["in doubt"] : []), ...(errorCode === undefined ? [] : [errorCode])]
  const parts = [...start, sizes.padEnd(20), formatDollars(costNanoUsd), ...remarks]
  return printable(parts.join("  ").trimEnd())
}
