import type { Command } from "commander"

/** Adds one command to the program. Its code is loaded when it runs, so that `p2 --help` stays fast. */
export type RegisterCommand = (program: Command) => void
