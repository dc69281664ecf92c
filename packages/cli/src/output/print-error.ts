import { P2Error } from "@p2/core"
import { printableLines } from "./table"

/** Prints the message of an error on stderr, and its stack frames with `P2_DEBUG=1`. */
export function printError(error: unknown): void {
  process.stderr.write(`p2: ${printableLines(describeError(error))}\n`)
  // Only the frames: the message above them may quote a secret.
  if (process.env.P2_DEBUG === "1" && error instanceof Error)
    process.stderr.write(`${error.stack?.match(/^ {4}at .*$/gm)?.join("\n")}\n`)
}

/** The message of an error. Errors of other packages may quote an address, so only their code or class is shown. */
export function describeError(error: unknown): string {
  if (P2Error.isInstance(error)) return error.message
  const { code, name } = error as { code?: unknown; name?: unknown }
  const shown = [code, name].find((each) => typeof each === "string" && /^\w{1,40}$/.test(each)) ?? "unknown error"
  return `Unexpected failure (${shown}). Set P2_DEBUG=1 to print the stack frames.`
}
