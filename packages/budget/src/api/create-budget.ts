import { checkOptions, plural } from "@p2/core"
import { type PlannedLimit, planChildLimit } from "../limits/limit"
import { toName } from "../limits/names"
import { readSubject, type Subject } from "../limits/subject"
import { correct } from "../reservations/correct"
import { MAX_SWEEP } from "../reservations/leases"
import { resume } from "../reservations/reservation"
import { reserve } from "../reservations/reserve"
import { run } from "../reservations/run"
import { check, integerFrom } from "../store/shape"
import { UsageQueries } from "../usage/usage-queries"
import { readStatus, resetSpent, topUp } from "./adjust-limits"
import type { Budget, BudgetOptions, CloseOptions } from "./budget"
import { BudgetContext } from "./budget-context"

const DEFAULT_FLUSH_MS = 5_000
const STATUS_NAMES: ReadonlySet<string> = new Set(["limits"])
const CHILD_NAMES: ReadonlySet<string> = new Set(["limit", "id"])
const SWEEP_NAMES: ReadonlySet<string> = new Set(["subject", "max"])
const SUBJECT_NAMES: ReadonlySet<string> = new Set(["subject"])
const FLUSH_NAMES: ReadonlySet<string> = new Set(["timeoutMs"])
const CLOSE_NAMES: ReadonlySet<string> = new Set(["timeoutMs", "keepStore"])
const BUDGET_NAMES: ReadonlySet<string> = new Set([
  "store",
  "partition",
  "limits",
  "onExpire",
  "leaseMs",
  "maxLeaseMs",
  "onStoreFailure",
  "onAlert",
  "onWarning",
])

const BUDGET_ADVICE = {
  root: "Did you mean `partition`?",
  tenant: "Did you mean `partition`?",
  storeTimeoutMs: "Set the timeout in the options of the store.",
  timeoutMs: "Set the timeout in the options of the store.",
  maxHoldMs: "Did you mean `maxLeaseMs`?",
} as const

/**
 * Creates a budget: spending limits that are enforced through a store. Sends nothing before the first call.
 *
 * @example
 * const budget = createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: "1.00", per: "day" }] })
 * const result = await budget.reserve({ subject: { userId: "ada" }, amount: "0.05" })
 * if (result.ok) await result.reservation.settle("0.02")
 *
 * @throws InvalidArgumentError if an option or a limit is invalid.
 */
export function createBudget(options: BudgetOptions): Budget {
  checkOptions(options, BUDGET_NAMES, "options", BUDGET_ADVICE)
  return budgetOver(new BudgetContext(options), [])
}

function budgetOver(context: BudgetContext, childLimits: readonly PlannedLimit[]): Budget {
  const partitionFor = (subject: Subject | undefined) => context.partitionOf(readSubject(subject))
  return {
    store: context.givenStore,
    usage: new UsageQueries(context),
    get pending() {
      return context.unconfirmedSettles.size
    },
    partitionOf: partitionFor,
    reserve: (request) => reserve(context, childLimits, request),
    run: (request, call) => run(context, childLimits, request, call),
    resume: (idempotencyKey, request = {}) => resume(context, idempotencyKey, request),
    status: async (given, request = {}) => {
      const subject = readSubject(given)
      checkOptions(request, STATUS_NAMES)
      return readStatus(context, await context.limitsFor(subject, request.limits, childLimits), subject)
    },
    topUp: (target) => topUp(context, childLimits, target),
    reset: (target) => resetSpent(context, childLimits, target),
    correct: (request) => correct(context, request),
    child: (request) => {
      checkOptions(request, CHILD_NAMES)
      const id = toName(request.id ?? crypto.randomUUID(), "id")
      return budgetOver(context, [...childLimits, ...planChildLimit(id, request.limit)])
    },
    sweep: async (request = {}) => {
      checkOptions(request, SWEEP_NAMES)
      const { max = MAX_SWEEP } = request
      check(max, integerFrom(1), "max")
      return context.sweeper.sweep(partitionFor(request.subject), max)
    },
    check: async (request = {}) => {
      checkOptions(request, SUBJECT_NAMES)
      return context.check(partitionFor(request.subject))
    },
    acceptClock: async (request = {}) => {
      checkOptions(request, SUBJECT_NAMES)
      return acceptClock(context, partitionFor(request.subject))
    },
    flush: async (request = {}) => {
      checkOptions(request, FLUSH_NAMES)
      return flush(context, request.timeoutMs)
    },
    close: async (request = {}) => {
      checkOptions(request, CLOSE_NAMES)
      // The store and the heartbeats belong to the parent budget.
      if (childLimits.length > 0) await flush(context, request.timeoutMs)
      else await close(context, request)
    },
  }
}

async function acceptClock(context: BudgetContext, partition: string): Promise<{ now: number; before: number }> {
  const { store, clock } = context
  const { now, before } = await store.acceptClock({ partition })
  clock.update(partition, now)
  const key = crypto.randomUUID()
  await store.ledger?.record({
    partition,
    key,
    entry: {
      ...{ requestId: key, attempt: 1, model: "none", status: "audit", mode: "accept-clock" },
      ...{ tags: { before: `${before}`, now: `${now}` }, tokens: {} },
      ...{ reservedNanoUsd: 0, costNanoUsd: 0, costSource: "none" },
    },
  })
  return { now, before }
}

async function flush(context: BudgetContext, timeoutMs = DEFAULT_FLUSH_MS): Promise<boolean> {
  const denials = context.denials.flush()
  const isFlushed = await context.unconfirmedSettles.flush(timeoutMs)
  // Bounded: each write ends within the store's timeout.
  await denials
  return isFlushed
}

async function close(context: BudgetContext, options: CloseOptions): Promise<void> {
  context.isClosed = true
  const isFlushed = await flush(context, options.timeoutMs)
  const count = await context.unconfirmedSettles.giveUp()
  if (!isFlushed)
    context.warn(
      `Closed with ${plural(count, "unconfirmed settlement")}. A reservation that is not settled is charged by \`onExpire\` when its lease ends.`,
    )
  context.denials.stop()
  context.heartbeats.stopAll()
  await context.sweeper.stop()
  if (options.keepStore !== true) await context.givenStore.close?.()
}
