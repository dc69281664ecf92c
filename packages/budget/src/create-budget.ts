import { InvalidArgumentError } from "@p2/core"
import { checkTarget, resetSpent, statusFor, topUp } from "./adjust-limits"
import type {
  Budget,
  BudgetOptions,
  CloseOptions,
  Reservation,
  RunOptions,
  RunOutcome,
  RunResult,
  Settlement,
} from "./budget"
import { BudgetContext } from "./budget-context"
import { ReservationHeldError, SettleMismatchError } from "./budget-errors"
import { nameOf } from "./cell-key"
import { checkOptions, checkSubject } from "./check-options"
import { correct } from "./correct"
import type { HeldReservation } from "./held-reservation"
import { LedgerQueries } from "./ledger-queries"
import type { Limit } from "./limit"
import { Plans } from "./plans"
import { childLimit, type ReadLimit, readLimits } from "./read-limits"
import { reserve } from "./reserve"
import type { Subject } from "./subject"

const DEFAULT_FLUSH_MS = 5_000
const SWEEP_STEP = 256
const STATUS_NAMES: ReadonlySet<string> = new Set(["limits"])
const CHILD_NAMES: ReadonlySet<string> = new Set(["limit", "id"])
const SWEEP_NAMES: ReadonlySet<string> = new Set(["subject", "max"])
const FLUSH_NAMES: ReadonlySet<string> = new Set(["timeoutMs"])
const CLOSE_NAMES: ReadonlySet<string> = new Set(["timeoutMs", "keepStore"])
const NAMES: ReadonlySet<string> = new Set([
  "store",
  "root",
  "limits",
  "onExpire",
  "leaseMs",
  "maxHoldMs",
  "storeTimeoutMs",
  "onStoreFailure",
  "onAlert",
  "onWarning",
])

/**
 * Limits over a store. Nothing is sent before the first call.
 *
 * @throws InvalidArgumentError when an option or a limit makes no sense.
 */
export function createBudget(options: BudgetOptions): Budget {
  checkOptions(options, NAMES, { expected: "with `store` and `limits`" })
  return budgetOf(new BudgetContext(options), [])
}

function budgetOf(context: BudgetContext, children: readonly ReadLimit[]): Budget {
  const plans = new Plans(children)
  const limitsFor = async (subject: Subject, extra?: readonly Limit[]) => [
    ...(await context.limitsOf(subject)),
    ...(extra === undefined ? [] : readLimits(extra, "limits")),
    ...children,
  ]
  const budget: Budget = {
    store: context.store,
    usage: new LedgerQueries(context),
    get pending() {
      return context.pending.size
    },
    rootOf: (subject = {}) => nameOf(context.root(subject), "root"),
    reserve: (request) => reserve(context, plans, request),
    run: (request, call) => run(budget, context.warn, request, call),
    status: async (subject = {}, more = {}) => {
      checkSubject(subject)
      checkOptions(more, STATUS_NAMES, { expected: "such as { limits }" })
      return statusFor(context, subject, await limitsFor(subject, more.limits))
    },
    topUp: async (target) => {
      checkTarget(target, "top-up")
      return topUp(context, await limitsFor(target.subject ?? {}), target)
    },
    reset: async (target) => {
      checkTarget(target, "reset")
      return resetSpent(context, await limitsFor(target.subject ?? {}), target)
    },
    correct: (request) => correct(context, request),
    child: (request) => {
      checkOptions(request, CHILD_NAMES, { expected: 'such as { limit: "0.50" }' })
      const { limit, id = crypto.randomUUID() } = request
      return budgetOf(context, [...children, ...childLimit(id, limit)])
    },
    sweep: async (request = {}) => {
      checkOptions(request, SWEEP_NAMES, { expected: "such as { max: 1_000 }" })
      return sweep(context, request.subject ?? {}, request.max ?? SWEEP_STEP)
    },
    check: () => context.check(),
    flush: async (request = {}) => {
      checkOptions(request, FLUSH_NAMES, { expected: "such as { timeoutMs: 5_000 }" })
      return context.pending.flush(request.timeoutMs ?? DEFAULT_FLUSH_MS)
    },
    close: async (request = {}) => {
      checkOptions(request, CLOSE_NAMES, { expected: "such as { timeoutMs: 5_000 }" })
      // The store and the heartbeats of others belong to the budget that the child was made of.
      return children.length > 0 ? closeChild(context, request) : close(context, request)
    },
  }
  return budget
}

