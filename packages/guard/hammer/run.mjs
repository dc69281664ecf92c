// Runs the hammer from source: `pnpm hammer --requests 2000 --seeds 3`.
import { readFileSync } from "node:fs"
import { runFromSources } from "../../../scripts/run-from-sources.mjs"

const { devDependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
const external = Object.keys(devDependencies).filter((name) => !name.startsWith("@p2/"))
await runFromSources(import.meta.url, { external })
