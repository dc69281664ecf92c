import { InvalidArgumentError } from "@p2/core"
import type { AmountInput, LimitStatus, LimitTarget } from "./budget"
import type { BudgetContext } from "./budget-context"
import { nameOf } from "./cell-key"
import { checkOptions, checkSubject } from "./check-options"
import { cellsAt, type PlannedCell, planFor, statusesOf, statusOf } from "./plan"
import { readAmount } from "./read-amount"
import type { ReadLimit } from "./read-limits"
import type { AdjustRequest, AdjustResult, CellState } from "./store"
import { checkCells } from "./store-calls"
import { StoreError } from "./store-error"
import type { Scope, Subject, Unit } from "./subject"

const MAX_ROUNDS = 3
const RESET_NAMES: ReadonlySet<string> = new Set(["subject", "scope", "per", "id"])
const TOP_UP_NAMES: ReadonlySet<string> = new Set([...RESET_NAMES, "amount"])

/** @throws InvalidArgumentError */
export function checkTarget(target: LimitTarget, kind: "top-up" | "reset"): void {
  const names = kind === "reset" ? RESET_NAMES : TOP_UP_NAMES
  checkOptions(target, names, { expected: 'such as { scope: "user", subject: { userId } }' })
  if (target.subject !== undefined) checkSubject(target.subject)
}

/** Where every limit of a subject stands; limits whose scope it lacks are left out. */
export async function statusFor(
  context: BudgetContext,
  subject: Subject,
  limits: readonly ReadLimit[],
): Promise<LimitStatus[]> {
  const plan = planFor(subject, limits, "skip")
  const root = nameOf(context.root(subject), "root")
  await context.requireChecked()
  let now = context.now()
  for (let round = 1; ; round++) {
    const cells = cellsAt(plan, now)
    const answer = await context.call(() => context.store.read({ root, keys: cells.map(({ key }) => key) }))
    const isStale = cells.some((cell) => isOutside(cell, answer.now))
    if (isStale && round < MAX_ROUNDS) {
      now = answer.now
      continue
    }
    checkCells(answer.cells, cells.length, context.store.name)
    return statusesOf(plan, cells, answer.cells, "each")
  }
}

/** Adds to limits in their current window. */
export async function topUp(
  context: BudgetContext,
  limits: readonly ReadLimit[],
  target: LimitTarget & { amount: AmountInput },
): Promise<LimitStatus[]> {
  const amounts = readAmount(target.amount, "amount")
  const meant = limitsMeant(limits, target)
  const given = (["nanoUsd", "tokens", "requests"] as const).filter((unit) => amounts[unit] !== undefined)
  if (given.length === 0)
    throw new InvalidArgumentError("amount", "at least one of usd, nanoUsd, tokens, requests", target.amount)
  for (const unit of given)
    if (!meant.some((limit) => limit.unit === unit && limit.limit !== null))
      throw new InvalidArgumentError(
        `amount.${unit}`,
        "absent, because that scope has no limit of this unit",
        amounts[unit],
      )
  const chosen = meant.filter((limit) => limit.limit !== null && amounts[limit.unit] !== undefined)
  return adjustEach(context, chosen, target, "granted", (unit) => amounts[unit]!)
}

/** Sets what was spent to zero; what is reserved stays. */
export async function resetSpent(
  context: BudgetContext,
  limits: readonly ReadLimit[],
  target: LimitTarget,
): Promise<LimitStatus[]> {
  return adjustEach(context, limitsMeant(limits, target), target, "reset", () => 0)
}

async function adjustEach(
  context: BudgetContext,
  limits: readonly ReadLimit[],
  target: LimitTarget,
  kind: AdjustRequest["kind"],
  deltaOf: (unit: Unit) => number,
): Promise<LimitStatus[]> {
  const subject = target.subject ?? {}
  // What `optional` skips in a call must not make a top-up that says it was done.
  const plan = planFor(
    subject,
    limits.map((limit) => (limit.optional ? { ...limit, optional: false } : limit)),
    "mistake",
  )
  const root = nameOf(context.root(subject), "root")
  const id = target.id ?? crypto.randomUUID()
  await context.requireChecked()
  const statuses: LimitStatus[] = []
  let now = context.now()
  const count = cellsAt(plan, now).length
  for (let index = 0; index < count; index++) {
    const { cell, answer } = await adjustCell(
      context,
      (at) => {
        const planned = cellsAt(plan, at)[index]!
        const { unit, windowing } = planned.limits[0]!
        const request = { root, id: nameOf(`${id}|${unit}|${windowing.kind}`, "id"), kind, delta: deltaOf(unit) }
        return { planned, request }
      },
      now,
    )
    now = answer.now
    statuses.push(...cell.limits.map((limit) => statusOf(cell, answer.cell as CellState, limit)))
  }
  return statuses
}

/** Again with the window of the store's own time, when ours was another. */
async function adjustCell(
  context: BudgetContext,
  plan: (now: number) => { planned: PlannedCell; request: Omit<AdjustRequest, "cell"> },
  start: number,
): Promise<{ cell: PlannedCell; answer: AdjustResult }> {
  let now = start
  for (let round = 1; ; round++) {
    const { planned, request } = plan(now)
    const { key, startsAt, endsAt, keepMs } = planned
    const cell = { key, startsAt, endsAt, keepMs }
    const answer = await context.call(() => context.store.adjust({ ...request, cell }))
    if (answer.result === "mismatch")
      throw new InvalidArgumentError("id", "an id that no other top-up or reset had", request.id)
    checkCells([answer.cell], 1, context.store.name)
    if (answer.result === "ok") return { cell: planned, answer }
    if (round === MAX_ROUNDS) throw staleWindows(context.store.name, MAX_ROUNDS)
    now = answer.now
  }
}

/** The store names a time, and then says that its windows are not those of that time. */
export function staleWindows(store: string, rounds: number): StoreError {
  return new StoreError(`The store "${store}" found the windows of its own time stale, ${rounds} times in a row.`, {
    code: "corrupt",
    applied: "no",
  })
}

/** The limits of one scope, all of one window. */
function limitsMeant(limits: readonly ReadLimit[], { scope, per }: LimitTarget): ReadLimit[] {
  const ofScope = limits.filter((limit) => sameScope(limit.scope, scope))
  const meant = per === undefined ? ofScope : ofScope.filter((limit) => limit.windowing.per === per)
  const windows = new Set(meant.map((limit) => limit.windowing.kind))
  if (windows.size === 1) return meant
  if (windows.size === 0)
    throw new InvalidArgumentError("scope", "the scope (and `per`) of a limit of this budget", scope)
  throw new InvalidArgumentError("per", `one of the windows of that scope: ${[...windows].join(", ")}`, per)
}

function sameScope(a: Scope, b: Scope): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function isOutside({ startsAt, endsAt }: PlannedCell, now: number): boolean {
  return (startsAt !== null && now < startsAt) || (endsAt !== null && now >= endsAt)
}
