import { isBudgetError, type Reservation, type Subject } from "@p2/budget"
import { LruMap } from "@p2/core"
import type { Charge } from "../charge/charge"
import { settleAttempt } from "../charge/reserve-attempt"
import type { Guard, GuardAttempt } from "./guard-options"
import { inCurrentScope, mergeSubjects } from "./scope/scope"
import { chargedFields, reportAttempt } from "./settle-call"

/** Reservations of background responses and batches that this process started. */
export const startedReservations = new LruMap<string, Reservation>(10_000)

/** A call that another one started, perhaps in another process: a background response or a batch. */
export interface ResumedAttempt {
  idempotencyKey: string
  provider: string
  /** The subject of the poll. */
  subject: Subject | undefined
}

/** How it ended. */
export interface ResumedEnd {
  charge: Charge
  status: "succeeded" | "failed"
  model: string | undefined
  generationId: string | undefined
  /** The tokens of the usage entry. */
  tokens: Record<string, number>
  durationMs?: number
}

/**
 * Settles the reservation of a call that another one started. Never rejects for the budget: the answer of the poll matters
 * more, and an unsettled reservation is charged when its lease ends.
 * @param endOf decides how it ended; undefined: a later poll will
 */
export async function settleResumed(
  guard: Guard,
  { idempotencyKey, provider, subject }: ResumedAttempt,
  endOf: (reservation: Reservation) => Promise<ResumedEnd | undefined> | ResumedEnd,
): Promise<void> {
  const scope = inCurrentScope(guard.budget, guard.subject)
  try {
    const owner = mergeSubjects(scope.subject, subject)
    const reservation =
      startedReservations.get(idempotencyKey) ?? (await scope.budget.resume(idempotencyKey, { subject: owner }))
    const end = await endOf(reservation)
    if (end === undefined) return
    const { charge, status, model, generationId, tokens, durationMs } = end
    const entry = { status, provider, modelUsed: model, generationId, tokens }
    const settlement = await settleAttempt({ reservation }, charge, entry)
    startedReservations.delete(idempotencyKey)
    if (settlement.status === "settled" && settlement.replayed) return
    const called = { provider, model: model ?? "unknown" }
    const reservedNanoUsd = reservation.amount.nanoUsd ?? 0
    const attempt: Partial<GuardAttempt> = {
      httpStatus: 200,
      reservedNanoUsd,
      limits: reservation.limits,
      ...chargedFields(guard, called, { charge, reservedNanoUsd, settlement }),
      inputTokens: tokens.inputTokens,
      outputTokens: tokens.outputTokens,
      ...(durationMs !== undefined && { durationMs }),
    }
    reportAttempt(guard, called, { ...attempt, status })
  } catch (error) {
    // An earlier poll settled it, it was never reserved here, or the store failed.
    if (!isBudgetError(error)) throw error
    if (error.code === "reservation-resolved") startedReservations.delete(idempotencyKey)
  }
}
