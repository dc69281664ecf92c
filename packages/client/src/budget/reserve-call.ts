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
import type { AttemptReceipt, Settlement } from "../receipt"
import { DeadlineRace } from "../transport/deadline-race"

/** An open budget, whose call this is, and the limits of its request. */
export interface CallBudget {
  budget: Budget
  subject: Subject
  limits: readonly Limit[]
}

/** The least that remains in any scope, in money and in tokens; undefined: no such limit. */
export interface Remaining {
  nanoUsd?: number | undefined
  tokens?: number | undefined
}

/** One call to reserve. */
export interface ReserveCall {
  requestId: string
  attempt: AttemptIdentity
  upperBoundNanoUsd: NanoUsd
  upperBoundTokens: number
}

type AttemptIdentity = Pick<AttemptReceipt, "id" | "attempt" | "model" | "provider" | "mode" | "streamed">

/** What the store replied to a reserve. `failed`: it did not reply in time, or the race ended first. */
export type StoreReply =
  | { status: "reserved"; reservation: Reservation }
  | { status: "denied"; error: BudgetExceededError; remaining: Remaining }
  | { status: "failed"; error: P2Error }

/**
 * Reserves the upper bound of a call in all scopes or in none. One round trip to the store. `waitFor` keeps the client
 * open until a reservation that arrives after the race has ended is released.
 */
export async function reserveCall(
  { budget, subject, limits }: CallBudget,
  call: ReserveCall,
  { race, waitFor }: { race: DeadlineRace; waitFor: (work: Promise<unknown>) => Promise<unknown> },
): Promise<StoreReply> {
  if (race.error !== undefined) return { status: "failed", error: race.error }
  const reserving = budget.reserve({
    idempotencyKey: call.attempt.id,
    subject: { ...subject, model: call.attempt.model, requestId: call.requestId },
    amount: { nanoUsd: call.upperBoundNanoUsd, tokens: call.upperBoundTokens },
    limits,
    entry: identityOf(call.attempt),
    // Another attempt may follow: the request records its denial when it ends.
    recordDenial: false,
  })
  try {
    const outcome = await race.race(reserving)
    if (outcome.ok) return { status: "reserved", reservation: outcome.reservation }
    return { status: "denied", error: outcome.error, remaining: remainingIn(outcome.error.all) }
  } catch (error) {
    const releasing = reserving.then<unknown>((late) => late.ok && late.reservation.release())
    // If the release fails too, the lease expires by itself.
    waitFor(releasing).catch(() => {})
    return { status: "failed", error: P2Error.isInstance(error) ? error : new UnexpectedError(error) }
  }
}

/** The prompt and the answer, for the ledger. */
export interface RecordedContent {
  prompt: readonly Message[]
  answer: string
}

/**
 * Settles a reservation with the cost of the call, or releases it, and writes the usage entry in the same round trip.
 * Never rejects: the answer is worth more than the confirmation. The budget retries what is `pending`.
 */
export async function settleCall(
  reservation: Reservation,
  receipt: AttemptReceipt,
  tokens: number,
  content: RecordedContent | undefined,
): Promise<Settlement> {
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
 * Records in the ledger that a request was denied before anything was sent. Never rejects, and waits for the store no
 * longer than the total deadline: statistics must not replace the denial.
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
  await race.race(budget.usage.recordDenial(entry, { subject })).catch(() => {})
  race.finish({ abortTransport: false })
}

/** The denial by `maxBudget`, which is counted in this process. */
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

/** The least that remains in any of the limits. */
export function remainingIn(limits: readonly LimitStatus[]): Remaining {
  const least = (amounts: (number | null)[]) => {
    const limited = amounts.filter((amount) => amount !== null)
    return limited.length === 0 ? undefined : Math.max(0, Math.min(...limited))
  }
  return {
    nanoUsd: least(limits.map(({ remainingNanoUsd }) => remainingNanoUsd)),
    tokens: least(limits.map(({ unit, remaining }) => (unit === "tokens" ? remaining : null))),
  }
}

/** Bytes of a prompt or an answer in the ledger, as UTF-8. */
const MAX_CONTENT_BYTES = 65_536

/** What an entry has of an attempt before it is sent. The subject has the rest. */
function identityOf({ attempt, provider, mode, streamed }: AttemptIdentity): Partial<UsageEntry> {
  return { attempt, provider, mode: streamed ? `${mode}+stream` : mode }
}

/** What an entry has of an attempt after it has ended. */
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
