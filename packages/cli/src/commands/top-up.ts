import type { Command } from "commander"
import type { AdjustArguments } from "../server/ledger/adjust"
import { withLimit, withStore, withSubject } from "./ledger-options"

const HELP = `
Examples:
  $ p2 top-up --scope user --user ada --amount 5 --config p2.json
  $ p2 top-up --scope total --amount 20 --limit 100 --per month

The scope is exact: write it, and its value. Inside \`p2 run\` the command refuses.`

/** `p2 top-up`. */
export function registerTopUp(program: Command): void {
  const command = program
    .command("top-up")
    .summary("add to a limit for its current window")
    .description("Adds to a limit for its current window. The next window has the limit alone.")
    .requiredOption("--scope <scope>", "user, client, model, total, key or tag:NAME")
    .requiredOption("--amount <usd>", "what to add, such as 5 or 0.50")
    .option("--idempotency-key <key>", "a repeated command with the same key changes nothing")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (given: AdjustArguments) => {
      const { adjust } = await import("../server/ledger/adjust")
      await adjust("top-up", given)
    })
  withLimit(withSubject(withStore(command)))
}
