// Runs a TypeScript program from the sources of its package and neighbor packages, so that no build is needed.
import { mkdirSync, rmSync, symlinkSync } from "node:fs"
import { fileURLToPath, pathToFileURL } from "node:url"
import { bundleFromSources } from "./bundle-from-sources.mjs"

const packages = fileURLToPath(new URL("../packages/", import.meta.url))

/**
 * Runs `main.ts` in the folder of `from`, the URL of a file that is one folder below its package.
 *
 * `external`: modules that Node resolves. `links`: modules that only a neighbor package has installed, by name,
 * relative to the folder of packages.
 */
export async function runFromSources(from, { external, links = {} }) {
  // Inside the package, where Node can find what is external.
  const folder = fileURLToPath(new URL(`../node_modules/.cache/from-sources-${process.pid}`, from))
  mkdirSync(`${folder}/node_modules`, { recursive: true })
  // On Windows, a junction needs no special permission; elsewhere this argument is ignored.
  for (const [name, place] of Object.entries(links))
    symlinkSync(packages + place, `${folder}/node_modules/${name}`, "junction")
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  await bundleFromSources({ entry: fileURLToPath(new URL("main.ts", from)), folder, external })
  await import(pathToFileURL(`${folder}/main.mjs`).href)
}
