import type { Command } from "commander"
import type { ExportArguments } from "../server/ledger/export"
import { withStore, withSubject } from "./ledger-options"

const HELP = `
Examples:
  $ p2 export --format csv --since 2026-11-01 --until 2026-12-01 --output november.csv
  $ p2 export --format jsonl --user ada | wc -l

Exports contain neither prompts nor answers. In CSV, fields that a spreadsheet would run as a formula begin with an apostrophe.`

/** `p2 export`. */
export function registerExport(program: Command): void {
  const command = program
    .command("export")
    .summary("export the ledger as JSON lines or CSV")
    .description("Writes the ledger as JSON lines or CSV, oldest first.")
    .option("--format <format>", "jsonl or csv", "jsonl")
    .option("--since <time>", "a duration such as 24h, or a date such as 2026-11-30")
    .option("--until <time>", "the end of the range (exclusive), in the same forms")
    .option("--output <file>", "write a new file that only you can read (default: stdout)")
    .addHelpText("after", HELP)
    .action(async (given: ExportArguments) => {
      const { exportLedger } = await import("../server/ledger/export")
      await exportLedger(given)
    })
  withSubject(withStore(command))
}
