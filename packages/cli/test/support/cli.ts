import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = fileURLToPath(new URL("../../", import.meta.url))
const workspace = fileURLToPath(new URL("../../../../", import.meta.url))

/** The command line, bundled from source into a file for plain Node, next to this package's dependencies. */
export interface CliFile {
  file: string
  remove(): void
}

/** Bundles `src/main.ts` with the sources of neighbors, so that tests need no build. */
export async function bundleCli(): Promise<CliFile> {
  const folder = mkdtempSync(join(root, "node_modules", ".p2-cli-"))
  const file = join(folder, "main.mjs")
  await build({
    entryPoints: [join(root, "src", "main.ts")],
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    // As in the package: a command loads what it needs.
    splitting: true,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "error",
    external: ["commander", "ioredis", "jsonc-parser", "libsql", "pg", "zod"],
    tsconfig: join(workspace, "tsconfig.base.json"),
  })
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
