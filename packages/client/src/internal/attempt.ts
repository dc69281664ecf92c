import type { AttemptReason, AttemptReceipt } from "../receipt"
import type { Ask } from "./chat-body"
import type { DeadlineRace } from "./deadline-race"
import type { Plan } from "./plan-attempt"
import type { RunSetting } from "./run-setting"

/** One attempt of a run. */
export interface Attempt {
  run: RunSetting
  ask: Ask
  plan: Plan
  race: DeadlineRace
  /** Filled in as the attempt goes on. */
  receipt: AttemptReceipt
  /** On the clock of `performance.now()`. */
  startedAt: number
}

/** The receipt of an attempt that has not done anything yet, in the shape that it keeps. */
export function blankReceipt(
  run: RunSetting,
  ask: Ask,
  known: { attempt: number; reason: AttemptReason; maxTokens: number; streamed: boolean },
): AttemptReceipt {
  const { attempt, reason, maxTokens, streamed } = known
  return {
    attempt,
    id: `${run.requestId}.${attempt}`,
    reason,
    model: ask.route.model,
    modelUsed: undefined,
    provider: ask.route.provider.name,
    mode: ask.mode,
    streamed,
    status: "released",
    httpStatus: undefined,
    finishReason: undefined,
    errorCode: undefined,
    deadlineHit: undefined,
    usage: undefined,
    costNanoUsd: 0,
    costSource: "none",
    tableCostNanoUsd: undefined,
    reservedNanoUsd: 0,
    maxTokens,
    generationId: undefined,
    settlement: "none",
    timings: {
      startedAt: run.clock.now(),
      reserveMs: 0,
      headersMs: undefined,
      firstContentMs: undefined,
      settleMs: undefined,
      totalMs: 0,
    },
  }
}
