import { isModelId } from "@p2/core"
import { providerOf } from "../protocols/variants/called-model"
import type { Guard } from "./guard-options"
import type { ReadCall } from "./read-call"
import { reportAttempt } from "./settle-call"

/** Sends a call without a limit, because the options let calls of unknown endpoints pass, and reports it. */
export async function sendPassed(
  guard: Guard,
  { call, argumentsFor }: Extract<ReadCall, { status: "read" }>,
  headers: Headers,
): Promise<Response> {
  const startedAt = performance.now()
  const { body, url } = call
  const model = body.kind === "json" ? body.value.model : undefined
  const called = {
    provider: providerOf(url, guard)?.name ?? url.host,
    model: typeof model === "string" && isModelId(model) ? model : "unknown",
  }
  const report = (httpStatus: number | undefined) =>
    reportAttempt(guard, called, {
      status: "passed",
      httpStatus,
      durationMs: Math.round(performance.now() - startedAt),
    })
  try {
    const response = await guard.fetch(...argumentsFor({ headers }))
    report(response.status)
    return response
  } catch (error) {
    report(undefined)
    throw error
  }
}
