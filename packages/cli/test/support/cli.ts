import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import type { TestProject } from "vitest/node"

const root = fileURLToPath(new URL("../../", import.meta.url))
const workspace = fileURLToPath(new URL("../../../../", import.meta.url))

declare module "vitest" {
  interface ProvidedContext {
    /** The command line, bundled from source into a file for plain Node, next to the dependencies of this package. */
    cliFile: string
  }
}

/** Bundles `src/main.ts` with the sources of neighbors, once for all test files, so that they need no build. */
export async function setup({ provide }: TestProject): Promise<() => void> {
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
  provide("cliFile", file)
  return () => rmSync(folder, { recursive: true, force: true })
}
