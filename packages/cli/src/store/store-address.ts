import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { hideString, InvalidArgumentError, isServerAddress } from "@p2/core"
import { dataFolder } from "./data-folder"

const EXPECTED =
  "memory:, file:PATH, redis://HOST:PORT or postgres://HOST/DATABASE (with / ? # @ in a password as %2F %3F %23 %40)"
const SCHEME = /^(memory:$|file:.|rediss?:\/\/.|postgres(ql)?:\/\/)/

/**
 * The address of the store: the option `--store`, else the variable `P2_STORE`, else a SQLite file in the user's data folder.
 * @throws InvalidArgumentError for an unknown kind of store, or for a password in the option, which other users of the machine can read
 */
export function readStoreAddress(option: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  if (option !== undefined) {
    checkAddress(option, "--store")
    if (hasPassword(option))
      throw new InvalidArgumentError(
        "--store",
        "an address without a password",
        undefined,
        "Invalid `--store`: it contains a password, which every user of this machine can read. Set P2_STORE to the address.",
      )
    return option
  }
  if (env.P2_STORE === undefined || env.P2_STORE === "") return `file:${join(dataFolder(env), "p2.db")}`
  checkAddress(env.P2_STORE, "P2_STORE")
  return env.P2_STORE
}

function checkAddress(address: string, name: string): void {
  const isPlace = SCHEME.test(address) && (/^(memory|file):/.test(address) || isServerAddress(address))
  if (!isPlace) throw new InvalidArgumentError(name, EXPECTED, hideString(address))
}

function hasPassword(address: string): boolean {
  if (/^(memory|file):/.test(address)) return false
  const { password, searchParams } = new URL(address)
  return password !== "" || [...searchParams.keys()].some((name) => /password|sslkey/i.test(name))
}

/** The path of a file; undefined: another kind of store. */
export function filePath(address: string): string | undefined {
  if (!address.startsWith("file:")) return undefined
  return address.startsWith("file://") ? fileURLToPath(address) : address.slice("file:".length)
}

/** The address without its password and parameters, which may contain another. */
export function shownAddress(address: string): string {
  if (/^(memory|file):/.test(address)) return address
  const { protocol, host, pathname } = new URL(address)
  return `${protocol}//${host}${pathname}`
}
