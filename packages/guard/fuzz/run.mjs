// Runs the ledger fuzz: `pnpm fuzz --calls 10000 --seed 1`.
import { runFromSources } from "../../../scripts/run-from-sources.mjs"

await runFromSources(import.meta.url, { external: [] })
