import { parseArgs } from "node:util"
import { fuzzBatches } from "./fuzz-batches"
import { fuzzLedger } from "./fuzz-ledger"
import { FUZZED } from "./fuzzed-protocols"

/** Plays random requests of every wire format: `node fuzz/run.mjs [--calls 1000] [--seed 1] [--only openai-chat]`. */
const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
  },
})

for (const protocol of FUZZED) {
  if (values.only !== undefined && values.only !== protocol.name) continue
  const { played, rejected, reported, medianRatio } = await fuzzLedger(protocol, {
    calls: Number(values.calls),
    seed: values.seed,
  })
  console.log(
    `${protocol.name}: ${played} calls, ${reported} with usage, ${rejected} rejected by the provider; bound / bill: median ${medianRatio.toFixed(2)}`,
  )
}

if (values.only === undefined || values.only === "batches") {
  const { played, calls, medianRatio } = await fuzzBatches({
    batches: Math.ceil(Number(values.calls) / 5),
    seed: values.seed,
  })
  console.log(`batches: ${played} batches, ${calls} calls; bound / bill: median ${medianRatio.toFixed(2)}`)
}
