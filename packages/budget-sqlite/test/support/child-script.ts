import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bundleFromSources } from "../../../../scripts/bundle-from-sources.mjs"

const here = fileURLToPath(new URL(".", import.meta.url))

/**
 * Bundles one of the scripts beside this file for plain Node, neighbors from their sources, so that other processes
 * (and other versions of Node) can run it without a build. Inside the package, where libsql can be found.
 */
export async function childScript(name: string): Promise<{ path: string; remove: () => void }> {
  const folder = join(here, "../../node_modules/.cache/children", `${process.pid}-${name}`)
  mkdirSync(folder, { recursive: true })
  await bundleFromSources({ entry: join(here, `${name}.ts`), folder })
  return { path: join(folder, `${name}.mjs`), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
