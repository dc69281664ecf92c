import { AbortedError, InvalidArgumentError } from "@p2/core"
import { staleWindows } from "./adjust-limits"
import type { Amount, ReserveOptions, ReserveOutcome } from "./budget"
import { type BudgetContext, checkOnExpire } from "./budget-context"
import { IdMismatchError, ReservationResolvedError } from "./budget-errors"
import type { BudgetExceededError } from "./budget-exceeded-error"
import { nameOf } from "./cell-key"
import { checkOptions, checkSignal, checkSubject } from "./check-options"
import { HeldReservation, type Holding } from "./held-reservation"
import { endOf, endTurn, keyOf } from "./id-uses"
import type { UsageDraft } from "./ledger"
import { boundedEntry } from "./ledger-texts"
import { amountOf, cellsAt, fingerprintOf, type Plan, type PlannedCell } from "./plan"
import type { Plans } from "./plans"
import { readAmount } from "./read-amount"
import type { ReadLimit } from "./read-limits"
import { refusalOf } from "./refusal"
import type { Millis, ReserveCell, ReserveRequest, ReserveResult, SettleRequest } from "./store"
import { checkCells, isStoreError } from "./store-calls"
import { StoreError } from "./store-error"
import type { Subject, Unit } from "./subject"
import { checkWait, waitForRoom } from "./wait-for-room"

/** Windows change at most once while a call is under way; a third round means that the store contradicts itself. */
const MAX_ROUNDS = 3
/** How often a backlog of expired reservations is swept before a refusal stands. */
const MAX_SWEEPS = 8
const SWEEP_MAX = 256
const NAMES: ReadonlySet<string> = new Set([
  "subject",
  "amount",
  "id",
  "limits",
  "wait",
  "signal",
  "onExpire",
  "floor",
  "draft",
  "onError",
])

/** One call of `reserve`, everything checked and nothing sent. */
interface Asked extends Holding {
  floor: Amount | undefined
  signals: readonly AbortSignal[]
  /** What the store answered at once, where that is not the end of it. */
  told: Told | undefined
}

interface Told {
  cells: readonly PlannedCell[]
  answer: ReserveResult
}

/** Sets an amount aside in every scope that the call touches, all or nothing. */
export async function reserve(context: BudgetContext, plans: Plans, options: ReserveOptions): Promise<ReserveOutcome> {
  checkOptions(options, NAMES, { expected: "with `subject` and `amount`" })
  const { wait } = options
  checkSignal(options.signal, "signal")
  if (context.isClosed)
    throw new StoreError("The budget is closed. Make a new one.", { code: "unavailable", applied: "no" })
  if (wait !== undefined) checkWait(wait)
  const own = options.subject ?? {}
  checkSubject(own)
  const id = nameOf(options.id ?? crypto.randomUUID(), "id")
  const root = nameOf(context.root(own), "root")
  const amount = amountIn(options)
  const known = context.limitsOf(own)
  const subject = subjectOf(own, id)
  const plan = planOf(context, plans, options, subject, known instanceof Promise ? await known : known)
  const asked = ask(context, options, subject, { id, root, amount, plan })
  if (wait !== undefined) return waitForRoom(() => reserveOnce(context, asked), wait.timeoutMs, asked.signals)
  return reserveNow(context, asked) ?? (await reserveOnce(context, asked))
}

function amountIn(options: ReserveOptions): Amount {
  const { nanoUsd, tokens, requests = 1 } = readAmount(options.amount, "amount")
  return { nanoUsd, tokens, requests }
}

/** The subject, which is a request of its own unless it says of which it is a part. */
function subjectOf({ requestId, userId, clientId, model, tags }: Subject, id: string): Subject {
  return { requestId: requestId ?? id, userId, clientId, model, tags }
}

const NONE: readonly ReadLimit[] = []

