import type { Command } from "commander"
import type { CallsArguments } from "../server/ledger/calls"
import { withStore, withSubject } from "./ledger-options"

const HELP = `
Examples:
  $ p2 calls --user ada
  $ p2 calls --follow --json`

/** `p2 calls`. */
export function registerCalls(program: Command): void {
  const command = program
    .command("calls")
    .summary("print the latest calls")
    .description("Prints the latest calls, the newest last, without prompts and answers.")
    .option("--follow", "keep printing calls as they end")
    .option("--rows <n>", "number of calls", "20")
    .option("--json", "print a line of JSON for each call")
    .addHelpText("after", HELP)
    .action(async (given: CallsArguments) => {
      const { printCalls } = await import("../server/ledger/calls")
      await printCalls(given)
    })
  withSubject(withStore(command))
}
