// Bundles a TypeScript program with its neighbours from their sources, for plain Node: no build is needed before.
import { fileURLToPath } from "node:url"
import { build } from "tsup"

const packages = fileURLToPath(new URL("../packages/", import.meta.url))

/** By what name each neighbour is imported, and where its source is. */
const SOURCES = {
  "@p2/core": "core/src/index.ts",
  "@p2/core/model-limits": "core/src/model-limits.ts",
  "@p2/tokens": "tokens/src/index.ts",
  "@p2/pricing": "pricing/src/index.ts",
  "@p2/budget": "budget/src/index.ts",
  "@p2/budget/redis": "budget/src/redis.ts",
  "@p2/budget/testing": "budget/src/testing.ts",
  "@p2/budget-sqlite": "budget-sqlite/src/index.ts",
  "@p2/local-provider": "local-provider/src/index.ts",
  "@p2/redis-server": "redis-server/src/index.ts",
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
      options.alias = Object.fromEntries(Object.entries(SOURCES).map(([name, file]) => [name, packages + file]))
    },
  })
}
