// Bundles a TypeScript program with its neighbors from their sources, for plain Node: no build is needed before.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path/posix"
import { fileURLToPath } from "node:url"
import { build } from "tsup"

const packages = fileURLToPath(new URL("../packages/", import.meta.url))

/** The source of each entry point of our packages, by the name that it is imported by. */
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
 * Writes `<name of the entry>.mjs` into `folder`, which is inside a package where Node finds what is `external`: what the
 * package depends on is so by itself.
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
    // Some modules, node:test among them, have no name without it.
    removeNodeProtocol: false,
    noExternal: [/^@p2\//],
    external,
    esbuildOptions(options) {
      options.alias = sourcesByName()
    },
  })
}
