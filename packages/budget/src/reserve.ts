import { AbortedError, InvalidArgumentError } from "@p2/core"
import { staleWindows } from "./adjust-limits"
import type { Amount, ReserveOptions, ReserveOutcome } from "./budget"
import { type BudgetContext, checkOnExpire } from "./budget-context"
import { IdMismatchError, ReservationResolvedError } from "./budget-errors"
import type { BudgetExceededError } from "./budget-exceeded-error"
import { nameOf } from "./cell-key"
import { checkOptions, checkSignal, checkSubject } from "./check-options"
import { HeldReservation, type Holding } from "./held-reservation"
import type { UsageDraft } from "./ledger"
import { amountOf, cellsAt, fingerprintOf, type Plan, type PlannedCell, planFor, statusesOf } from "./plan"
import { readAmount } from "./read-amount"
import { type ReadLimit, readLimits } from "./read-limits"
import { refusalOf } from "./refusal"
import type { ReserveRequest, ReserveResult, SettleRequest } from "./store"
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
interface Asked {
  id: string
  root: string
  amount: Amount
  floor: Amount | undefined
  plan: Plan
  fingerprint: string
  draft: UsageDraft
  expiring: (cell: PlannedCell) => number
  signals: readonly AbortSignal[]
}

/** Sets an amount aside in every scope that the call touches, all or nothing. */
export async function reserve(
  context: BudgetContext,
  children: readonly ReadLimit[],
  options: ReserveOptions,
): Promise<ReserveOutcome> {
  checkOptions(options, NAMES, { expected: "with `subject` and `amount`" })
  const { wait } = options
  checkSignal(options.signal, "signal")
  if (context.isClosed)
    throw new StoreError("The budget is closed. Make a new one.", { code: "unavailable", applied: "no" })
  if (wait !== undefined) checkWait(wait)
  const asked = await ask(context, children, options)
  const once = () => alone(context, asked, () => reserveOnce(context, asked))
  if (wait === undefined) return once()
  return waitForRoom(once, wait.timeoutMs, asked.signals)
}

async function ask(context: BudgetContext, children: readonly ReadLimit[], options: ReserveOptions): Promise<Asked> {
  const own = options.subject ?? {}
  checkSubject(own)
  const id = nameOf(options.id ?? crypto.randomUUID(), "id")
  const subject: Subject = { ...own, requestId: own.requestId ?? id }
  const root = nameOf(context.root(own), "root")
  const given = readAmount(options.amount, "amount")
  const amount: Amount = { nanoUsd: given.nanoUsd, tokens: given.tokens, requests: given.requests ?? 1 }
  const known = await context.limitsOf(own)
  const extra = options.limits === undefined ? [] : readLimits(options.limits, "limits")
  const plan = planFor(subject, [...known, ...extra, ...children], "mistake")
  const onExpire = options.onExpire === undefined ? context.onExpire : checkOnExpire(options.onExpire, "onExpire")
  const floor = floorOf(onExpire, options, amount)
  for (const { limit } of plan.applied) amountOf(limit.unit, amount)
  const fingerprint = fingerprintOf(plan, amount, floor)
  const draft: UsageDraft = { ...(options.draft ?? draftOf(subject, amount)), fingerprint }
  // What the ledger says of an expired attempt is what its cell of money is charged.
  if (floor !== undefined) draft.expireCostNanoUsd = floor.nanoUsd ?? 0
  const expiring = (cell: PlannedCell) => (floor ?? amount)[cell.limits[0]!.unit] ?? 0
  const signals = [options.wait?.signal, options.signal].filter((signal) => signal !== undefined)
  return { id, root, amount, floor, plan, fingerprint, draft, expiring, signals }
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
    requestId: nameOf(subject.requestId, "subject.requestId"),
    attempt: 1,
    userId,
    clientId,
    tags: tags === undefined ? undefined : { ...tags },
    model: model ?? "unknown",
    reservedNanoUsd: amount.nanoUsd ?? 0,
  }
}

