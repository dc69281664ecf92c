// What an import of this package adds to a bundle: minified and gzipped bytes, of the built package (`npx tsup` first).
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

// The bundler that tsup builds with and `size-limit` measures with.
const esbuild = createRequire(createRequire(import.meta.url).resolve("tsup"))("esbuild")

const IMPORTS = [
  ["{ usd, formatUsd }", "index"],
  ["{ extractJson, parsePartialJson }", "index"],
  ["{ toYaml }", "index"],
  ["{ MessageBuilder }", "index"],
  ["{ Request }", "index"],
  ["{ Request, MessageBuilder }", "index"],
  ["{ compileAnswer }", "index"],
  ["*", "index"],
  ["{ modelLimits }", "model-limits"],
]

for (const [names, entry] of IMPORTS) {
  const { outputFiles } = await esbuild.build({
    stdin: {
      contents: `export ${names} from "./dist/${entry}.js"`,
      resolveDir: fileURLToPath(new URL("..", import.meta.url)),
    },
    bundle: true,
    format: "esm",
    minify: true,
    write: false,
  })
  const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length
  console.log(`${names.padEnd(34)} ${(bytes / 1_000).toFixed(1)} KB`)
}
