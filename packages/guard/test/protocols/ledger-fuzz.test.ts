import { expect, it } from "vitest"
import { fuzzBatches } from "../../fuzz/fuzz-batches"
import { fuzzLedger } from "../../fuzz/fuzz-ledger"
import { FUZZED } from "../../fuzz/fuzzed-protocols"

/** A short run; `pnpm fuzz --calls 10000` plays more. */
it.each(FUZZED)("bounds and reads $name as the local provider bills", { timeout: 60_000 }, async (protocol) => {
  const { played, reported, rejected } = await fuzzLedger(protocol, { calls: 80, seed: "test" })
  expect(played).toBe(80)
  expect(reported).toBeGreaterThan(20)
  expect(rejected).toBeLessThan(40)
})

it("bounds and charges batches as the local provider bills", { timeout: 60_000 }, async () => {
  const { played, calls } = await fuzzBatches({ batches: 20, seed: "test" })
  expect(played).toBe(20)
  expect(calls).toBeGreaterThan(40)
})
