import type { Command } from "commander"

const HELP = `
Examples:
  $ p2 models --provider anthropic
  $ p2 models --json | jq -r '.[].model'

\`input\` and \`output\` are dollars per million tokens; \`other\` is what a call costs beside them or instead of them. A call to a model that is not listed is rejected, because its cost has no upper bound.`

/** `p2 models`. */
export function registerModels(program: Command): void {
  program
    .command("models")
    .summary("list the models that have a published price")
    .description("Lists the models that have a published price.")
    .option("--provider <name>", "only this provider, such as openai or openrouter")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async ({ provider, json }: { provider?: string; json?: true }) => {
      const { printModels } = await import("../prices/print-models")
      printModels({ provider, asJson: json === true })
    })
}
