import { type Command, Option } from "commander"

/** Where a command finds its store. */
export function withStore(command: Command): Command {
  return command
    .option("--config <file>", "take store and limits from this configuration (default: p2.json, if it is there)")
    .option("--store <address>", "file:PATH, redis://… or postgres://… (default: P2_STORE, or your own file)")
}

/** Whose calls a command looks at. */
export function withSubject(command: Command): Command {
  return command
    .option("--user <name>", "calls of this user")
    .option("--client <name>", "calls of this program")
    .option("--model <name>", "calls of this model")
    .option("--tag <name=value>", "calls with this tag, such as team=search", collect, [])
    .option("--key <id>", "calls of this key of `p2 serve`")
}

/** The limit, for programs whose limits are in no configuration. */
export function withLimit(command: Command): Command {
  return command
    .option("--limit <usd>", "the limit, as the program was given it")
    .addOption(new Option("--per <window>", "its window: hour, day, week, month, 90m … (default: total)"))
    .option("--time-zone <name>", "where its days begin (default: UTC)")
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}
