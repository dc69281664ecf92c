import { checkOptions, InvalidArgumentError } from "@p2/core"
import { type AmountInput, isEmpty, readAmount, UNITS } from "../limits/amount"
import { areOpen, type CallCounter, callCounters } from "../limits/counters"
import type { PlannedLimit } from "../limits/limit"
import { type LimitStatus, statusesOf, statusOf } from "../limits/limit-status"
import { toName } from "../limits/names"
import { readSubject, type Subject, type Unit } from "../limits/subject"
import { MAX_ROUNDS, repeatedReplyError } from "../reservations/process-state"
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

/** Adds to limits in their current window. */
export async function topUp(
  context: BudgetContext,
  childLimits: readonly PlannedLimit[],
  target: LimitTarget & { amount: AmountInput },
): Promise<LimitStatus[]> {
  checkOptions(target, TOP_UP_NAMES)
  const subject = readSubject(target.subject)
  const amounts = readAmount(target.amount, "amount")
  if (isEmpty(amounts))
    throw new InvalidArgumentError(
      "amount",
      'dollars such as "1.00", or at least one of usd, nanoUsd, tokens, requests',
      amounts,
    )
  return adjustLimits(context, childLimits, { ...target, subject }, (targeted) => {
    const isTargeted = (unit: Unit) => targeted.some((limit) => limit.unit === unit && limit.limit !== null)
    for (const unit of UNITS)
      if (amounts[unit] !== undefined && !isTargeted(unit))
        throw new InvalidArgumentError(
          `amount.${unit}`,
          "absent, because no limit of that scope is in this unit",
          amounts[unit],
        )
    return UNITS.flatMap((unit) =>
      amounts[unit] === undefined ? [] : { unit, kind: "granted" as const, delta: amounts[unit] },
    )
  })
}

/** Sets the spent amount to zero. Reservations stay. */
export async function resetSpent(
  context: BudgetContext,
  childLimits: readonly PlannedLimit[],
  target: LimitTarget,
): Promise<LimitStatus[]> {
  checkOptions(target, RESET_NAMES)
  const subject = readSubject(target.subject)
  return adjustLimits(context, childLimits, { ...target, subject }, (targeted) =>
    [...new Set(targeted.map(({ unit }) => unit))].map((unit) => ({ unit, kind: "reset", delta: 0 })),
  )
}

interface Adjustment extends Pick<AdjustRequest, "kind" | "delta"> {
  unit: Unit
}

async function adjustLimits(
  context: BudgetContext,
  childLimits: readonly PlannedLimit[],
  target: LimitTarget & { subject: Subject },
  adjustmentsOf: (targeted: readonly PlannedLimit[]) => Adjustment[],
): Promise<LimitStatus[]> {
  const { subject } = target
  const targeted = targetedLimits(await context.limitsFor(subject, undefined, childLimits), target)
  const adjustments = adjustmentsOf(targeted)
  const key = target.idempotencyKey ?? crypto.randomUUID()
  const partition = context.partitionOf(subject)
  const counterOf = ({ unit, kind }: Adjustment) => {
    // A limit without an amount cannot be topped up.
    const chosen = targeted.filter((limit) => limit.unit === unit && (kind === "reset" || limit.limit !== null))
    // `optional` applies to calls: an adjustment needs the scope.
    const required = chosen.map((limit) => ({ ...limit, optional: false }))
    return callCounters(required, subject, context.clock.now(partition), "throw")[0]!
  }
  for (const adjustment of adjustments) counterOf(adjustment)
  await context.requireChecked()
  const statuses: LimitStatus[] = []
  for (const adjustment of adjustments) {
    const { unit, kind, delta } = adjustment
    const keyOfUnit = toName(`${key}|${unit}|${targeted[0]!.window.kind}`, "idempotencyKey")
    const request = { partition, key: keyOfUnit, kind, delta }
    const { counter, reply } = await adjustCounter(context, () => counterOf(adjustment), request)
    statuses.push(...counter.limits.map((limit) => statusOf(limit, counter, reply.counter)))
  }
  return statuses
}

/** Adjusts a counter. If the store's time is in another window, adjusts again in that window. */
async function adjustCounter(
  context: BudgetContext,
  counterOf: () => CallCounter,
  request: Omit<AdjustRequest, "counter">,
): Promise<{ counter: CallCounter; reply: Extract<AdjustReply, { status: "ok" }> }> {
  const { clock, store } = context
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const counter = counterOf()
    const { name, startsAt, endsAt, keepMs } = counter
    const reply = await store.adjust({ ...request, counter: { name, startsAt, endsAt, keepMs } })
    clock.update(request.partition, reply.now)
    if (reply.status === "ok") {
      context.changed(request.partition, [reply.counter])
      return { counter, reply }
    }
    if (reply.status === "mismatch")
      throw new InvalidArgumentError(
        "idempotencyKey",
        "a new key: this one was used for another amount or limit, or for an earlier window of this limit",
        request.key,
      )
  }
  throw repeatedReplyError(store.name, "stale-window")
}

/** The limits of one scope and one window. */
function targetedLimits(limits: readonly PlannedLimit[], { scope, per }: LimitTarget): PlannedLimit[] {
  const ofScope = limits.filter((limit) => JSON.stringify(limit.scope) === JSON.stringify(scope))
  const targeted = per === undefined ? ofScope : ofScope.filter(({ window }) => window.per === per)
  const kinds = new Set(targeted.map(({ window }) => window.kind))
  if (kinds.size === 1) return targeted
  if (kinds.size === 0)
    throw new InvalidArgumentError("scope", "the scope (and `per`) of a limit of this budget", scope)
  throw new InvalidArgumentError("per", `one of the windows of that scope (${[...kinds].join(", ")})`, per)
}
