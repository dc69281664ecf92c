import { type Command, Option } from "commander"
import type { RunArguments } from "../run/run-options"

const HELP = `
Examples:
  $ p2 run --budget 5 -- claude -p "Fix the failing test"
  $ p2 run --budget 20 --per day --tag team=search -- codex exec "Update the docs"
  $ p2 run --budget 0.50 --clamp --upstream openai=http://127.0.0.1:8000/v1 -- python agent.py

The program gets a token and the base URLs of a local proxy; your keys stay with p2. p2 exits with the code or the signal of the
program (126: cannot be run, 127: not found), or, if the program was not started, with 2 (usage error) or 3 (failure). A program
whose budget is used up keeps running: its calls are denied (status 402).`

/** `p2 run`. */
export function registerRun(program: Command): void {
  program
    .command("run")
    .summary("run a program under a hard dollar cap")
    .description("Runs a program and its child processes under one hard dollar cap.")
    .usage("--budget USD [options] -- command [arguments...]")
    .argument("[command...]", "the program and its arguments, after --")
    .option("--budget <usd>", "the most that the calls of the run may cost, such as 5 or 0.50")
    .addOption(
      new Option(
        "--per <window>",
        "limit the user across runs: hour, day, week, month, total, or a length such as 5h (default: this run only)",
      ),
    )
    .option("--time-zone <name>", "the time zone of --per, such as Europe/Paris (default: UTC)")
    .option("--user <name>", "the user that the calls count for (default: the login name)")
    .addOption(repeatable("--tag <name=value>", "a tag of every call, such as team=search; repeatable"))
    .option(
      "--store <address>",
      "memory:, file:PATH, redis://… or postgres://… (default: P2_STORE, or p2.db in the data folder)",
    )
    .addOption(
      repeatable(
        "--upstream <name=url>",
        "another address of a provider, such as openai=http://127.0.0.1:8000/v1; repeatable",
      ),
    )
    .option("--max-output-tokens <n>", "output limit for calls that set none")
    .option("--clamp", "lower the output limit of a call to what the budget can pay")
    .option(
      "--wait <duration>",
      "wait up to this long, such as 30s, until a call fits the budget, instead of denying immediately",
    )
    .addOption(
      new Option("--input-bound <mode>", "how the input of a call is bounded (default: hard)").choices([
        "hard",
        "provider",
        "calibrated",
      ]),
    )
    .option("--service-tier <name>", "sent to OpenAI if a call states no service tier", "default")
    .option(
      "--max-tool-calls <n>",
      "sent to OpenAI if a call with hosted tools states no maximum (default: 10, with --clamp 2)",
    )
    .addOption(
      repeatable(
        "--pass-env <name>",
        "a credential that the program keeps; calls made with it are not capped; repeatable",
      ),
    )
    .option("--grace <duration>", "how long the program may take to exit after SIGTERM before it is killed", "10s")
    .option("--watch", "show spent, reserved and remaining in the last line of the terminal")
    .option("--dashboard", "serve the dashboard, and print its link")
    .option("--receipt <file>", "write the receipt as JSON")
    .option("--quiet", "print neither the variables that p2 sets nor the receipt")
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

/** An option that may be repeated. */
function repeatable(flags: string, description: string): Option {
  return new Option(flags, description)
    .argParser((value: string, values: readonly string[]) => [...values, value])
    .default([], "none")
}
