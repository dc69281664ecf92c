import { existsSync } from "node:fs"
import { readStoreAddress } from "../store/store-address"
import type { ServeConfig } from "./config/config-schema"
import { readConfig } from "./config/read-config"

/** The store of a command, and its configuration if there is one. */
export interface CommandStore {
  address: string
  config: ServeConfig | undefined
}

const DEFAULT_CONFIG = "p2.json"

/**
 * The store of `--store`, else of the configuration, else of `P2_STORE`, else the user's own file. The configuration is that of
 * `--config`, else `p2.json` of the current folder if there is one.
 * @throws InvalidArgumentError
 */
export async function storeOfCommand(
  given: { config?: string | undefined; store?: string | undefined },
  env: NodeJS.ProcessEnv = process.env,
): Promise<CommandStore> {
  const path = given.config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined)
  const config = path === undefined ? undefined : await readConfig(path)
  return { address: readStoreAddress(given.store ?? config?.store, env), config }
}
