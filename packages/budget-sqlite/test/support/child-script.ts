import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "tsup"

const here = fileURLToPath(new URL(".", import.meta.url))
const packages = fileURLToPath(new URL("../../..", import.meta.url))

/**
 * Bundles one of the scripts beside this file for plain Node, neighbours from their sources, so that other processes
 * (and other versions of Node) can run it without a build. Inside the package, where libsql can be found.
 */
export async function childScript(name: string): Promise<{ path: string; remove: () => void }> {
  const folder = join(here, "../../node_modules/.cache/children", `${process.pid}-${name}`)
  mkdirSync(folder, { recursive: true })
  await build({
    entry: [join(here, `${name}.ts`)],
    outDir: folder,
    outExtension: () => ({ js: ".mjs" }),
    format: "esm",
    target: "node20",
    platform: "node",
    config: false,
    silent: true,
    dts: false,
    noExternal: [/^@p2\//],
    esbuildOptions(options) {
      options.alias = {
        "@p2/core": join(packages, "core/src/index.ts"),
        "@p2/budget": join(packages, "budget/src/index.ts"),
        "@p2/budget/testing": join(packages, "budget/src/testing.ts"),
        "@p2/budget-sqlite": join(packages, "budget-sqlite/src/index.ts"),
      }
    },
  })
  return { path: join(folder, `${name}.mjs`), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
