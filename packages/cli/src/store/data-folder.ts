import { homedir } from "node:os"
import { join } from "node:path"

/**
 * The folder of p2's own files: `P2_HOME`, else `p2` in `XDG_DATA_HOME`, else in the platform's folder for application
 * data.
 */
export function dataFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (isSet(env.P2_HOME)) return env.P2_HOME
  if (isSet(env.XDG_DATA_HOME)) return join(env.XDG_DATA_HOME, "p2")
  if (process.platform === "win32" && isSet(env.LOCALAPPDATA)) return join(env.LOCALAPPDATA, "p2")
  if (process.platform === "darwin") return join(homedir(), "Library", "Application Support", "p2")
  return join(homedir(), ".local", "share", "p2")
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== ""
}
