import { P2Error } from "@p2/core"
import type { Rejection, RejectionReason } from "./protocol"

export function rejected(reason: RejectionReason, message: string): Rejection {
  return { status: "rejected", reason, message }
}

/** The cost has no upper bound. `subject` is a field, a tool or a model as the caller wrote it. */
export function unbounded(subject: string, because: string, remedy: string): Rejection {
  return rejected("unbounded-cost", `The cost of ${subject} has no upper bound: ${because}. ${remedy}`)
}

/** Only the context window bounds an input, and the model's window is unknown. */
export function unknownWindow(what: string, remedy = "Omit it."): Rejection {
  return unbounded(
    what,
    "only the context window of the model bounds it, which is unknown",
    `${remedy} Or add \`contextWindow\` to a price of your own with createPriceTable.`,
  )
}

export function noJSON(call: string): Rejection {
  return rejected("invalid-body", `The body of ${call} must be a JSON object.`)
}

/** @param expected for example "an integer of at least 1". The value is not quoted: it may be part of a prompt. */
export function invalidBody(path: string, expected: string): Rejection {
  return rejected("invalid-body", `Invalid \`${path}\` in the body: expected ${expected}.`)
}

const REASONS: Readonly<Record<string, RejectionReason>> = {
  "invalid-argument": "invalid-body",
  "unknown-model": "unknown-model",
  "unbounded-input": "unbounded-cost",
  "unbounded-cost": "unbounded-cost",
  "unpriced-usage": "unbounded-cost",
}

/** Converts a usage error of the token and price packages to a rejection. Their messages quote no prompt and no key. */
export function rejectionOf(error: unknown): Rejection {
  const reason = P2Error.isInstance(error) ? REASONS[error.code] : undefined
  if (reason === undefined) throw error
  return rejected(reason, (error as P2Error).message)
}