async function run<T>(
  budget: Budget,
  warn: BudgetContext["warn"],
  options: RunOptions,
  call: (reservation: Reservation) => Promise<RunResult<T>>,
): Promise<RunOutcome<T>> {
  // Before money is set aside for a call that cannot be made.
  if (typeof call !== "function") throw new InvalidArgumentError("call", "a function that makes the call", call)
  checkOnError(options?.onError)
  const outcome = await budget.reserve(options)
  if (!outcome.ok) return outcome
  const { reservation } = outcome
  // An id made here is nobody else's: a store that sent it twice has found its own.
  if (reservation.replayed && options.id !== undefined) {
    // Whoever made it keeps it alive and settles it: two calls on one reservation would spend it twice.
    ;(reservation as HeldReservation).stopHeartbeat()
    throw new ReservationHeldError(reservation.id)
  }
  let result: RunResult<T>
  try {
    result = await call(reservation)
  } catch (error) {
    await resolveFailure(reservation, options.onError ?? "charge", error).catch((second: unknown) =>
      warn(`The failed call of reservation "${reservation.id}" could not be settled.`, second),
    )
    throw error
  }
  let settlement: Settlement
  try {
    settlement = await reservation.settle(result?.cost, result?.entry)
  } catch (error) {
    // The call was made, and what it cost makes no sense: the bound is charged, and the mistake is told.
    if (!(error instanceof SettleMismatchError)) await reservation.settle(reservation.amount)
    throw error
  }
  return { ok: true, value: result.value, settlement }
}

function checkOnError(onError: unknown): void {
  if (onError === undefined || onError === "charge" || onError === "release" || typeof onError === "function") return
  throw new InvalidArgumentError("onError", '"charge", "release" or a function of the error', onError)
}

const FAILED = { status: "failed" } as const

/** The call threw: what it cost is not known, unless the caller says so. */
async function resolveFailure(
  reservation: Reservation,
  onError: NonNullable<RunOptions["onError"]>,
  error: unknown,
): Promise<void> {
  try {
    const choice = typeof onError === "function" ? onError(error) : onError
    if (choice === "release") await reservation.release()
    else await reservation.settle(choice === "charge" ? reservation.amount : choice, undefined, FAILED)
  } catch (second) {
    // The callback broke, or said nothing that can be charged.
    if (!(second instanceof SettleMismatchError)) await reservation.settle(reservation.amount, undefined, FAILED)
    throw second
  }
}

async function sweep(
  context: BudgetContext,
  subject: Subject,
  max: number,
): Promise<{ expired: number; more: boolean }> {
  if (!Number.isSafeInteger(max) || max < 1) throw new InvalidArgumentError("max", "a whole number of at least 1", max)
  const root = nameOf(context.root(subject), "root")
  let expired = 0
  for (;;) {
    const answer = await context.call(() => context.store.sweep({ root, max: Math.min(SWEEP_STEP, max - expired) }))
    context.alerts.expired(root, answer.expired)
    expired += answer.expired.length
    if (!answer.more || expired >= max || answer.expired.length === 0) return { expired, more: answer.more }
  }
}

async function closeChild(context: BudgetContext, options: CloseOptions = {}): Promise<void> {
  await context.pending.flush(options.timeoutMs ?? DEFAULT_FLUSH_MS)
}

async function close(context: BudgetContext, options: CloseOptions = {}): Promise<void> {
  context.isClosed = true
  const isFlushed = await context.pending.flush(options.timeoutMs ?? DEFAULT_FLUSH_MS)
  const left = context.pending.giveUp()
  if (!isFlushed) {
    context.warn(`Closed with ${left} settlements that the store did not confirm; their leases decide what is charged.`)
  }
  context.hearts.stopAll()
  if (options.keepStore !== true) await context.store.close?.()
}
