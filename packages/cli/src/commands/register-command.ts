import type { Command } from "commander"

/** Adds one command to the program. The command loads its code when it runs, so that `p2 --help` stays fast. */
export type RegisterCommand = (program: Command) => void
