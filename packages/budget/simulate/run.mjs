// Runs the simulation: `pnpm simulate --seeds 10000`.
import { runFromSources } from "../../../scripts/run-from-sources.mjs"

await runFromSources(import.meta.url, {
  sources: { "@p2/core": "core/src/index.ts", "@p2/redis-server": "redis-server/src/index.ts" },
  external: ["ioredis"],
})
