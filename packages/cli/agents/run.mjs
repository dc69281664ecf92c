// Runs real agent programs under `p2 run` against the local provider, and prints what happened:
//   pnpm agents                                  all programs
//   pnpm agents --only claude,codex --show       two of them, with their output
//   pnpm agents --only qwen --bodies FOLDER      writes their requests, shortened and without ids
// Installs the pinned programs from npm into .cache/agents (1.2 GB). Needs no key: nothing is sent to a provider.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { bundleFromSources } from "../../../scripts/bundle-from-sources.mjs"

const root = fileURLToPath(new URL("../../../", import.meta.url))
const cli = fileURLToPath(new URL("../", import.meta.url))
const installed = join(process.env.P2_CACHE_DIR ?? join(root, ".cache"), "agents")
/** Inside the package, where Node finds its dependencies. */
const bundled = join(cli, "node_modules", ".cache", `agents-${process.pid}`)
const external = Object.keys(JSON.parse(readFileSync(join(cli, "package.json"), "utf8")).dependencies).filter(
  (name) => !name.startsWith("@p2/"),
)

process.on("exit", () => rmSync(bundled, { recursive: true, force: true }))
for (const entry of [join(cli, "src", "main.ts"), join(cli, "agents", "run-agents.ts")])
  await bundleFromSources({ entry, folder: bundled, external })
const { PACKAGES, runAgents } = await import(pathToFileURL(join(bundled, "run-agents.mjs")).href)
install()
process.exitCode = await runAgents(process.argv.slice(2), {
  cli: join(bundled, "main.mjs"),
  programs: join(installed, "node_modules", ".bin"),
})

function install() {
  const file = join(installed, "package.json")
  const manifest = `${JSON.stringify({ private: true, dependencies: PACKAGES }, null, 2)}\n`
  const stamp = join(installed, "node_modules", ".p2-installed")
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === manifest) return
  console.log(`Installing ${Object.keys(PACKAGES).join(", ")} into ${installed} …`)
  mkdirSync(installed, { recursive: true })
  writeFileSync(file, manifest)
  const npm = process.platform === "win32" ? "npm.cmd" : "npm"
  const { status } = spawnSync(npm, ["install", "--no-audit", "--no-fund"], { cwd: installed, stdio: "inherit" })
  if (status !== 0) process.exit(3)
  writeFileSync(stamp, manifest)
}
