import {
  type Budget,
  BudgetExceededError,
  type Limit,
  type LimitStatus,
  type Reservation,
  type Subject,
  type UsageEntry,
} from "@p2/budget"
import { type Message, type NanoUsd, P2Error, type Request, toUsdNumber, type Usage } from "@p2/core"
import { UnexpectedError } from "../errors"
import type { AttemptReceipt, SettlementStatus } from "../receipt"
import { DeadlineRace } from "../transport/deadline-race"

/** The budget that a call reserves in, the subject of the call, and the limits of its request. */
export interface CallBudget {
  budget: Budget
  subject: Subject
  limits: readonly Limit[]
}

/** The smallest remaining amount of all limits, in money and in tokens; undefined: no such limit. */
export interface Remaining {
  nanoUsd?: number | undefined
  tokens?: number | undefined
}

/** An attempt that ended without a reservation, so nothing was sent. */
export type Unreserved =
  /** A limit denied it. `remaining` is what the denying scopes have; undefined when the store was not called. */
  | { status: "denied"; error: P2Error; remaining: Remaining | undefined }
  /** The store failed, or the race ended before the store replied. */
  | { status: "not-reserved"; error: P2Error }

type AttemptIdentity = Pick<AttemptReceipt, "id" | "attempt" | "model" | "provider" | "mode" | "streamed">

/**
 * Reserves the upper bound of a call in all scopes or in none. One round trip to the store. `waitFor` keeps the client
 * open until a reservation that arrives after the race has ended is released.
 */
export async function reserveCall(
  { budget, subject, limits }: CallBudget,
  requestId: string,
  attempt: AttemptIdentity,
  upperBound: { nanoUsd: NanoUsd; tokens: number },
  { race, waitFor }: { race: DeadlineRace; waitFor: (work: Promise<unknown>) => Promise<unknown> },
): Promise<{ status: "reserved"; reservation: Reservation } | Unreserved> {
  if (race.error !== undefined) return { status: "not-reserved", error: race.error }
  const reserving = budget.reserve({
    idempotencyKey: attempt.id,
    // The id of an attempt is new: no other call uses it.
    releaseUnanswered: true,
    subject: { ...subject, model: attempt.model, requestId },
    amount: upperBound,
    limits,
    entry: identityOf(attempt),
    // The request records its denial when it ends, because another attempt may follow.
    recordDenial: false,
  })
  try {
    const outcome = await race.wait(reserving)
    if (outcome.ok) return { status: "reserved", reservation: outcome.reservation }
    return { status: "denied", error: outcome.error, remaining: remainingIn(outcome.error.all) }
  } catch (error) {
    const releasing = reserving.then<unknown>((late) => late.ok && late.reservation.release())
    // If the release fails too, the lease expires by itself.
    waitFor(releasing).catch(() => {})
    return { status: "not-reserved", error: P2Error.isInstance(error) ? error : new UnexpectedError(error) }
  }
}

/** The prompt and the answer, for the ledger. */
export interface RecordedContent {
  prompt: readonly Message[]
  answer: string
}

/**
 * Settles a reservation with the cost of the call, or releases it, and writes the usage entry in the same round trip.
 * Never rejects, because a failed settle must not lose the answer. The budget retries a `pending` settle.
 */
export async function settleCall(
  reservation: Reservation,
  receipt: AttemptReceipt,
  tokens: number,
  content: RecordedContent | undefined,
): Promise<SettlementStatus> {
  const entry = entryOf(receipt, content)
  try {
    const settled =
      receipt.status === "released"
        ? await reservation.release(entry)
        : await reservation.settle({ nanoUsd: receipt.costNanoUsd, tokens }, entry)
    return settled.status === "pending" ? "pending" : "settled"
  } catch {
    return "pending"
  }
}

/**
 * Records in the ledger that a request was denied before anything was sent. Never rejects, and waits for the store until
 * the total deadline at most, because a failure to record must not replace the denial.
 */
