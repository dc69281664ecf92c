import type { Command } from "commander"
import type { AdjustArguments } from "../server/ledger/adjust"
import { withLimit, withStore, withSubject } from "./ledger-options"

const HELP = `
Examples:
  $ p2 reset --scope user --user ada --config p2.json
  $ p2 reset --scope tag:team --tag team=search --limit 50 --per week

The scope is exact: write it, and its value. Inside \`p2 run\` the command refuses.`

/** `p2 reset`. */
export function registerReset(program: Command): void {
  const command = program
    .command("reset")
    .summary("set what was spent in the current window to zero")
    .description(
      "Sets what was spent in the current window of a limit to zero. What is reserved stays, and so does the ledger.",
    )
    .requiredOption("--scope <scope>", "user, client, model, total, key or tag:NAME")
    .option("--idempotency-key <key>", "a repeated command with the same key changes nothing")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (given: AdjustArguments) => {
      const { adjust } = await import("../server/ledger/adjust")
      await adjust("reset", given)
    })
  withLimit(withSubject(withStore(command)))
}
