// Bundles the simulation from the sources of this package and its neighbours, and runs it: `pnpm simulate --seeds 10000`.
import { mkdirSync, rmSync } from "node:fs"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "tsup"

const here = fileURLToPath(new URL(".", import.meta.url))
const packages = fileURLToPath(new URL("../..", import.meta.url))
// Inside the package, where ioredis can be found.
const folder = `${here}../node_modules/.cache/simulate-${process.pid}`
mkdirSync(folder, { recursive: true })
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
await build({
  entry: [`${here}main.ts`],
  outDir: folder,
  outExtension: () => ({ js: ".mjs" }),
  format: "esm",
  target: "node20",
  platform: "node",
  config: false,
  silent: true,
  splitting: true,
  dts: false,
  noExternal: [/^@p2\//],
  external: ["ioredis"],
  esbuildOptions(options) {
    options.alias = {
      "@p2/core": `${packages}core/src/index.ts`,
      "@p2/redis-server": `${packages}redis-server/src/index.ts`,
    }
  },
})
await import(pathToFileURL(`${folder}/main.mjs`).href)
