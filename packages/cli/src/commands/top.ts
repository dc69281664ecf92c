import type { Command } from "commander"
import type { TopArguments } from "../server/ledger/top"
import { withStore, withSubject } from "./ledger-options"

const HELP = `
Examples:
  $ p2 top --by model --since 7d
  $ p2 top --by tag:team --user ada`

/** `p2 top`. */
export function registerTop(program: Command): void {
  const command = program
    .command("top")
    .summary("print the largest spenders")
    .description("Prints the users, models or other groups that spent most.")
    .requiredOption("--by <group>", "user, client, model, provider, key or tag:NAME")
    .option("--since <time>", "a duration such as 24h, a date such as 2026-11-30, or all", "30d")
    .option("--rows <n>", "number of rows", "10")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (given: TopArguments) => {
      const { printTop } = await import("../server/ledger/top")
      await printTop(given)
    })
  withSubject(withStore(command))
}
