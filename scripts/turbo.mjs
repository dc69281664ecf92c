// For the root scripts: runs turbo, and finds the workspace's packages.
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

/** Runs turbo with the pinned tools on the PATH; returns its exit status. */
export function runTurbo(commands, options = {}) {
  const bin = join(root, "node_modules", ".bin")
  const env = {
    ...process.env,
    PATH: `${bin}${delimiter}${process.env.PATH ?? ""}`,
    TURBO_TELEMETRY_DISABLED: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
    DO_NOT_TRACK: "1",
  }
  const result = spawnSync(join(bin, "turbo"), ["run", ...commands], {
    cwd: root,
    env,
    stdio: options.quiet ? ["ignore", "pipe", "pipe"] : "inherit",
    encoding: "utf8",
    shell: process.platform === "win32",
  })
  if (options.quiet && result.status !== 0) console.error(result.stdout, result.stderr)
  return result.status ?? 1
}

/** The folders of all packages, apps and examples. */
export function workspaceFolders() {
  const parents = ["packages", "apps"].map((name) => join(root, name))
  const folders = parents.flatMap(children)
  return [
    ...folders,
    ...folders
      .map((folder) => join(folder, "examples"))
      .filter((path) => existsSync(path))
      .flatMap(children),
  ]
}

function children(parent) {
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(parent, entry.name, "package.json")))
    .map((entry) => join(parent, entry.name))
}