function planOf(
  context: BudgetContext,
  plans: Plans,
  options: ReserveOptions,
  subject: Subject,
  known: readonly ReadLimit[],
): Plan {
  const extra = options.limits === undefined ? NONE : context.recentLimits.read(options.limits, "limits")
  return plans.planFor(subject, known, extra)
}

function ask(
  context: BudgetContext,
  options: ReserveOptions,
  subject: Subject,
  { id, root, amount, plan }: Pick<Asked, "id" | "root" | "amount" | "plan">,
): Asked {
  const onExpire = options.onExpire === undefined ? context.onExpire : checkOnExpire(options.onExpire, "onExpire")
  const floor = floorOf(onExpire, options, amount)
  for (const { limit } of plan.applied) amountOf(limit.unit, amount)
  const fingerprint = fingerprintOf(plan, amount, floor)
  const told = options.draft ?? draftOf(subject, amount)
  const draft: UsageDraft = boundedEntry(told, options.draft === undefined ? "subject" : "draft")
  draft.fingerprint = fingerprint
  // What the ledger says of an expired attempt is what its cell of money is charged.
  if (floor !== undefined) draft.expireCostNanoUsd = floor.nanoUsd ?? 0
  return {
    id,
    root,
    key: keyOf(root, id),
    amount,
    floor,
    plan,
    fingerprint,
    draft,
    signals: signalsOf(options),
    told: undefined,
  }
}

const NO_SIGNALS: readonly AbortSignal[] = []

function signalsOf({ wait, signal }: ReserveOptions): readonly AbortSignal[] {
  if (wait === undefined && signal === undefined) return NO_SIGNALS
  return [wait?.signal, signal].filter((one) => one !== undefined)
}

/** What is charged on expiry; undefined: everything. */
function floorOf(onExpire: string, options: ReserveOptions, amount: Amount): Amount | undefined {
  if (onExpire !== "floor" && options.floor !== undefined)
    throw new InvalidArgumentError("floor", 'absent unless `onExpire` is "floor"', options.floor)
  if (onExpire === "charge") return undefined
  if (onExpire === "release") return { nanoUsd: 0, tokens: 0, requests: 0 }
  if (options.floor === undefined)
    throw new InvalidArgumentError("floor", 'an amount, because `onExpire` is "floor"', options.floor)
  const floor = readAmount(options.floor, "floor")
  for (const unit of ["nanoUsd", "tokens", "requests"] as const)
    if ((floor[unit] ?? 0) > (amount[unit] ?? 0))
      throw new InvalidArgumentError(`floor.${unit}`, `at most the amount of ${amount[unit] ?? 0}`, floor[unit])
  // A unit without a floor is charged in full.
  return {
    nanoUsd: floor.nanoUsd ?? amount.nanoUsd,
    tokens: floor.tokens ?? amount.tokens,
    requests: floor.requests ?? amount.requests,
  }
}

function draftOf(subject: Subject, amount: Amount): UsageDraft {
  const { userId, clientId, tags, model } = subject
  return {
    requestId: subject.requestId!,
    attempt: 1,
    userId,
    clientId,
    tags,
    model: model ?? "unknown",
    reservedNanoUsd: amount.nanoUsd ?? 0,
    fingerprint: undefined,
  }
}

/** In one step, where the store answers at once. Undefined when it does not, or when more than that is needed. */
function reserveNow(context: BudgetContext, asked: Asked): ReserveOutcome | undefined {
  const { root, key, signals } = asked
  if (!context.isChecked || context.uses.isReserving(key) || context.pending.has(key)) return undefined
  throwIfAborted(signals)
  const cells = cellsAt(asked.plan, context.now())
  checkCount(cells, context.store.capabilities.maxCells)
  const request = requestOf(context, asked, cells)
  try {
    const answer = context.callNow(context.store.reserve, request)
    if (answer === undefined) return undefined
    checkCells(answer.cells, cells.length, context.store.name)
    if (answer.result === "stale-window" || (answer.result === "exceeded" && answer.backlog)) {
      asked.told = { cells, answer }
      return undefined
    }
    context.alerts.expired(root, answer.expired)
    return decide(context, asked, cells, answer)
  } catch (error) {
    return withoutAnswer(context, asked, request, error)
  }
}

