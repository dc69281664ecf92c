import type { Command } from "commander"

const HELP = `
Examples:
  $ p2 count prompt.txt --model gpt-4o-mini
  $ git diff | p2 count - --model claude-sonnet-4-5 --json

The count is exact if the model's tokenizer is public. Otherwise p2 prints an estimate and an upper bound that holds for every text.`

/** `p2 count`. */
export function registerCount(program: Command): void {
  program
    .command("count")
    .summary("count the tokens of a file")
    .description("Counts the tokens of a file as a model counts them, without sending it anywhere.")
    .argument("<file>", "a file of UTF-8 text; - reads standard input")
    .requiredOption("--model <id>", "the model, such as gpt-4o-mini")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (file: string, { model, json }: { model: string; json?: true }) => {
      const { countFile } = await import("../tokens/count-file")
      await countFile(file, { model, asJson: json === true })
    })
}
