// Bundles a TypeScript program with the sources of neighbor packages for plain Node, so that no build is needed.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path/posix"
import { fileURLToPath } from "node:url"
import { build } from "tsup"

const packages = fileURLToPath(new URL("../packages/", import.meta.url))

/** The source of each entry point of our packages, by its import name. */
function sourcesByName() {
  const sources = {}
  for (const folder of readdirSync(packages)) {
    const manifest = join(packages, folder, "package.json")
    if (!existsSync(manifest)) continue
    const { name, exports = {} } = JSON.parse(readFileSync(manifest, "utf8"))
    for (const path of Object.keys(exports)) {
      const source = join(packages, folder, "src", path === "." ? "index.ts" : `${path}.ts`)
      if (existsSync(source)) sources[join(name, path)] = source
    }
  }
  return sources
}

/**
 * Writes `<name of the entry>.mjs` into `folder`, which is inside a package where Node finds the `external` modules.
 * The package's dependencies are always external.
 */
export async function bundleFromSources({ entry, folder, external = [] }) {
  await build({
    entry: [entry],
    outDir: folder,
    outExtension: () => ({ js: ".mjs" }),
    format: "esm",
    target: "node20",
    platform: "node",
    config: false,
    silent: true,
    splitting: true,
    dts: false,
    // Some modules, such as node:test, have no name without it.
    removeNodeProtocol: false,
    noExternal: [/^@p2\//],
    external,
    esbuildOptions(options) {
      options.alias = sourcesByName()
    },
  })
}
