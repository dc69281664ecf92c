import type { Command } from "commander"
import { withStore } from "./ledger-options"

const HELP = `
Example:
  $ p2 check --config p2.json

Exit code 3: the store is misconfigured, damaged, or its clock is behind.`

/** `p2 check`. */
export function registerCheck(program: Command): void {
  const command = program
    .command("check")
    .summary("whether the store is sound")
    .description("Checks what the store survives, its clock, and whether it is damaged.")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (given: { config?: string; store?: string; json?: true }) => {
      const { checkStore } = await import("../server/ledger/check")
      await checkStore(given)
    })
  withStore(command)
}
