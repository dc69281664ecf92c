// Runs the fuzz: `pnpm fuzz --worlds 10000`.
import { runFromSources } from "../../../scripts/run-from-sources.mjs"

await runFromSources(import.meta.url, {
  sources: {
    "@p2/core": "core/src/index.ts",
    "@p2/tokens": "tokens/src/index.ts",
    "@p2/pricing": "pricing/src/index.ts",
    "@p2/budget": "budget/src/index.ts",
    "@p2/budget/redis": "budget/src/redis.ts",
    "@p2/budget-sqlite": "budget-sqlite/src/index.ts",
    "@p2/local-provider": "local-provider/src/index.ts",
    "@p2/redis-server": "redis-server/src/index.ts",
  },
  external: ["openai", "zod", "ioredis", "libsql", "fast-check"],
  links: { libsql: "budget-sqlite/node_modules/libsql" },
})
