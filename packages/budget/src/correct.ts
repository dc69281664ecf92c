import { InvalidArgumentError } from "@p2/core"
import type { Correction, CorrectOptions } from "./budget"
import type { BudgetContext } from "./budget-context"
import { SettleMismatchError } from "./budget-errors"
import { nameOf, readCellKey } from "./cell-key"
import { checkOptions } from "./check-options"
import type { StoredEntry, UsageEntry } from "./ledger"
import { boundedEntry } from "./ledger-texts"
import { readAmount } from "./read-amount"
import type { CellRef, Name } from "./store"
import type { Unit } from "./subject"

const DAY_MS = 86_400_000
const NAMES: ReadonlySet<string> = new Set(["entry", "cost", "changes", "revision", "subject"])

/** A cell that an entry was charged to, and what it should have been charged. */
interface ChargedCell extends CellRef {
  charged: number
  amount: number
}

/** Charges an attempt otherwise than it was settled, by what its entry says; any process can do that. */
export async function correct(context: BudgetContext, options: CorrectOptions): Promise<Correction> {
  checkOptions(options, NAMES, { expected: "with `entry` and `cost`" })
  const { entry } = options
  if (typeof entry?.charges !== "object" || entry.charges === null)
    throw new InvalidArgumentError("entry", "an entry as `usage.get` or `usage.list` returned it", entry)
  const cost = readAmount(options.cost, "cost")
  const revision = options.revision ?? entry.revision + 1
  if (!Number.isSafeInteger(revision) || revision < 1)
    throw new InvalidArgumentError("revision", "a whole number of at least 1", revision)
  const { userId, clientId, tags, model, requestId } = entry
  const root = nameOf(context.root(options.subject ?? { userId, clientId, tags, model, requestId }), "root")
  // In the order of a reserve, in which the store keeps them; a ledger may return its keys in another.
  const keys = Object.keys(entry.charges).sort((a, b) => (withoutStart(a) < withoutStart(b) ? -1 : 1))
  const cells = keys.map((key) => cellOf(key, entry.charges[key]!, cost))
  if (entry.fingerprint !== undefined) {
    const { fingerprint } = entry
    const truth = { ...attemptOf(entry), ...boundedEntry(options.changes ?? {}, "changes"), fingerprint }
    if (options.changes?.costNanoUsd === undefined) truth.costNanoUsd = cost.nanoUsd ?? entry.costNanoUsd
    const answer = await context.call(() =>
      context.store.settle({
        root,
        id: entry.id,
        fingerprint,
        outcome: "commit",
        revision,
        cells: cells.map(({ charged, ...cell }) => ({ ...cell, reserved: charged })),
        // Long ago: an id that the store does not know is forgotten, not lost, and must not be charged again.
        expiresAt: 0,
        entry: truth,
      }),
    )
    if (answer.result === "mismatch") throw new SettleMismatchError(entry.id, "commit")
    if (answer.result !== "forgotten") {
      context.alerts.expired(root, [{ id: entry.id, cells: answer.cells.map((cell) => ({ ...cell, charged: 0 })) }])
      return { status: answer.replayed ? "unchanged" : "corrected" }
    }
  }
  await adjustOpen(context, root, entry.id, revision, cells)
  return { status: "adjusted" }
}

/** The difference, in every cell whose window is still open. */
async function adjustOpen(
  context: BudgetContext,
  root: Name,
  id: Name,
  revision: number,
  cells: readonly ChargedCell[],
): Promise<void> {
  for (const { charged, amount, ...cell } of cells) {
    if (amount === charged) continue
    const name = nameOf(`${id}|${revision}|${cell.key}`, "id")
    await context.call(() => context.store.adjust({ root, id: name, cell, kind: "spent", delta: amount - charged }))
  }
}

function cellOf(key: Name, charged: number, cost: Record<Unit, number | undefined>): ChargedCell {
  const name = readCellKey(key)
  if (name === undefined)
    throw new InvalidArgumentError("entry.charges", "cells that a budget named, as the ledger returned them", key)
  const { startsAt, endsAt, family, unit } = name
  const isShort = endsAt === null && (family.startsWith("r|") || family.startsWith("x|"))
  return { key, startsAt, endsAt, keepMs: isShort ? DAY_MS : null, charged, amount: cost[unit] ?? charged }
}

/** What a plan orders its cells by. */
function withoutStart(key: Name): string {
  return key.replace(/\.\d+$/, "")
}

/** An entry without what the store added to it. */
function attemptOf(entry: StoredEntry): UsageEntry {
  const { id: _id, at: _at, revision: _revision, charges: _charges, ...attempt } = entry
  return attempt
}
