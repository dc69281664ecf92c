import type { Command } from "commander"
import type { PriceArguments } from "../prices/print-price"

const HELP = `
Examples:
  $ p2 price gpt-4o-mini
  $ p2 price claude-sonnet-4-5 --input 20000 --cached 15000 --output 800

Without token counts, p2 prints the published rates; with token counts, the cost of such a call.`

/** `p2 price`. */
export function registerPrice(program: Command): void {
  program
    .command("price")
    .summary("print the rates of a model, or what a call costs")
    .description("Prints the published rates of a model, or what a call with these tokens costs.")
    .argument("<model>", "a model such as gpt-4o-mini or openrouter/openai/gpt-4o-mini")
    .option("--input <n>", "input tokens, cached ones included")
    .option("--output <n>", "output tokens, reasoning included")
    .option("--cached <n>", "input tokens read from the provider's cache")
    .option("--service-tier <name>", "the service tier, such as batch or priority (default: default)")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (model: string, given: PriceArguments) => {
      const { printPrice } = await import("../prices/print-price")
      printPrice(model, given)
    })
}
