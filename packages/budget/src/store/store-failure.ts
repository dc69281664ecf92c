import { P2Error } from "@p2/core"
import { StoreError } from "./store-error"

const MAX_MESSAGE_LENGTH = 500

/** An error that a store rejected with, as a `StoreError`. Usage errors, for example of a cursor, stay unchanged. */
export function toStoreError(error: unknown, store: string): Error {
  if (StoreError.isInstance(error) || (P2Error.isInstance(error) && error.kind === "usage")) return error
  return new StoreError(`Store "${store}" failed with an unexpected error. See \`error.cause\`.`, {
    code: "store-unavailable",
    applied: "maybe",
    cause: bareCause(error),
  })
}

/** Name, code, message and stack of an error. Drivers attach statements and arguments, which may contain prompts. */
function bareCause(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined
  const cause = new Error(error.message.slice(0, MAX_MESSAGE_LENGTH))
  cause.name = error.name
  if (error.stack !== undefined) cause.stack = error.stack.slice(0, 10 * MAX_MESSAGE_LENGTH)
  const { code } = error as { code?: unknown }
  return typeof code === "string" || typeof code === "number" ? Object.assign(cause, { code }) : cause
}
