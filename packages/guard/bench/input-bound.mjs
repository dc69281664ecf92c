// Compares the modes of `inputBound` on recorded calls, from source, against the local provider:
//   node bench/input-bound.mjs
// Plays 10^5 calls with drift against a calibration, with the share of calls above their bound:
//   node bench/input-bound.mjs --simulate [--calls 100000] [--seed 1]
import { runFromSources } from "../../../scripts/run-from-sources.mjs"

await runFromSources(new URL("../input-bound/main.ts", import.meta.url), { external: [] })