/** When no other reserve of the same id is under way here. */
async function reserveOnce(context: BudgetContext, asked: Asked): Promise<ReserveOutcome> {
  const { signals, key } = asked
  const use = context.uses.enter(key)
  while (use.isReserving) await endOf(use)
  use.isReserving = true
  try {
    throwIfAborted(signals)
    if (context.pending.has(key)) throw notConfirmed(asked.id)
    const sent: Sent = { request: undefined }
    try {
      if (!context.isChecked) await context.requireChecked()
      const asking = askStore(context, asked, sent)
      if (signals.length === 0) return await asking
      return await untilAborted(asking, signals, () => releaseLater(context, key, sent.request!))
    } catch (error) {
      return withoutAnswer(context, asked, sent.request, error)
    }
  } finally {
    endTurn(use)
    context.uses.leave(use)
  }
}

/** The last request that the store was sent. */
interface Sent {
  request: ReserveRequest | undefined
}

function notConfirmed(id: string): StoreError {
  return new StoreError(`An earlier use of the id "${id}" is not confirmed by the store yet: reserve under a new id.`, {
    code: "unavailable",
    applied: "no",
  })
}

/** Admits what may be admitted while the store is down. @throws the error, for everything else */
function withoutAnswer(
  context: BudgetContext,
  asked: Asked,
  sent: ReserveRequest | undefined,
  error: unknown,
): ReserveOutcome {
  const allowed = isStoreError(error) && error.code === "unavailable" ? allow(context, asked) : undefined
  if (allowed !== undefined) return { ok: true, reservation: allowed }
  const isMaybeHeld = sent !== undefined && !(isStoreError(error) && error.applied === "no") && isUnanswered(error)
  if (isMaybeHeld) releaseLater(context, asked.key, sent)
  throw error
}

/** Sends the reserve, again with other windows while the store says so, and again after sweeping. */
async function askStore(context: BudgetContext, asked: Asked, sent: Sent): Promise<ReserveOutcome> {
  const { root } = asked
  let now = context.now()
  let [rounds, sweeps] = [0, 0]
  for (;;) {
    throwIfAborted(asked.signals)
    const { cells, answer } = asked.told ?? (await askOnce(context, asked, sent, now))
    asked.told = undefined
    context.alerts.expired(root, answer.expired)
    if (answer.result === "stale-window" && ++rounds < MAX_ROUNDS) {
      now = answer.now
      continue
    }
    if (answer.result === "exceeded" && answer.backlog && sweeps++ < MAX_SWEEPS) {
      const swept = await context.call(() => context.store.sweep({ root, max: SWEEP_MAX }))
      context.alerts.expired(root, swept.expired)
      now = swept.now
      continue
    }
    return decide(context, asked, cells, answer)
  }
}

async function askOnce(context: BudgetContext, asked: Asked, sent: Sent, now: Millis): Promise<Told> {
  const cells = cellsAt(asked.plan, now)
  checkCount(cells, context.store.capabilities.maxCells)
  const request = requestOf(context, asked, cells)
  sent.request = request
  const answer = await context.call(() => context.store.reserve(request))
  checkCells(answer.cells, cells.length, context.store.name)
  return { cells, answer }
}

function decide(
  context: BudgetContext,
  asked: Asked,
  cells: readonly PlannedCell[],
  answer: ReserveResult,
): ReserveOutcome {
  const { id } = asked
  if (answer.result === "ok") {
    context.alerts.remember(asked.root, cells)
    return { ok: true, reservation: new HeldReservation(context, asked, cells, answer) }
  }
  if (answer.result === "exceeded") return { ok: false, error: refused(asked, cells, answer) }
  if (answer.result === "mismatch") throw new IdMismatchError(id)
  if (answer.result === "resolved") throw new ReservationResolvedError(id, answer.state)
  throw staleWindows(context.store.name, MAX_ROUNDS)
}

