import { isRecord } from "@p2/core"
import { CircuitOpenError } from "../../charge/circuit/circuit-open-error"
import { findInError, readProperty } from "./find-in-error"

/**
 * Finds the rejection of the circuit breaker in the error of an SDK, as `budgetErrorFrom` finds a denial: the error
 * itself, or one with the numbers in the body of the response.
 *
 * @returns undefined if the error is not a rejection by the circuit breaker
 * @example
 * const open = circuitErrorFrom(error)
 * if (open !== undefined) console.log(open.provider, open.model, open.retryAfterMs)
 */
export function circuitErrorFrom(error: unknown): CircuitOpenError | undefined {
  return findInError(error, (value) => (CircuitOpenError.isInstance(value) ? value : rebuild(value)))
}

/** The numbers of an open circuit, as its response has them under the key `p2`. */
export function circuitDetails({ provider, model, retryAfterMs, inDoubtNanoUsd, limitNanoUsd }: CircuitOpenError) {
  return { circuit: { provider, model, retryAfterMs, inDoubtNanoUsd, limitNanoUsd } }
}

function rebuild(value: object): CircuitOpenError | undefined {
  const details = readProperty(value, "p2")
  const circuit = isRecord(details) ? details.circuit : undefined
  if (!isRecord(circuit)) return undefined
  const { provider, model, retryAfterMs, inDoubtNanoUsd, limitNanoUsd } = circuit
  if (typeof provider !== "string" || typeof model !== "string") return undefined
  if (!isAmount(retryAfterMs) || !isAmount(inDoubtNanoUsd) || !isAmount(limitNanoUsd)) return undefined
  return new CircuitOpenError({ provider, model, retryAfterMs, inDoubtNanoUsd, limitNanoUsd })
}

function isAmount(value: unknown): value is number {
  return Number.isFinite(value) && (value as number) >= 0
}
