import type { Command } from "commander"

const HELP = `
Example:
  $ p2 init
  $ p2 serve --config p2.json`

export function registerInit(program: Command): void {
  program
    .command("init")
    .summary("write a commented configuration for `p2 serve`")
    .description("Writes a commented configuration for `p2 serve`.")
    .argument("[file]", "where to write it", "p2.json")
    .option("--force", "replace an existing file")
    .addHelpText("after", HELP)
    .action(async (file: string, { force = false }: { force?: boolean }) => {
      const { writeConfig } = await import("../server/config/write-config")
      writeConfig(file, force)
      process.stdout.write(
        `Wrote ${file}. Set OPENAI_API_KEY, then: p2 keys create --config ${file} --user NAME; p2 serve --config ${file}\n`,
      )
    })
}
