import { type Command, Option } from "commander"

/** Options that select the store. */
export function withStore(command: Command): Command {
  return command
    .option("--config <file>", "the configuration with the store and the limits (default: p2.json, if it exists)")
    .option(
      "--store <address>",
      "file:PATH, redis://… or postgres://… (default: P2_STORE, or p2.db in the data folder)",
    )
}

/** Options that select calls, or the limit of a subject. */
export function withSubject(command: Command): Command {
  return command
    .option("--user <name>", "of this user")
    .option("--client <name>", "of this program: the `client` of its key or subject")
    .option("--model <name>", "of this model")
    .option("--tag <name=value>", "with this tag, such as team=search", collect)
    .option("--key <id>", "of the key of `p2 serve` with this id")
}

/** Options that state a limit which no configuration contains. */
export function withLimit(command: Command): Command {
  return command
    .option("--limit <usd>", "the amount of the limit, as stated for the program")
    .addOption(new Option("--per <window>", "the window of the limit: hour, day, week, month, 90m … (default: total)"))
    .option("--time-zone <name>", "the time zone of the window (default: UTC)")
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}
