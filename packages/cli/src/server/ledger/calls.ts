import { setTimeout as pause } from "node:timers/promises"
import type { Budget, StoredEntry, UsageFilter } from "@p2/budget"
import { compareEntries, formatCursor, matchesFilter } from "@p2/budget/store"
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

/** `p2 calls` */
export async function printCalls(given: CallsArguments): Promise<void> {
  const left = new AbortController()
  // Whoever read the output has left, as `head` does.
  process.stdout.on("error", () => left.abort())
  const limit = readCount(given.rows, "--rows")
  const filter = readFilter(given, Date.now())
  const write = (entries: readonly StoredEntry[]) => {
    for (const entry of entries)
      process.stdout.write(`${given.json === true ? JSON.stringify(publicEntry(entry)) : describeCall(entry)}\n`)
  }
  await withLedger(given, async ({ budget }) => {
    const [newest] = given.follow === true ? (await budget.usage.list({ limit: 1, order: "newest" })).entries : []
    const { entries } = await budget.usage.list({ filter, limit, order: "newest" })
    write(entries.reverse())
    if (given.follow === true)
      await follow(budget, filter, laterOf(newest, entries.at(-1)), { write, signal: left.signal })
  })
}

/** The later of two entries in the order of the ledger. */
function laterOf(one: StoredEntry | undefined, other: StoredEntry | undefined): StoredEntry | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return compareEntries(one, other) > 0 ? one : other
}

interface Following {
  write(entries: readonly StoredEntry[]): void
  signal: AbortSignal
}

/** Writes entries as they come, until nobody reads. Filters here, so that each entry of the ledger is read once. */
async function follow(
  budget: Budget,
  filter: UsageFilter,
  start: StoredEntry | undefined,
  { write, signal }: Following,
): Promise<void> {
  let cursor = start === undefined ? null : formatCursor(start)
  while (!signal.aborted) {
    const { entries } = await budget.usage.list({ cursor, limit: PAGE })
    write(entries.filter((entry) => matchesFilter(entry, filter)))
    const last = entries.at(-1)
    if (last !== undefined) cursor = formatCursor(last)
    if (entries.length < PAGE) await pause(POLL_MS, undefined, { signal }).catch(() => {})
  }
}

/** One line: when, whose, which model, how it ended, tokens, cost. */
export function describeCall(entry: StoredEntry): string {
  const { at, userId, tags = {}, model, status, tokens, costNanoUsd, count, errorCode, inDoubt } = entry
  const time = new Date(at).toISOString().slice(0, 19).replace("T", " ")
  const owner = userId ?? tags[KEY_TAG] ?? "-"
  const ending = status === "denied" && (count ?? 1) > 1 ? `denied ×${count}` : status
  const start = [time, owner.padEnd(12), model.padEnd(24), ending.padEnd(9)]
  // Nothing was sent.
  if (status === "denied") return printable(start.join("  ").trimEnd())
  const sizes = `${formatCount(tokens.inputTokens ?? 0)} in, ${formatCount(tokens.outputTokens ?? 0)} out`
  const remarks = [...(inDoubt === true ? ["in doubt"] : []), ...(errorCode === undefined ? [] : [errorCode])]
  const parts = [...start, sizes.padEnd(20), formatDollars(costNanoUsd), ...remarks]
  return printable(parts.join("  ").trimEnd())
}
