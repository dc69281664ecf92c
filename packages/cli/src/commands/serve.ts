import type { Command } from "commander"

const HELP = `
Example:
  $ p2 init
  $ p2 keys create --config p2.json --user ada
  $ p2 serve --config p2.json

Logs are lines of JSON on stdout. After SIGTERM, the server settles calls in flight and exits with 0.`

export function registerServe(program: Command): void {
  program
    .command("serve")
    .summary("serve providers to many callers, each with a key and limits")
    .description("Serves LLM providers to many callers, each with a key and limits.")
    .option("--config <file>", "the configuration, which `p2 init` writes", "p2.json")
    .option("--store <address>", "the store, which overrides that of the configuration")
    .option("--dashboard-link <file>", "write the link to the dashboard to a file that only you can read")
    .addHelpText("after", HELP)
    .action(async (options: { config: string; store?: string; dashboardLink?: string }) => {
      const { serve } = await import("../server/serve")
      await serve(options)
    })
}
