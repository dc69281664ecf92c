import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

/** Bundles a TypeScript file, given relative to this folder, as a script for plain Node in a separate process. */
export async function bundleScript(name: string): Promise<{ file: string; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), "p2-bundle-"))
  const file = join(folder, "script.cjs")
  await build({
    entryPoints: [fileURLToPath(new URL(`${name}.ts`, import.meta.url))],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "error",
  })
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
