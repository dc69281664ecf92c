// Runs the gauntlet against the sources: `pnpm gauntlet --seed 1`.
import { readFileSync } from "node:fs"
import { runFromSources } from "../../../scripts/run-from-sources.mjs"

const { devDependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
const external = Object.keys(devDependencies).filter((name) => !name.startsWith("@p2/"))
await runFromSources(import.meta.url, { external })
