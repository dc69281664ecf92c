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
    .option("--user <name>", "this user")
    .option("--client <name>", "this program, as `client` of its key or subject")
    .option("--model <name>", "this model")
    .option("--tag <name=value>", "this tag, such as team=search", collect)
    .option("--key <id>", "the key of `p2 serve` with this id")
}

/** The limit, for programs whose limits are in no configuration. */
export function withLimit(command: Command): Command {
  return command
    .option("--limit <usd>", "the limit, as the program was given it")
    .addOption(new Option("--per <window>", "its window: hour, day, week, month, 90m … (default: total)"))
    .option("--time-zone <name>", "where its days begin (default: UTC)")
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}
