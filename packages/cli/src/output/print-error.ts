import { P2Error } from "@p2/core"

/** Prints what happened on stderr, without a stack. */
export function printError(error: unknown): void {
  process.stderr.write(`p2: ${describeError(error)}\n`)
}

/** The message of an error. Errors that are not of p2 may quote an address, so they are shown by their code or class. */
export function describeError(error: unknown): string {
  if (P2Error.isInstance(error)) return error.message
  const { code, name } = error as { code?: unknown; name?: unknown }
  const shown = [code, name].find((each) => typeof each === "string" && /^\w{1,40}$/.test(each)) ?? "unknown error"
  return `Unexpected failure (${shown}). Set P2_DEBUG=1 to see where it happened.`
}
