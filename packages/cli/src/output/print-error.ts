import { P2Error } from "@p2/core"
import { printableLines } from "./table"

/** Prints what happened on stderr; with `P2_DEBUG=1` also where. */
export function printError(error: unknown): void {
  process.stderr.write(`p2: ${printableLines(describeError(error))}\n`)
  // The message above the frames may quote a secret.
  if (process.env.P2_DEBUG === "1" && error instanceof Error)
    process.stderr.write(`${error.stack?.match(/^ {4}at .*$/gm)?.join("\n")}\n`)
}

/** The message of an error. Errors that are not of p2 may quote an address, so they are shown by their code or class. */
export function describeError(error: unknown): string {
  if (P2Error.isInstance(error)) return error.message
  const { code, name } = error as { code?: unknown; name?: unknown }
  const shown = [code, name].find((each) => typeof each === "string" && /^\w{1,40}$/.test(each)) ?? "unknown error"
  return `Unexpected failure (${shown}). Set P2_DEBUG=1 to see where it happened.`
}
