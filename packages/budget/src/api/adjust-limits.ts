import { checkOptions, InvalidArgumentError } from "@p2/core"
import { type AmountInput, isEmpty, readAmount, UNITS } from "../limits/amount"
import { areOpen, type CallCounter, callCounters } from "../limits/call-counters"
import { type LimitStatus, statusesOf, statusOf } from "../limits/limit-status"
import { toName } from "../limits/names"
import type { PlannedLimit } from "../limits/planned-limit"
import { checkSubject, type Scope, type Subject, type Unit } from "../limits/subject"
import { MAX_ROUNDS, repeatedReplyError } from "../reservations/max-rounds"
import type { AdjustReply, AdjustRequest } from "../store/budget-store"
import type { LimitTarget } from "./budget"
import type { BudgetContext } from "./budget-context"

const RESET_NAMES: ReadonlySet<string> = new Set(["subject", "scope", "per", "idempotencyKey"])
const TOP_UP_NAMES: ReadonlySet<string> = new Set([...RESET_NAMES, "amount"])

/** The status of every limit of a subject. */
export async function readStatus(
  context: BudgetContext,
  limits: readonly PlannedLimit[],
  subject: Subject,
): Promise<LimitStatus[]> {
  const { clock, store, sweeper } = context
  const partition = context.partitionOf(subject)
  await context.requireChecked()
  for (let round = 1; ; round++) {
    const counters = callCounters(limits, subject, clock.now(partition), "skip")
    const names = counters.map(({ name }) => name)
    const reply = await store.read({ partition, counters: names })
    clock.update(partition, reply.now)
    if (reply.due) sweeper.start(partition)
    if (areOpen(counters, reply.now) || round === MAX_ROUNDS)
      return statusesOf(limits, counters, reply.counters, "each")
  }
}

/** @throws InvalidArgumentError */
export function checkTopUp(target: LimitTarget): void {
  checkOptions(target, TOP_UP_NAMES)
  if (target.subject !== undefined) checkSubject(target.subject)
}

/** @throws InvalidArgumentError */
export function checkReset(target: LimitTarget): void {
  checkOptions(target, RESET_NAMES)
  if (target.subject !== undefined) checkSubject(target.subject)
}

/** Adds to limits in their current window. */
export async function topUp(
  context: BudgetContext,
  limits: readonly PlannedLimit[],
  target: LimitTarget & { amount: AmountInput },
): Promise<LimitStatus[]> {
  const amounts = readAmount(target.amount, "amount")
  const targeted = targetedLimits(limits, target).filter(({ limit }) => limit !== null)
  if (isEmpty(amounts))
    throw new InvalidArgumentError(
      "amount",
      'dollars such as "1.00", or at least one of usd, nanoUsd, tokens, requests',
      amounts,
    )
  for (const unit of UNITS)
    if (amounts[unit] !== undefined && !targeted.some((limit) => limit.unit === unit))
      throw new InvalidArgumentError(
        `amount.${unit}`,
        "absent, because no limit of that scope is in this unit",
        amounts[unit],
      )
  const chosen = targeted.filter(({ unit }) => amounts[unit] !== undefined)
  return adjustEach(context, chosen, target, (unit) => ({ kind: "granted", delta: amounts[unit]! }))
}

/** Sets what was spent to zero; what is reserved stays. */
export async function resetSpent(
  context: BudgetContext,
  limits: readonly PlannedLimit[],
  target: LimitTarget,
): Promise<LimitStatus[]> {
  return adjustEach(context, targetedLimits(limits, target), target, () => ({ kind: "reset", delta: 0 }))
}

async function adjustEach(
  context: BudgetContext,
  limits: readonly PlannedLimit[],
  target: LimitTarget,
  adjustmentOf: (unit: Unit) => Pick<AdjustRequest, "kind" | "delta">,
): Promise<LimitStatus[]> {
  const subject = target.subject ?? {}
  const key = target.idempotencyKey ?? crypto.randomUUID()
  const partition = context.partitionOf(subject)
  // `optional` applies to calls: an adjustment needs the scope.
  const required = limits.map((limit) => ({ ...limit, optional: false }))
  const counterOf = (unit: Unit) =>
    callCounters(
      required.filter((limit) => limit.unit === unit),
      subject,
      context.clock.now(partition),
      "throw",
    )[0]!
  for (const { unit } of required) counterOf(unit)
  await context.requireChecked()
  const statuses: LimitStatus[] = []
  for (const unit of new Set(required.map((limit) => limit.unit))) {
    const { counter, reply } = await adjustCounter(context, {
      counterOf: () => counterOf(unit),
      request: {
        partition,
        key: toName(`${key}|${unit}|${limits[0]!.window.kind}`, "idempotencyKey"),
        ...adjustmentOf(unit),
      },
    })
    statuses.push(...counter.limits.map((limit) => statusOf(limit, counter, reply.counter)))
  }
  return statuses
}

/** Adjusts a counter. If the store's time is in another window, adjusts again in that window. */
async function adjustCounter(
  context: BudgetContext,
  { counterOf, request }: { counterOf: () => CallCounter; request: Omit<AdjustRequest, "counter"> },
): Promise<{ counter: CallCounter; reply: Extract<AdjustReply, { status: "ok" }> }> {
  const { clock, store } = context
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const counter = counterOf()
    const { name, startsAt, endsAt, keepMs } = counter
    const reply = await store.adjust({ ...request, counter: { name, startsAt, endsAt, keepMs } })
    clock.update(request.partition, reply.now)
    if (reply.status === "ok") return { counter, reply }
    if (reply.status === "mismatch")
      throw new InvalidArgumentError("idempotencyKey", "a key that no other top-up or reset had", request.key)
  }
  throw repeatedReplyError(store.name, "stale-window")
}

/** The limits of one scope and one window. */
function targetedLimits(limits: readonly PlannedLimit[], { scope, per }: LimitTarget): PlannedLimit[] {
  const ofScope = limits.filter((limit) => isSameScope(limit.scope, scope))
  const targeted = per === undefined ? ofScope : ofScope.filter(({ window }) => window.per === per)
  const kinds = new Set(targeted.map(({ window }) => window.kind))
  if (kinds.size === 1) return targeted
  if (kinds.size === 0)
    throw new InvalidArgumentError("scope", "the scope (and `per`) of a limit of this budget", scope)
  throw new InvalidArgumentError("per", `one of the windows of that scope (${[...kinds].join(", ")})`, per)
}

function isSameScope(a: Scope, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
