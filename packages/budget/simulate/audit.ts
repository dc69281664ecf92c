import type { BudgetStore } from "../src/store/budget-store"
import type { StoredEntry } from "../src/usage/entry"
import type { Journal } from "./journal"
import { allowedCharges, type SimulatedCall } from "./simulated-call"

export const PARTITION = "main"

/**
 * Compares every counter that the store keeps with the journal of its replies, and with the usage entries and adjustments.
 * Nothing may be reserved once every reservation is resolved.
 */
export async function audit(
  store: BudgetStore,
  journal: Journal,
  options: { isEverythingResolved?: boolean },
): Promise<string[]> {
  const violations: string[] = []
  const { retentionMs } = store.capabilities
  const { now } = await store.read({ partition: PARTITION, counters: [] })
  const counters = await allCounters(store)
  const charges = sumCharges(await allEntries(store))
  for (const name of charges.keys())
    if (!journal.counters.has(name)) violations.push(`entries are charged to ${name}, which no reply named`)
  for (const [name, expected] of journal.counters) {
    const isTouched = expected.spent !== 0 || expected.reserved !== 0 || expected.granted !== 0
    const isKept = expected.endsAt === null || now < expected.endsAt + retentionMs || expected.reserved !== 0
    const counter = counters.get(name)
    if (counter === undefined) {
      if (isTouched && isKept) violations.push(`${name} is not kept`)
      continue
    }
    const { spent, reserved } = counter
    if (spent !== expected.spent || reserved !== expected.reserved)
      violations.push(
        `${name} has ${spent} spent, ${reserved} reserved instead of ${expected.spent}, ${expected.reserved}`,
      )
    const sum = (charges.get(name) ?? 0) + expected.adjusted - expected.uncounted
    if (spent !== sum) violations.push(`${name} has ${spent} spent, its entries and adjustments sum to ${sum}`)
    if (options.isEverythingResolved && reserved !== 0) violations.push(`${name} still has ${reserved} reserved`)
  }
  return violations
}

export async function isAnyDue(store: BudgetStore): Promise<boolean> {
  return (await store.listDue({ partition: PARTITION, limit: 1 })).due.length > 0
}

/** Each call is charged an allowed amount, exactly once, and the same in all of its counters. */
export async function checkCalls(
  store: BudgetStore,
  calls: readonly SimulatedCall[],
  journal: Journal,
): Promise<string[]> {
  const violations: string[] = []
  const entries = (await allEntries(store)).filter(({ state }) => state !== "recorded")
  for (const entry of entries) {
    const dollars = Object.entries(entry.charges).filter(([name]) => name.includes("|usd|"))
    const requests = Object.entries(entry.charges).filter(([name]) => name.includes("|req|"))
    if (dollars.some(([, charge]) => charge !== entry.costNanoUsd))
      violations.push(`${entry.requestId} costs ${entry.costNanoUsd} and is charged ${JSON.stringify(entry.charges)}`)
    if (entry.state !== "expired" && requests.some(([, charge]) => charge !== (entry.state === "settled" ? 1 : 0)))
      violations.push(`${entry.requestId} is ${entry.state}, its requests are ${JSON.stringify(requests)}`)
  }
  for (const call of calls) {
    // A call has a second entry if another owner had released the first key.
    const own = entries.filter(({ requestId }) => requestId === call.key)
    const charged = own.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0)
    const isForgotten = journal.forgottenKeys.has(call.key)
    const allowed = allowedCharges(call, { isForgotten, isExpired: journal.expiredKeys.has(call.key) })
    if (allowed.has(charged)) continue
    const { owner, ...rest } = call
    violations.push(`${call.key} is charged ${charged}, allowed: ${[...allowed]} (${JSON.stringify(rest)})`)
  }
  return violations
}

async function allCounters(store: BudgetStore): Promise<Map<string, { spent: number; reserved: number }>> {
  const counters = new Map<string, { spent: number; reserved: number }>()
  let cursor: string | null = null
  do {
    const page = await store.listCounters({ partition: PARTITION, cursor, limit: 10 })
    for (const counter of page.counters) counters.set(counter.name, counter)
    cursor = page.cursor
  } while (cursor !== null)
  return counters
}

async function allEntries(store: BudgetStore): Promise<StoredEntry[]> {
  const entries: StoredEntry[] = []
  let cursor: string | null = null
  do {
    const page = await store.ledger!.list({ partition: PARTITION, filter: {}, cursor, limit: 200, newestFirst: false })
    entries.push(...page.entries)
    cursor = page.cursor
  } while (cursor !== null)
  return entries
}

function sumCharges(entries: readonly StoredEntry[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const { charges } of entries)
    for (const [name, charge] of Object.entries(charges)) sums.set(name, (sums.get(name) ?? 0) + charge)
  return sums
}
