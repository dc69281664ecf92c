import type { Command } from "commander"
import type { AdjustArguments } from "../server/ledger/adjust"
import { withLimit, withStore, withSubject } from "./ledger-options"

const HELP = `
Examples:
  $ p2 reset --scope user --user ada --config p2.json
  $ p2 reset --scope tag:team --tag team=search --limit 50 --per week

State the exact scope and its value. The command does not work inside \`p2 run\`.`

/** `p2 reset`. */
export function registerReset(program: Command): void {
  const command = program
    .command("reset")
    .summary("reset the amount spent in the current window")
    .description(
      "Sets the amount spent in the current window of a limit to zero. Reservations and the ledger do not change.",
    )
    .requiredOption("--scope <scope>", "user, client, model, total, key or tag:NAME")
    .option("--idempotency-key <key>", "a repeated command with the same key has no effect")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (given: AdjustArguments) => {
      const { adjust } = await import("../server/ledger/adjust")
      await adjust("reset", given)
    })
  withLimit(withSubject(withStore(command)))
}
