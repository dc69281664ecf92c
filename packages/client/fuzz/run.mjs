// Bundles the fuzz from the sources of this package and its neighbours, and runs it: `pnpm fuzz --worlds 10000`.
import { mkdirSync, rmSync } from "node:fs"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "tsup"

const here = fileURLToPath(new URL(".", import.meta.url))
const packages = fileURLToPath(new URL("../..", import.meta.url))
// Inside the package, where openai and zod can be found.
const folder = `${here}../node_modules/.cache/fuzz-${process.pid}`
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
  external: ["openai", "zod", "ioredis", "libsql", "fast-check"],
  esbuildOptions(options) {
    const names = ["core", "tokens", "pricing", "budget", "budget-sqlite", "local-provider"]
    const sources = names.map((name) => [`@p2/${name}`, `${packages}${name}/src/index.ts`])
    options.alias = { "@p2/budget/redis": `${packages}budget/src/redis.ts`, ...Object.fromEntries(sources) }
  },
})
await import(pathToFileURL(`${folder}/main.mjs`).href)
