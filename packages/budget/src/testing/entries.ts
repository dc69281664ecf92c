import type { StoredEntry, UsageEntry, UsageFilter, UsageGroup, UsageLedger, UsageTotals } from "../ledger"
import { equal, ok } from "./expect"
import { cell, cellState, hold } from "./requests"
import type { CaseBench, CaseEntry } from "./store-case"

export function usageEntry(requestId: string, costNanoUsd: number, more: Partial<UsageEntry> = {}): UsageEntry {
  return {
    requestId,
    attempt: 1,
    clientId: "client-1",
    userId: "user-1",
    model: "openai/gpt-4o-mini",
    provider: "openai",
    reservedNanoUsd: costNanoUsd,
    status: "succeeded",
    tokens: { inputTokens: 10, outputTokens: 5 },
    costNanoUsd,
    costSource: "table",
    ...more,
  }
}

export function ledgerOf(bench: CaseBench): UsageLedger {
  return bench.store.ledger!
}

/** Reserves and commits one attempt with its entry. */
export async function spend(bench: CaseBench, id: string, amount: number, more: Partial<UsageEntry> = {}, key = "a") {
  const entry = usageEntry(more.requestId ?? id, amount, more)
  const held = await hold(bench, id, [cell(key, amount)], { draft: draftOf(entry) })
  await held.commit([amount], { entry })
  return held
}

export function draftOf(entry: UsageEntry) {
  const { requestId, attempt, clientId, userId, tags, model, provider, mode, reservedNanoUsd } = entry
  return { requestId, attempt, clientId, userId, tags, model, provider, mode, reservedNanoUsd }
}

export async function all(bench: CaseBench, filter: UsageFilter = {}, limit = 100, order?: "oldest" | "newest") {
  const entries: StoredEntry[] = []
  let cursor: string | undefined
  for (let pages = 0; pages < 10_000; pages++) {
    const page = await ledgerOf(bench).list({ root: bench.root, filter, cursor, limit, order })
    ok(page.entries.length <= limit, `a page has at most ${limit} entries, got ${page.entries.length}`)
    entries.push(...page.entries)
    if (page.cursor === null) return entries
    cursor = page.cursor
  }
  throw new Error("list: the cursor never ended")
}

export function totals(bench: CaseBench, groupBy: UsageGroup[], filter: UsageFilter = {}, buckets?: number[]) {
  return ledgerOf(bench).totals({ root: bench.root, filter, groupBy, buckets })
}

export const byGroup = (rows: readonly UsageTotals[]) =>
  [...rows].sort((a, b) => (JSON.stringify(a.group) < JSON.stringify(b.group) ? -1 : 1))

/** For every cell, spent must be what its entries were charged, plus adjustments. */
export async function expectSums(bench: CaseBench, keys: readonly string[], adjustments: Record<string, number> = {}) {
  const charged = new Map<string, bigint>()
  for (const entry of await all(bench, {}, 500)) {
    for (const [key, amount] of Object.entries(entry.charges))
      charged.set(key, (charged.get(key) ?? 0n) + BigInt(amount))
  }
  for (const key of keys) {
    const { spent } = await cellState(bench, key)
    equal(
      spent,
      Number((charged.get(key) ?? 0n) + BigInt(adjustments[key] ?? 0)),
      `spent of ${key} is the sum of its entries`,
    )
  }
}

export const withLedger = (entries: readonly CaseEntry[]): CaseEntry[] =>
  entries.map(([name, needs, run]) => [name, ["ledger", ...needs], run])