export async function recordDenial(
  { budget, subject }: CallBudget,
  requestId: string,
  attempt: AttemptReceipt,
  deadline: { signal: AbortSignal | undefined; remainingMs: number },
): Promise<void> {
  const race = new DeadlineRace(deadline.signal)
  race.start("total", deadline.remainingMs)
  const { userId, clientId, tags } = subject
  const { model, errorCode } = attempt
  const entry = { ...identityOf(attempt), requestId, userId, clientId, tags: tags && { ...tags }, model, errorCode }
  await race.wait(budget.usage.recordDenial(entry, { subject })).catch(() => {})
  race.finish({ abortTransport: false })
}

/** The denial by `maxBudget`. This process counts `maxBudget`; no store does. */
export function requestBudgetExceeded(
  request: Request<unknown>,
  remainingNanoUsd: NanoUsd,
  requestedNanoUsd: NanoUsd,
): BudgetExceededError {
  const limitNanoUsd = request.maxBudgetNanoUsd ?? 0
  const spentNanoUsd = limitNanoUsd - remainingNanoUsd
  return new BudgetExceededError([
    {
      scope: "request",
      window: "total",
      timeZone: null,
      unit: "usd",
      limit: toUsdNumber(limitNanoUsd),
      limitNanoUsd,
      granted: 0,
      grantedNanoUsd: 0,
      spent: toUsdNumber(spentNanoUsd),
      spentNanoUsd,
      reserved: 0,
      reservedNanoUsd: 0,
      remaining: toUsdNumber(remainingNanoUsd),
      remainingNanoUsd,
      requested: toUsdNumber(requestedNanoUsd),
      requestedNanoUsd,
      startsAt: null,
      resetsAt: null,
      retryAfterMs: null,
    },
  ])
}

/** The smallest remaining amounts of the limits. */
export function remainingIn(limits: readonly LimitStatus[]): Remaining {
  const smallest = (amounts: (number | null)[]) => {
    const limited = amounts.filter((amount) => amount !== null)
    return limited.length === 0 ? undefined : Math.max(0, Math.min(...limited))
  }
  return {
    nanoUsd: smallest(limits.map(({ remainingNanoUsd }) => remainingNanoUsd)),
    tokens: smallest(limits.map(({ unit, remaining }) => (unit === "tokens" ? remaining : null))),
  }
}

/** The largest prompt or answer in the ledger, in UTF-8 bytes. */
const MAX_CONTENT_BYTES = 65_536

/** The fields of a usage entry that are known before the attempt is sent. The budget adds those of the subject. */
function identityOf({ attempt, provider, mode, streamed }: AttemptIdentity): Partial<UsageEntry> {
  return { attempt, provider, mode: streamed ? `${mode}+stream` : mode }
}

/** The fields of a usage entry that are known when the attempt has ended. */
function entryOf(receipt: AttemptReceipt, content: RecordedContent | undefined): Partial<UsageEntry> {
  return {
    status: receipt.status,
    modelUsed: receipt.modelUsed,
    errorCode: receipt.errorCode,
    tokens: receipt.usage === undefined ? {} : countsOf(receipt.usage),
    costSource: receipt.costSource,
    tableCostNanoUsd: receipt.tableCostNanoUsd,
    durationMs: Math.round(receipt.timings.totalMs),
    generationId: receipt.generationId,
    prompt: content && cutToBytes(JSON.stringify(content.prompt)),
    answer: content && cutToBytes(content.answer),
  }
}

function countsOf({ raw: _raw, ...counts }: Usage): Record<string, number> {
  return counts as Record<string, number>
}

function cutToBytes(text: string): string {
  const bytes = new TextEncoder().encode(text)
  if (bytes.byteLength <= MAX_CONTENT_BYTES) return text
  // With `stream` the decoder drops a code point that was cut in two.
  return new TextDecoder().decode(bytes.subarray(0, MAX_CONTENT_BYTES), { stream: true })
}
