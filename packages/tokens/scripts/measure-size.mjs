/**
 * `pnpm size`: what the package adds to node_modules, and what each entry adds to a bundle, with its vocabularies. Needs a
 * build of this package and of @p2/core.
 */
import { readdirSync, statSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { buildSync } from "esbuild"

const folder = fileURLToPath(new URL("..", import.meta.url))
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`
const sizeOf = (dist) => readdirSync(dist).reduce((sum, file) => sum + statSync(`${dist}/${file}`).size, 0)

console.log(`installed: ${megabytes(sizeOf(`${folder}dist`))}, @p2/core: ${megabytes(sizeOf(`${folder}../core/dist`))}`)
for (const entry of ["index", "o200k_base", "o200k_harmony", "cl100k_base", "p50k_base", "r50k_base"]) {
  const { outputFiles } = buildSync({
    entryPoints: [`${folder}dist/${entry}.js`],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    write: false,
    logLevel: "error",
  })
  const code = outputFiles[0].contents
  console.log(`${entry}: ${megabytes(code.length)} minified, ${megabytes(gzipSync(code).length)} gzipped`)
}
