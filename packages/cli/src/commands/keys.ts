import type { Command } from "commander"
import type { CreateKeyArguments } from "../server/keys/key-commands"

const CREATE_HELP = `
Example:
  $ p2 keys create --user ada --tag team=search --limit 5 --per day --expires 30d

The key is shown once. The store keeps only its SHA-256.`

const REVOKE_HELP = `
Example:
  $ p2 keys revoke k5f2c09d1e7a3b46

Every instance of \`p2 serve\` rejects the key within two seconds. Calls in flight continue.`

const STORE = "where the keys are kept, as for `p2 serve`"
const CONFIG = "the configuration that names the store (default: p2.json, if it exists)"

export function registerKeys(program: Command): void {
  const keys = program
    .command("keys")
    .summary("create, list and revoke the keys of `p2 serve`")
    .description("Creates, lists and revokes the keys of `p2 serve`.")
  keys
    .command("create")
    .description("Creates a key for a user, with models, limits and an expiry.")
    .option("--user <name>", "the user that the calls count for")
    .option("--client <name>", "the program that makes the calls")
    .option("--tag <name=value>", "a tag of the calls, such as team=search; repeatable (default: none)", collect)
    .option("--models <names>", "the models that calls may use, separated by commas")
    .option("--limit <usd>", "the most this key may spend, in addition to the limits of the configuration")
    .option("--per <window>", "the window of --limit: day, week, month, 90m … (default: total)")
    .option("--time-zone <name>", "the time zone of --per, such as Europe/Paris (default: UTC)")
    .option("--expires <duration>", "how long the key is valid, such as 30d")
    .option("--name <name>", "a label in the list of keys, such as laptop")
    .option("--config <file>", CONFIG)
    .option("--store <address>", STORE)
    .option("--config-entry", "print an entry for `keys` of a configuration instead of storing the key")
    .option("--json", "print JSON")
    .addHelpText("after", CREATE_HELP)
    .action(async (options: CreateKeyArguments) => {
      const { createKeyCommand } = await import("../server/keys/key-commands")
      await createKeyCommand(options)
    })
  keys
    .command("list")
    .description("Lists the ids, users and limits of the keys, but not the keys themselves.")
    .option("--config <file>", CONFIG)
    .option("--store <address>", STORE)
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ p2 keys list --json")
    .action(async (options: { config?: string; store?: string; json?: true }) => {
      const { listKeysCommand } = await import("../server/keys/key-commands")
      await listKeysCommand(options)
    })
  keys
    .command("revoke")
    .description("Revokes a key by its id.")
    .argument("<id>", "the id of the key, as `p2 keys list` shows it")
    .option("--config <file>", CONFIG)
    .option("--store <address>", STORE)
    .addHelpText("after", REVOKE_HELP)
    .action(async (id: string, options: { config?: string; store?: string }) => {
      const { revokeKeyCommand } = await import("../server/keys/key-commands")
      await revokeKeyCommand(id, options)
    })
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}
