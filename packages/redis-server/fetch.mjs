// Finds a redis-server. Where apt is available, downloads one into the project's cache without touching the system.
// Plain JavaScript: the root's scripts use it before anything is built, and src/ uses it too.
import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { delimiter, dirname, join, resolve } from "node:path"

const STEP_TIMEOUT_MS = 120_000

/**
 * The path of a redis-server, looked for in this order: `P2_REDIS_SERVER`, the PATH, the project's cache
 * (`P2_CACHE_DIR`, or `.cache/redis` at the root of the repository). With `fetch`, the cache is filled when it is empty.
 */
export async function findRedisServer(options = {}) {
  const named = process.env.P2_REDIS_SERVER
  if (named !== undefined && named !== "") {
    if (!isExecutable(named)) {
      throw new Error(`Expected P2_REDIS_SERVER to be the path of a redis-server, got "${named}". Correct or unset it.`)
    }
    return named
  }
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (folder !== "" && isExecutable(join(folder, "redis-server"))) return join(folder, "redis-server")
  }
  const cached = join(cacheFolder(), "server", "redis-server")
  if (isExecutable(cached)) return cached
  if (options.fetch !== true) return undefined
  return fetchWithApt(cacheFolder())
}

/** Folder of fetched and compiled files. */
export function cacheFolder() {
  const named = process.env.P2_CACHE_DIR
  return named === undefined || named === "" ? join(repositoryRoot(), ".cache", "redis") : resolve(named)
}

/** The nearest parent folder with the workspace's manifest. */
export function repositoryRoot() {
  let folder = process.cwd()
  while (!existsSync(join(folder, "pnpm-workspace.yaml"))) {
    const above = dirname(folder)
    if (above === folder) return process.cwd()
    folder = above
  }
  return folder
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Each process works in its own folder and renames it when it is complete, so two fetches cannot collide. */
function fetchWithApt(cache) {
  const work = join(cache, `fetch-${process.pid}-${randomBytes(4).toString("hex")}`)
  try {
    for (const folder of ["lists/partial", "archives/partial", "debs", "server/files"]) {
      mkdirSync(join(work, folder), { recursive: true })
    }
    const apt = aptOptions(work)
    run("apt-get", [...apt, "update", "-qq"], work)
    const packages = ["redis-server", "redis-tools", ...missingLibraries(apt, work)]
    run("apt-get", [...apt, "download", "-qq", ...packages], join(work, "debs"))
    for (const file of readdirSync(join(work, "debs"))) {
      run("dpkg-deb", ["-x", join(work, "debs", file), join(work, "server", "files")], work)
    }
    writeWrapper(join(work, "server"))
    run(join(work, "server", "redis-server"), ["--version"], work)
    return adopt(join(work, "server"), join(cache, "server"))
  } catch (error) {
    console.warn(`redis-server could not be fetched: ${error.message}`)
    return undefined
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Uses separate lists and archives, so that any user can run this and the system's state is never changed. */
function aptOptions(work) {
  const options = {
    "Dir::State::Lists": join(work, "lists"),
    "Dir::Cache": work,
    "Dir::Cache::Archives": join(work, "archives"),
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
    "Debug::NoLocking": "1",
    // As root, apt downloads as the user _apt, who may not write in this folder.
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
  }
  return Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`])
}

/** The libraries that redis-server and redis-tools need, at any depth, and that this system does not have. */
function missingLibraries(apt, work) {
  const wanted = new Set()
  const queue = ["redis-server", "redis-tools"]
  while (queue.length > 0) {
    const text = run("apt-cache", [...apt, "depends", "--important", ...queue.splice(0)], work)
    for (const [, name] of text.matchAll(/^\s*\|?(?:Pre)?Depends: (lib[a-z0-9.+-]+)$/gm)) {
      if (wanted.has(name) || isInstalled(name)) continue
      wanted.add(name)
      queue.push(name)
    }
  }
  return wanted
}

function isInstalled(name) {
  const result = spawnSync("dpkg", ["--status", name], { encoding: "utf8" })
  return result.status === 0 && /^Status: install ok installed$/m.test(result.stdout)
}

/** `exec` keeps the process id, so that whoever starts the wrapper can end the server. */
function writeWrapper(folder) {
  for (const program of ["redis-server", "redis-cli"]) {
    const script = [
      "#!/bin/sh",
      'here=$(cd "$(dirname "$0")" && pwd)',
      'for folder in "$here"/files/usr/lib/*-linux-* "$here"/files/lib/*-linux-* "$here"/files/usr/lib; do',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is shell.
      '  LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"',
      "done",
      "export LD_LIBRARY_PATH",
      `exec "$here/files/usr/bin/${program}" "$@"`,
      "",
    ].join("\n")
    writeFileSync(join(folder, program), script)
    chmodSync(join(folder, program), 0o755)
  }
}

function adopt(made, final) {
  try {
    renameSync(made, final)
  } catch (error) {
    // Another process was faster; its server is used.
    if (!isExecutable(join(final, "redis-server"))) throw error
  }
  return join(final, "redis-server")
}

function run(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, encoding: "utf8", timeout: STEP_TIMEOUT_MS })
  if (result.status === 0) return result.stdout
  const reason = result.error?.message ?? result.stderr.trim().split("\n").at(-1) ?? `status ${result.status}`
  throw new Error(`${command.split("/").at(-1)} failed: ${reason}`)
}
