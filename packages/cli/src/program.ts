import { Command } from "commander"
import { version } from "../package.json"
import { registerCompletion } from "./commands/completion"
import { registerCount } from "./commands/count"
import { registerModels } from "./commands/models"
import { registerPrice } from "./commands/price"
import type { RegisterCommand } from "./commands/register-command"
import { registerRun } from "./commands/run"
import { SERVER_COMMANDS } from "./commands/server-commands"

const COMMANDS: readonly RegisterCommand[] = [
  registerRun,
  ...SERVER_COMMANDS,
  registerCount,
  registerPrice,
  registerModels,
  registerCompletion,
]

const HELP = `
Examples:
  $ p2 run --budget 5 -- claude -p "Fix the failing test"
  $ p2 run --budget 20 --per day -- python agent.py

Exit codes: 0 ok, 1 denied, 2 usage error, 3 failed. \`p2 run\` exits with the code of its command.`

/** The command line of p2. */
export function createProgram(): Command {
  const program = new Command("p2")
    .description("A hard dollar cap for programs that call LLMs.")
    .version(version)
    .addHelpText("after", HELP)
    .enablePositionalOptions()
  for (const register of COMMANDS) register(program)
  return program
}
