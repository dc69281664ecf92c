import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

/** A TypeScript file, named from here, as a script that plain Node runs in a separate process. */
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
