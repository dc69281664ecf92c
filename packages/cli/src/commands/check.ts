import type { Command } from "commander"
import { withStore } from "./ledger-options"

const HELP = `
Example:
  $ p2 check --config p2.json

Exits with 3 if the store is misconfigured or damaged, or if its clock is behind.`

/** `p2 check`. */
export function registerCheck(program: Command): void {
  const command = program
    .command("check")
    .summary("check the store")
    .description("Checks the durability and the clock of the store, and looks for damage.")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (given: { config?: string; store?: string; json?: true }) => {
      const { checkStore } = await import("../server/ledger/check")
      await checkStore(given)
    })
  withStore(command)
}
