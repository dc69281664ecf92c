import { mkdirSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { bundleFromSources } from "../../../../scripts/bundle-from-sources.mjs"

/**
 * Bundles a script in a package's `test/support` for plain Node, with neighbor packages from source, so that other
 * processes (and other versions of Node) can run it without a build. The bundle is written inside that package, where
 * Node finds what the script imports.
 */
export async function childScript(script: URL): Promise<{ path: string; remove: () => void }> {
  const entry = fileURLToPath(script)
  const name = basename(entry, ".ts")
  const folder = fileURLToPath(new URL(`../../node_modules/.cache/children/${process.pid}-${name}`, script))
  mkdirSync(folder, { recursive: true })
  await bundleFromSources({ entry, folder })
  return { path: join(folder, `${name}.mjs`), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
