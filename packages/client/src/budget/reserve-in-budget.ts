import type { UsageEntry } from "@p2/budget"
import { type Message, P2Error, USAGE_COUNTS, type Usage } from "@p2/core"
import {
  type AttemptReserveResult,
  type Charge,
  type ReservedAttempt,
  reserveAttempt,
  settleAttempt,
} from "@p2/guard/charge"
import type { MeterReading } from "@p2/guard/protocols"
import { UnexpectedError } from "../errors"
import { type AttemptPlan, attemptId, type GenerateCall } from "../generate/generate-call"
import type { Verdict } from "../generate/judge-answer"
import type { AttemptReceipt, SettlementStatus } from "../receipt"
import { DeadlineRace } from "../transport/deadline-race"

/** A wait ends this long before the total deadline, so that its error is the denial with its numbers. */
const WAIT_MARGIN_MS = 100

/**
 * Reserves the upper bound of an attempt in all scopes or in none. `not-reserved`: the store failed, the race ended before
 * the store replied, or the budget found a usage error. A reservation that arrives after the race has ended is released, and keeps the client open until then.
 * @param remainingMs until the total deadline
 */
export async function reserveInBudget(
  call: GenerateCall,
  plan: AttemptPlan,
  race: DeadlineRace,
  remainingMs: number,
): Promise<AttemptReserveResult | { status: "not-reserved"; error: P2Error; wait?: undefined }> {
  if (race.error !== undefined) return { status: "not-reserved", error: race.error }
  const { budget, limits, requestId, waitFor, wait, onAlert } = call
  const { userId, clientId, tags } = call.subject
  const { route, settings } = plan
  const reserving = reserveAttempt({
    budget,
    provider: route.provider.name,
    model: route.model,
    idempotencyKey: attemptId(call, settings),
    // The id of an attempt is new: no other call uses it, except that another process may run the same batch.
    releaseUnanswered: true,
    exclusive: call.isResumable,
    subject: { userId, clientId, tags, model: route.model, requestId },
    amount: { nanoUsd: plan.upperBoundNanoUsd, tokens: plan.inputUpperBound + plan.maxTokens },
    limits,
    entry: plannedEntry({
      attempt: settings.attempt,
      mode: settings.mode,
      provider: route.provider.name,
      streamed: plan.streamed,
    }),
    wait: waitWithin(wait, remainingMs),
    signal: race.signal,
    onAlert,
    // The request records its denial when it ends, because another attempt may follow.
    recordDenial: false,
  })
  try {
    return await race.wait(reserving)
  } catch (error) {
    const releasing = reserving.then<unknown>(
      (late) => late.status === "reserved" && settleAttempt(late.attempt, { status: "released" }),
    )
    // If the release fails too, the budget repeats it until the lease expires.
    waitFor(releasing).catch(() => {})
    const failure = race.error ?? error
    return { status: "not-reserved", error: P2Error.isInstance(failure) ? failure : new UnexpectedError(failure) }
  }
}

/** A wait that ends before the total deadline. */
export function waitWithin(wait: GenerateCall["wait"], remainingMs: number): GenerateCall["wait"] {
  return wait && { timeoutMs: Math.floor(Math.max(0, Math.min(wait.timeoutMs, remainingMs - WAIT_MARGIN_MS))) }
}

/**
 * Settles an attempt with its charge, or releases it, and writes the usage entry in the same round trip. Never rejects,
 * because a failed settle must not lose the answer. `pending`: the store has not confirmed it. The budget sends it again if the
 * store failed.
 */
export async function settleInBudget(
  attempt: ReservedAttempt,
  charge: Charge,
  entry: Partial<UsageEntry>,
): Promise<SettlementStatus> {
  try {
    const settlement = await settleAttempt(attempt, charge, entry)
    return settlement.status === "pending" ? "pending" : "settled"
  } catch {
    return "pending"
  }
}

/**
 * Records in the ledger that a request was denied before anything was sent. Never rejects, and waits for the store no
 * longer than the total deadline, because a failure to record must not replace the denial.
 */
export async function recordDeniedRequest(
  call: GenerateCall,
  last: AttemptReceipt,
  remainingMs: number,
): Promise<void> {
  const { budget, subject, requestId, signal } = call
  const race = new DeadlineRace(signal)
  race.start("total", remainingMs)
  const { userId, clientId, tags } = subject
  const { model, errorCode } = last
  const entry = {
    ...plannedEntry(last),
    requestId,
    userId,
    clientId,
    tags: tags && { ...tags },
    model,
    errorCode,
  }
  // Keeps the client open until a record that arrives after the deadline is written.
  const recording = call.waitFor(budget.usage.recordDenial(entry, { subject }))
  await race.wait(recording).catch(() => {})
  race.finish({ abortTransport: false })
}

// ── The usage entry of an attempt ──

/** The fields of a usage entry that are known before the attempt is sent. The budget adds those of the subject. */
function plannedEntry({
  attempt,
  provider,
  mode,
  streamed,
}: Pick<AttemptReceipt, "attempt" | "provider" | "mode" | "streamed">): Partial<UsageEntry> {
  return { attempt, provider, mode: streamed ? `${mode}+stream` : mode }
}

/** The other fields, for an attempt with a reservation. The budget adds the charge. */
export function settledEntry(
  call: GenerateCall,
  plan: AttemptPlan,
  { model, usage, generationId }: MeterReading,
  verdict: Verdict,
  { status, durationMs }: { status: AttemptReceipt["status"]; durationMs: number },
): Partial<UsageEntry> {
  const content = contentOf(call, plan, verdict)
  return {
    status,
    modelUsed: model,
    errorCode: verdict.status === "failed" ? verdict.error.code : undefined,
    tokens: tokensOf(usage?.usage),
    durationMs: Math.round(durationMs),
    generationId,
    prompt: content?.prompt,
    answer: content?.answer,
  }
}

/** The counts of a usage. */
function tokensOf(usage: Usage | undefined): Record<string, number> {
  const counts: Record<string, number> = {}
  if (usage === undefined) return counts
  for (const name of USAGE_COUNTS) {
    const count = usage[name]
    if (count !== undefined) counts[name] = count
  }
  return counts
}

/** The answer of a resumable request is recorded whole, or not at all. */
function contentOf(
  { recordContent, isResumable }: GenerateCall,
  { messages }: AttemptPlan,
  verdict: Verdict,
): Partial<UsageEntry> | undefined {
  const content = recordContent || isResumable ? cutContent(messages, verdict.text) : undefined
  if (content === undefined || !isResumable) return content
  const isWhole = verdict.status === "answered" && content.answer === verdict.text
  return { prompt: recordContent ? content.prompt : undefined, answer: isWhole ? content.answer : undefined }
}

/** The largest prompt or answer in the ledger, in UTF-8 bytes. */
const MAX_CONTENT_BYTES = 65_536

function cutContent(prompt: readonly Message[], answer: string): Partial<UsageEntry> {
  return { prompt: cutToBytes(JSON.stringify(prompt)), answer: cutToBytes(answer) }
}

function cutToBytes(text: string): string {
  const bytes = new TextEncoder().encode(text)
  if (bytes.byteLength <= MAX_CONTENT_BYTES) return text
  // With `stream` the decoder drops a code point that was split.
  return new TextDecoder().decode(bytes.subarray(0, MAX_CONTENT_BYTES), { stream: true })
}
