import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface BrowserEnvironment {
  platform: NodeJS.Platform
  env: NodeJS.ProcessEnv
  isTerminal: boolean
}

/**
 * Opens a link in the user's browser where users expect it: from a terminal on a desktop, not over SSH and not in CI.
 * The browser gets a file that only the user can read, because every user of the machine can read the arguments of a
 * process.
 *
 * @returns a function that removes the file, which otherwise goes when the process ends; undefined if no browser was started
 */
export function openInBrowser(link: string, given: Partial<BrowserEnvironment> = {}): (() => void) | undefined {
  const { platform = process.platform, env = process.env, isTerminal = process.stdout.isTTY === true } = given
  if (!isTerminal || isSet(env.CI) || isSet(env.SSH_CONNECTION)) return undefined
  const hasScreen = isSet(env.DISPLAY) || isSet(env.WAYLAND_DISPLAY)
  if (platform !== "darwin" && platform !== "win32" && !hasScreen) return undefined
  const folder = mkdtempSync(join(tmpdir(), "p2-dashboard-"))
  const file = join(folder, "open.html")
  const page = `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=${link}"><title>p2</title>`
  writeFileSync(file, page, { mode: 0o600 })
  const command = { darwin: "open", win32: "explorer.exe" }[platform as string] ?? "xdg-open"
  const child = spawn(command, [file], { env, stdio: "ignore", detached: true })
  // Without such a program the printed link remains.
  child.on("error", () => {})
  child.unref()
  return () => rmSync(folder, { recursive: true, force: true })
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== ""
}