/** Runs when no other reserve of the same id is under way here. */
async function alone<T>(context: BudgetContext, { root, id }: Asked, run: () => Promise<T>): Promise<T> {
  const key = `${root} ${id}`
  for (let other = context.reserving.get(key); other !== undefined; other = context.reserving.get(key))
    await other.catch(() => {})
  const running = run()
  context.reserving.set(key, running)
  try {
    return await running
  } finally {
    context.reserving.delete(key)
  }
}

async function reserveOnce(context: BudgetContext, asked: Asked): Promise<ReserveOutcome> {
  const { signals, root, id } = asked
  throwIfAborted(signals)
  if (context.pending.has(root, id))
    throw new StoreError(
      `An earlier use of the id "${id}" is not confirmed by the store yet: reserve under a new id.`,
      {
        code: "unavailable",
        applied: "no",
      },
    )
  let sent: ReserveRequest | undefined
  try {
    await context.requireChecked()
    const asking = askStore(context, asked, (request) => {
      sent = request
    })
    return signals.length === 0 ? await asking : await untilAborted(asking, signals, () => releaseLater(context, sent!))
  } catch (error) {
    const isMaybeHeld = sent !== undefined && !(isStoreError(error) && error.applied === "no") && isUnanswered(error)
    const allowed = isStoreError(error) && error.code === "unavailable" ? allow(context, asked) : undefined
    if (allowed !== undefined) return { ok: true, reservation: allowed }
    if (isMaybeHeld) releaseLater(context, sent!)
    throw error
  }
}

/** Sends the reserve, again with other windows while the store says so, and again after sweeping. */
async function askStore(
  context: BudgetContext,
  asked: Asked,
  sending: (request: ReserveRequest) => void,
): Promise<ReserveOutcome> {
  const { root } = asked
  let now = context.now()
  let [rounds, sweeps] = [0, 0]
  for (;;) {
    throwIfAborted(asked.signals)
    const cells = cellsAt(asked.plan, now)
    checkCount(cells, context.store.capabilities.maxCells)
    const request = requestOf(context, asked, cells)
    sending(request)
    const answer = await context.call(() => context.store.reserve(request))
    checkCells(answer.cells, cells.length, context.store.name)
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

function decide(
  context: BudgetContext,
  asked: Asked,
  cells: readonly PlannedCell[],
  answer: ReserveResult,
): ReserveOutcome {
  const { id, root, amount, fingerprint, draft } = asked
  if (answer.result === "ok") {
    context.alerts.remember(root, cells)
    const { expiresAt, replayed } = answer
    const statuses = statusesOf(asked.plan, cells, answer.cells, "smallest")
    const holding: Holding = { id, root, amount, fingerprint, cells, statuses, expiresAt, replayed, draft }
    return { ok: true, reservation: new HeldReservation(context, holding) }
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
  const { root, id, fingerprint, amount, draft, expiring } = asked
  return {
    root,
    id,
    fingerprint,
    cells: cells.map((cell) => ({
      key: cell.key,
      startsAt: cell.startsAt,
      endsAt: cell.endsAt,
      keepMs: cell.keepMs,
      amount: amountOf(cell.limits[0]!.unit, amount),
      limit: cell.limits[0]!.limit,
      onExpire: expiring(cell),
    })),
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
function releaseLater(context: BudgetContext, request: ReserveRequest): void {
  // It has an owner: the reserve that was not answered can only have found what an earlier one made.
  if (context.isInUse(request.root, request.id)) return
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
  const { id, root, amount, fingerprint, draft, plan } = asked
  const units = new Set<Unit>(plan.applied.map(({ limit }) => limit.unit))
  if (allowance === undefined || !allowance.admit(amount, units)) return undefined
  const cells = cellsAt(plan, context.now())
  return new HeldReservation(context, {
    id,
    root,
    amount,
    fingerprint,
    cells,
    statuses: [],
    expiresAt: null,
    replayed: false,
    draft,
  })
}
