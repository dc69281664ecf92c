import type { Command } from "commander"
import type { AdjustArguments } from "../server/ledger/adjust"
import { withLimit, withStore, withSubject } from "./ledger-options"

const HELP = `
Examples:
  $ p2 top-up --scope user --user ada --amount 5 --config p2.json
  $ p2 top-up --scope total --amount 20 --limit 100 --per month

State the exact scope and its value. The command does not work inside \`p2 run\`.`

/** `p2 top-up`. */
export function registerTopUp(program: Command): void {
  const command = program
    .command("top-up")
    .summary("raise a limit for its current window")
    .description("Raises a limit for its current window. The next window starts with the original limit.")
    .requiredOption("--scope <scope>", "user, client, model, total, key or tag:NAME")
    .requiredOption("--amount <usd>", "the amount to add, such as 5 or 0.50")
    .option("--idempotency-key <key>", "a repeated command with the same key has no effect")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (given: AdjustArguments) => {
      const { adjust } = await import("../server/ledger/adjust")
      await adjust("top-up", given)
    })
  withLimit(withSubject(withStore(command)))
}
