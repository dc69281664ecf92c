import { type Command, Option } from "commander"
import type { RunArguments } from "../run/run-options"

const HELP = `
Examples:
  $ p2 run --budget 5 -- claude -p "Fix the failing test"
  $ p2 run --budget 20 --per day --tag team=search -- codex exec "Update the docs"
  $ p2 run --budget 0.50 --clamp --upstream openai=http://127.0.0.1:8000/v1 -- python agent.py

The program gets base URLs of a local proxy and a token; your keys stay with p2. It ends with the exit code or the signal of the
program (126: cannot be run, 127: not found). Before the program starts: 2 usage, 3 failed. A limit that is used up does not end the
program: its calls are denied (status 402).`

/** `p2 run`. */
export function registerRun(program: Command): void {
  program
    .command("run")
    .summary("run a program under a hard dollar cap")
    .description("Runs a program, with its children, under one hard dollar cap.")
    .usage("--budget USD [options] -- command [arguments...]")
    .argument("[command...]", "the program and its arguments, after --")
    .option("--budget <usd>", "the most that the calls of the run may cost, such as 5 or 0.50")
    .addOption(
      new Option(
        "--per <window>",
        "a limit of the user that holds over runs: hour, day, week, month, or a length such as 5h",
      ),
    )
    .option("--time-zone <name>", "where days begin, such as Europe/Paris (default: UTC)")
    .option("--user <name>", "whose calls these are (default: the login name)")
    .addOption(repeatable("--tag <name=value>", "a tag of every call, such as team=search; repeatable"))
    .option(
      "--store <address>",
      "memory:, file:PATH, redis://… or postgres://… (default: P2_STORE, or a file in the data folder)",
    )
    .addOption(
      repeatable(
        "--upstream <name=url>",
        "another address of a provider, such as openai=http://127.0.0.1:8000/v1; repeatable",
      ),
    )
    .option("--max-output-tokens <n>", "output limit of calls that set none")
    .option("--clamp", "lower the output limit of a call to what the budget can pay")
    .option("--wait <duration>", "wait for room in the budget, such as 30s, instead of denying at once")
    .addOption(
      new Option("--input-bound <mode>", "how the input of a call is bounded (default: hard)").choices([
        "hard",
        "provider",
        "calibrated",
      ]),
    )
    .option("--service-tier <name>", "sent to OpenAI where a call states no service tier", "default")
    .option(
      "--max-tool-calls <n>",
      "sent to OpenAI where a call with hosted tools states no maximum (default: 10, with --clamp 2)",
    )
    .addOption(repeatable("--pass-env <name>", "a variable with a credential that the program keeps; repeatable"))
    .option("--grace <duration>", "how long the program may take to end after SIGTERM, before it is killed", "10s")
    .option("--watch", "show spent, reserved and remaining in the last line of the terminal")
    .option("--dashboard", "serve the dashboard, and print its link")
    .option("--receipt <file>", "write the receipt as JSON")
    .option("--quiet", "print neither what was set nor the receipt")
    .addHelpText("after", HELP)
    .passThroughOptions()
    .action(async (command: string[], given: RunArguments) => {
      const [{ readRunOptions }, { runCommand }] = await Promise.all([
        import("../run/run-options"),
        import("../run/run-command"),
      ])
      await runCommand(readRunOptions(given, command, process.env), process.env)
    })
}

/** An option that may be given several times. */
function repeatable(flags: string, description: string): Option {
  return new Option(flags, description)
    .argParser((value: string, values: readonly string[]) => [...values, value])
    .default([], "none")
}
