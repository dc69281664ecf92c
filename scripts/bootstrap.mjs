// Installs the pinned pnpm and every dependency, with only Node and npm on the machine. Does nothing if they are
// installed.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
process.chdir(root)

const major = Number(process.versions.node.split(".")[0])
if (major < 20) {
  console.error(
    `p2 needs Node 20 or later; this is ${process.version}. Install a newer Node and run the command again.`,
  )
  process.exit(1)
}

const stamp = join(root, "node_modules", ".p2-bootstrap")
const wanted = fingerprint()
if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) process.exit(0)

const pnpm = JSON.parse(readFileSync("package.json", "utf8")).packageManager
console.log(`Installing dependencies with ${pnpm} …`)
const arguments_ = [
  "exec",
  "--yes",
  `--package=${pnpm}`,
  "--",
  "pnpm",
  "install",
  "--frozen-lockfile",
  "--reporter=append-only",
  "--config.confirmModulesPurge=false",
]
const result = spawnSync("npm", arguments_, {
  stdio: "inherit",
  env: { ...process.env, npm_config_update_notifier: "false" },
  shell: process.platform === "win32",
})
if (result.status !== 0) {
  console.error(
    "The install failed; the lines above say why. Nothing outside this folder was changed: run the command again.",
  )
  process.exit(result.status ?? 1)
}
mkdirSync(join(root, "node_modules"), { recursive: true })
writeFileSync(stamp, wanted)

/** Changes whenever an install could have a different result: the lock file, any manifest, the platform. */
function fingerprint() {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`)
  const folders = ["packages", "apps"].flatMap((parent) =>
    readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(parent, entry.name)),
  )
  const files = [
    "package.json",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    ...folders.map((folder) => join(folder, "package.json")),
  ]
  for (const file of files.sort()) if (existsSync(file)) hash.update(file).update(readFileSync(file))
  return hash.digest("hex")
}
