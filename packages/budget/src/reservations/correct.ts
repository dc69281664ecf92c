import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { Correction, CorrectOptions } from "../api/budget"
import type { BudgetContext } from "../api/budget-context"
import { SettleMismatchError } from "../api/errors"
import { type GivenAmount, isEmpty, readAmount } from "../limits/amount"
import { counterRefOf, readCounterName } from "../limits/counters"
import { toName } from "../limits/names"
import { readSubject } from "../limits/subject"
import type { CounterRef } from "../store/budget-store"
import { both, check, integerFrom, mapOf, type Name, name, natural, objectOf } from "../store/shape"
import { readEntry, type StoredEntry, type UsageEntry, usageEntry } from "../usage/entry"
import { settleWhereReserved } from "./settles"

const CORRECT_NAMES: ReadonlySet<string> = new Set(["entry", "cost", "changes", "revision", "subject"])

const chargedEntryShape = both(
  usageEntry,
  objectOf({ idempotencyKey: name, revision: natural, charges: mapOf(name, natural, 64) }),
)

/** A counter that an entry was charged to. */
interface ChargedCounter {
  ref: CounterRef
  charged: number
  /** The corrected charge. */
  amount: number
}

/** Replaces the charge of an attempt. Needs only its usage entry, so any process can do it. */
export async function correct(context: BudgetContext, options: CorrectOptions): Promise<Correction> {
  checkOptions(options, CORRECT_NAMES)
  const { entry, changes = {} } = options
  const { charges, idempotencyKey: key, fingerprint } = chargedEntry(entry)
  const cost = readAmount(options.cost, "cost")
  if (isEmpty(cost))
    throw new InvalidArgumentError("cost", "an amount such as 0.01 or { nanoUsd, tokens }", options.cost)
  const revision = check(options.revision ?? entry.revision + 1, integerFrom(1), "revision")
  const { userId, clientId, tags, model, requestId } = entry
  const subject =
    options.subject === undefined ? { userId, clientId, tags, model, requestId } : readSubject(options.subject)
  const partition = context.partitionOf(subject)
  const counters = Object.keys(charges).map((name) => chargedCounter(name, charges[name]!, cost))
  if (fingerprint !== undefined) {
    const reply = await settleWhereReserved(context.store, {
      ...{ partition, key, fingerprint, outcome: "settled", revision },
      counters: counters.map(({ ref, charged, amount }) => ({ ...ref, reserved: charged, amount })),
      // In the past: an unknown key was forgotten, not lost, and must not be charged again.
      expiresAt: 0,
      entry: correctedEntry(entry, changes, cost),
    })
    if (reply.status === "mismatch") throw new SettleMismatchError(key, "settled")
    if (reply.status !== "forgotten") {
      if (!reply.replayed) context.changed(partition, reply.counters)
      return { status: reply.replayed ? "unchanged" : "corrected" }
    }
  }
  await adjustOpen(context, partition, `${key}|${revision}`, counters)
  return { status: "adjusted" }
}

/** Charges the difference in every counter whose window is still open. */
async function adjustOpen(
  context: BudgetContext,
  partition: Name,
  key: string,
  counters: readonly ChargedCounter[],
): Promise<void> {
  for (const { ref, charged, amount } of counters) {
    if (amount === charged) continue
    const reply = await context.store.adjust({
      partition,
      key: toName(`${key}|${ref.name}`, "idempotencyKey"),
      counter: ref,
      kind: "spent",
      delta: amount - charged,
    })
    if (reply.status === "mismatch") throw new SettleMismatchError(key, "settled")
    if (reply.status === "ok" && !reply.replayed) context.changed(partition, [reply.counter])
  }
}

function chargedEntry(entry: StoredEntry): StoredEntry {
  const isCharged = typeof entry?.charges === "object" && entry.charges !== null && entry.state !== "recorded"
  if (isCharged) return check(entry, chargedEntryShape, "entry")
  throw new InvalidArgumentError(
    "entry",
    "an entry of a reservation, as `usage.get` or `usage.list` returned it",
    entry,
  )
}

function chargedCounter(name: Name, charged: number, cost: GivenAmount): ChargedCounter {
  const parts = readCounterName(name)
  if (parts === undefined)
    throw new InvalidArgumentError("entry.charges", "counter names as the ledger returned them", name)
  return { ref: counterRefOf(name, parts), charged, amount: cost[parts.unit] ?? charged }
}

function correctedEntry(entry: StoredEntry, changes: Partial<UsageEntry>, cost: GivenAmount): UsageEntry {
  const { idempotencyKey: _key, at: _at, revision: _revision, state: _state, charges: _charges, ...attempt } = entry
  // The actual cost replaces the bound and ends the doubt.
  if (attempt.costSource === "bound") attempt.costSource = "custom"
  delete attempt.inDoubt
  const bounded = readEntry(changes, "changes")
  const costNanoUsd = cost.nanoUsd ?? bounded.costNanoUsd ?? entry.costNanoUsd
  const { fingerprint } = entry
  return { ...attempt, ...bounded, costNanoUsd, ...(fingerprint !== undefined && { fingerprint }) }
}
