import type { Command } from "commander"
import type { StatusArguments } from "../server/ledger/status"
import { withLimit, withStore, withSubject } from "./ledger-options"

const HELP = `
Examples:
  $ p2 status --config p2.json
  $ p2 status --config p2.json --user ada
  $ p2 status --limit 20 --per day --user ada

Without limits, p2 prints what each user spent.`

/** `p2 status`. */
export function registerStatus(program: Command): void {
  const command = program
    .command("status")
    .summary("print what is spent, reserved and remaining")
    .description("Prints what is spent, reserved and remaining in the current windows.")
    .option("--rows <n>", "values of each scope, the most expensive first", "20")
    .option("--scope <scope>", "the scope of --limit: user, client, model, total, key or tag:NAME (default: user)")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (given: StatusArguments) => {
      const { printStatus } = await import("../server/ledger/status")
      await printStatus(given)
    })
  withLimit(withSubject(withStore(command)))
}
