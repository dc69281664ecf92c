import type { BudgetExceededError, Reservation } from "@p2/budget"
import { P2Error } from "@p2/core"
import { requestBudgetExceeded, waitWithin } from "../budget/reserve-in-budget"
import { UnexpectedError } from "../errors"
import type { GenerateCall } from "../generate/generate-call"
import type { ToolReceipt } from "../receipt"
import type { DeadlineRace } from "../transport/deadline-race"
import type { CompiledTool } from "./compiled-tools"

/** A call of a tool that may run: its cost is reserved, or it is free. */
export interface ReservedTool {
  status: "reserved"
  /** Undefined: the tool is free. */
  reservation: Reservation | undefined
}

/**
 * Reserves the maximum cost of a call in all scopes or in none. `denied`: `maxBudget` or a limit denied it. `not-reserved`: the
 * store failed, or the race ended before the store replied; a reservation that arrives later is released.
 * @param uncoveredBy what remains of `maxBudget`, if that is less than the cost
 */
export async function reserveTool(
  call: GenerateCall,
  identity: Pick<ToolReceipt, "id" | "attempt">,
  tool: CompiledTool,
  uncoveredBy: number | undefined,
  race: DeadlineRace,
  remainingMs: number,
): Promise<
  ReservedTool | { status: "denied"; error: BudgetExceededError } | { status: "not-reserved"; error: P2Error }
> {
  if (race.error !== undefined) return { status: "not-reserved", error: race.error }
  const { maxCostNanoUsd: nanoUsd } = tool
  if (nanoUsd === undefined) return { status: "reserved", reservation: undefined }
  if (uncoveredBy !== undefined)
    return { status: "denied", error: requestBudgetExceeded(call.request, uncoveredBy, nanoUsd) }
  const { budget, subject, limits, requestId, onAlert } = call
  const model = `tool/${tool.name}`
  const reserving = budget.reserve({
    idempotencyKey: identity.id,
    // The id is new. Another process may resume the same batch.
    releaseUnanswered: !call.isResumable,
    subject: { ...subject, model, requestId },
    amount: { nanoUsd, tokens: 0, requests: 0 },
    limits,
    entry: { attempt: identity.attempt },
    wait: waitWithin(call.wait, remainingMs),
    signal: race.signal,
    onAlert,
    recordDenial: false,
  })
  try {
    const result = await race.wait(reserving)
    return result.ok
      ? { status: "reserved", reservation: result.reservation }
      : { status: "denied", error: result.error }
  } catch (error) {
    const releasing = reserving.then<unknown>((late) => late.ok && late.reservation.release())
    // If the release fails too, the lease expires by itself.
    call.waitFor(releasing).catch(() => {})
    const failure = race.error ?? error
    return { status: "not-reserved", error: P2Error.isInstance(failure) ? failure : new UnexpectedError(failure) }
  }
}

type Executed = { status: "succeeded"; output: unknown } | { status: "failed"; error: unknown }

/**
 * Settles a call with its actual cost. A call that threw or did not end may have been billed, so it is charged its maximum, in
 * doubt, as is one whose `actual` throws. Never rejects: a settle that fails must not lose the result.
 */
export async function settleTool(
  { reservation }: ReservedTool,
  tool: CompiledTool,
  executed: Executed,
  input: unknown,
  { errorCode, durationMs }: { errorCode: string | undefined; durationMs: number },
): Promise<
  Pick<ToolReceipt, "costNanoUsd" | "costSource" | "inDoubt" | "reservedNanoUsd" | "settlement" | "errorCode">
> {
  if (reservation === undefined || tool.maxCostNanoUsd === undefined)
    return { costNanoUsd: 0, costSource: "none", inDoubt: false, reservedNanoUsd: 0, settlement: "none", errorCode }
  const known = executed.status === "succeeded" ? costOf(tool, executed.output, input) : undefined
  const costNanoUsd = known ?? tool.maxCostNanoUsd
  const inDoubt = known === undefined
  const costSource = inDoubt ? "bound" : "custom"
  const failure = errorCode ?? (inDoubt ? "tool-cost-failed" : undefined)
  const entry = {
    status: executed.status,
    errorCode: failure,
    costSource,
    durationMs: Math.round(durationMs),
    tokens: {},
    ...(inDoubt ? { inDoubt } : {}),
  } as const
  const settlement = await reservation.settle({ nanoUsd: costNanoUsd, tokens: 0, requests: 0 }, entry).then(
    ({ status }) => (status === "pending" ? ("pending" as const) : ("settled" as const)),
    () => "pending" as const,
  )
  return { costNanoUsd, costSource, inDoubt, reservedNanoUsd: tool.maxCostNanoUsd, settlement, errorCode: failure }
}

/** Undefined: `actual` threw, or returned no amount. */
function costOf(tool: CompiledTool, output: unknown, input: unknown): number | undefined {
  try {
    return tool.costOf(output, input)
  } catch {
    return undefined
  }
}
