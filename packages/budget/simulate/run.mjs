// Runs the simulation: `pnpm simulate --seeds 10000`.
import { runFromSources } from "../../../scripts/run-from-sources.mjs"

await runFromSources(import.meta.url, { external: ["ioredis"] })
