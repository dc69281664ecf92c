import {
  type Budget,
  BudgetExceededError,
  type Limit,
  type LimitStatus,
  type Reservation,
  type Subject,
  type UsageDraft,
  type UsageEntry,
} from "@p2/budget"
import { type Message, type NanoUsd, P2Error, type Request, type Usage } from "@p2/core"
import { UnexpectedError } from "../errors"
import type { AttemptReceipt, Settlement } from "../receipt"
import type { DeadlineRace } from "../transport/deadline-race"

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
  request: Request<unknown>
  requestId: string
  attempt: Pick<AttemptReceipt, "id" | "attempt" | "model" | "provider" | "mode" | "streamed">
  upperBoundNanoUsd: NanoUsd
  upperBoundTokens: number
}

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
  const draft = draftOf(call.request, call.attempt, call.upperBoundNanoUsd)
  const reserving = budget.reserve({
    id: call.attempt.id,
    subject: { ...subject, model: call.attempt.model, requestId: call.requestId },
    amount: { nanoUsd: call.upperBoundNanoUsd, tokens: call.upperBoundTokens },
    limits,
    draft,
  })
  try {
    const outcome = await race.race(reserving)
    if (outcome.ok) return { status: "reserved", reservation: outcome.reservation }
    return { status: "denied", error: outcome.error, remaining: remainingIn(outcome.error.all) }
  } catch (error) {
    const entry: UsageEntry = { ...draft, reservedNanoUsd: 0, status: "released", ...NOTHING_USED }
    const releasing = reserving.then<unknown>((late) => late.ok && late.reservation.release(entry))
    // If the release fails too, the lease expires by itself.
    waitFor(releasing).catch(() => {})
    return { status: "failed", error: P2Error.isInstance(error) ? error : new UnexpectedError(error) }
  }
}

const NOTHING_USED = { tokens: {}, costNanoUsd: 0, costSource: "none" } as const

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
  request: Request<unknown>,
  receipt: AttemptReceipt,
  tokens: number,
  content: RecordedContent | undefined,
): Promise<Settlement> {
  const entry = entryOf(request, receipt, content)
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

/** Writes a denied attempt to the ledger. Never rejects: statistics must not replace the denial. */
export async function recordDenial(
  { budget, subject }: CallBudget,
  request: Request<unknown>,
  receipt: AttemptReceipt,
  race: DeadlineRace,
): Promise<void> {
  await race.race(budget.usage.record(receipt.id, entryOf(request, receipt), { subject })).catch(() => {})
}

/** The denial by `maxBudget`, which is counted in this process. */
export function requestBudgetExceeded(
  request: Request<unknown>,
  remainingNanoUsd: NanoUsd,
  requestedNanoUsd: NanoUsd,
): BudgetExceededError {
  const limit = request.maxBudgetNanoUsd ?? 0
  return new BudgetExceededError([
    {
      scope: "request",
      window: "total",
      timeZone: null,
      unit: "nanoUsd",
      limit,
      granted: 0,
      spent: limit - remainingNanoUsd,
      reserved: 0,
      remaining: remainingNanoUsd,
      requested: requestedNanoUsd,
      startsAt: null,
      resetsAt: null,
      retryAfterMs: null,
    },
  ])
}

/** The least that remains in any of the limits. */
export function remainingIn(limits: readonly Pick<LimitStatus, "unit" | "remaining">[]): Remaining {
  const least = (unit: string) => {
    const amounts = limits.flatMap((limit) => (limit.unit === unit ? (limit.remaining ?? []) : []))
    return amounts.length === 0 ? undefined : Math.max(0, Math.min(...amounts))
  }
  return { nanoUsd: least("nanoUsd"), tokens: least("tokens") }
}

/** Bytes of a prompt or an answer in the ledger, as UTF-8. */
const MAX_CONTENT_BYTES = 65_536

function draftOf(request: Request<unknown>, attempt: ReserveCall["attempt"], reservedNanoUsd: NanoUsd): UsageDraft {
  return {
    requestId: attempt.id.slice(0, attempt.id.lastIndexOf(".")),
    attempt: attempt.attempt,
    clientId: request.clientId,
    userId: request.userId,
    tags: request.tags,
    model: attempt.model,
    provider: attempt.provider,
    mode: attempt.streamed ? `${attempt.mode}+stream` : attempt.mode,
    reservedNanoUsd,
  }
}

/** Spreading the draft here costs 50 µs per call, half of what the client adds to it (bench/overhead.mjs). */
function entryOf(request: Request<unknown>, receipt: AttemptReceipt, content?: RecordedContent): UsageEntry {
  const draft = draftOf(request, receipt, receipt.reservedNanoUsd)
  return {
    requestId: draft.requestId,
    attempt: draft.attempt,
    clientId: draft.clientId,
    userId: draft.userId,
    tags: draft.tags,
    model: draft.model,
    provider: draft.provider,
    mode: draft.mode,
    reservedNanoUsd: draft.reservedNanoUsd,
    status: receipt.status === "denied" ? "refused" : receipt.status,
    modelUsed: receipt.modelUsed,
    errorCode: receipt.errorCode,
    tokens: receipt.usage === undefined ? {} : countsOf(receipt.usage),
    costNanoUsd: receipt.costNanoUsd,
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
