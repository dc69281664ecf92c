import { P2Error } from "@p2/core"

/** The exit codes of every command. `p2 run` exits with the code of its command. */
export const EXIT = { ok: 0, denied: 1, usage: 2, failed: 3 } as const

/** The exit code of an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  return P2Error.isInstance(error) ? EXIT[error.kind] : EXIT.failed
}