function refused(
  { amount }: Asked,
  cells: readonly PlannedCell[],
  answer: Extract<ReserveResult, { result: "exceeded" }>,
): BudgetExceededError {
  const requested = (cell: PlannedCell) => amountOf(cell.limits[0]!.unit, amount)
  return refusalOf(cells, answer.cells, answer.which, requested, answer.now)
}

function requestOf(context: BudgetContext, asked: Asked, cells: readonly PlannedCell[]): ReserveRequest {
  const { root, id, fingerprint, amount, draft, floor = amount } = asked
  // Pushed, here and for a settle: V8 makes of `map` a list of one kind or of another, and what reads it starts anew.
  const asks: ReserveCell[] = []
  for (const { key, startsAt, endsAt, keepMs, limits } of cells) {
    const { unit, limit } = limits[0]!
    asks.push({ key, startsAt, endsAt, keepMs, amount: amountOf(unit, amount), limit, onExpire: floor[unit] ?? 0 })
  }
  return {
    root,
    id,
    fingerprint,
    cells: asks,
    leaseMs: context.leaseMs,
    draft: context.store.ledger === undefined ? undefined : draft,
  }
}

function checkCount(cells: readonly PlannedCell[], max: number): void {
  if (cells.length > max)
    throw new InvalidArgumentError("limits", `at most ${max} cells for one call in this store`, cells)
}

function throwIfAborted(signals: readonly AbortSignal[]): void {
  for (const signal of signals) if (signal.aborted) throw new AbortedError("reserve", signal)
}

/** Gives the call up when a signal fires. Its answer may still come: then what it holds has no owner. */
function untilAborted(
  asking: Promise<ReserveOutcome>,
  signals: readonly AbortSignal[],
  giveBack: () => void,
): Promise<ReserveOutcome> {
  return new Promise((resolve, reject) => {
    // In the same step as the end: what was handed out must not be given back by a signal that comes later.
    const stopListening = () => {
      for (const signal of signals) signal.removeEventListener("abort", abort)
    }
    const abort = () => {
      stopListening()
      const fired = signals.find((signal) => signal.aborted)
      reject(new AbortedError("reserve", fired))
      asking.then(
        (late) => {
          if (!late.ok) return
          ;(late.reservation as HeldReservation).stopHeartbeat()
          giveBack()
        },
        () => {},
      )
    }
    for (const signal of signals) signal.addEventListener("abort", abort, { once: true })
    asking.finally(stopListening).then(resolve, reject)
  })
}

/** Whether the store never said how the reserve went. */
function isUnanswered(error: unknown): boolean {
  return isStoreError(error) || error instanceof AbortedError
}

/** What may be held without an owner is given back, until the store confirms it. */
function releaseLater(context: BudgetContext, key: string, request: ReserveRequest): void {
  // It has an owner: the reserve that was not answered can only have found what an earlier one made.
  if (context.uses.isHeld(key) || context.pending.has(key)) return
  const release: SettleRequest = {
    root: request.root,
    id: request.id,
    fingerprint: request.fingerprint,
    outcome: "release",
    revision: 0,
    cells: request.cells.map(({ key, startsAt, endsAt, keepMs, amount }) => ({
      key,
      startsAt,
      endsAt,
      keepMs,
      reserved: amount,
      amount: 0,
    })),
    expiresAt: context.now() + request.leaseMs,
  }
  context.pending.add(release, () => {})
}

/** The user's written choice for a store that is down. */
function allow(context: BudgetContext, asked: Asked): HeldReservation | undefined {
  const { allowance } = context
  const { amount, plan } = asked
  const units = new Set<Unit>(plan.applied.map(({ limit }) => limit.unit))
  if (allowance === undefined || !allowance.admit(amount, units)) return undefined
  return new HeldReservation(context, asked, cellsAt(plan, context.now()), undefined)
}
