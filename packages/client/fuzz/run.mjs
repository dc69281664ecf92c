// Runs the fuzz: `pnpm fuzz --worlds 10000`.
import { runFromSources } from "../../../scripts/run-from-sources.mjs"

await runFromSources(import.meta.url, {
  external: ["openai", "zod", "ioredis", "libsql", "fast-check"],
  links: { libsql: "budget-sqlite/node_modules/libsql" },
})
