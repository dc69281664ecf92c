import { expect, it } from "vitest"
import { fuzzLedger } from "../../fuzz/fuzz-ledger"
import { FUZZED } from "../../fuzz/fuzzed-protocols"

/** A short run; `pnpm fuzz --calls 10000` plays more. */
it.each(FUZZED)("bounds and reads $name as its imitation bills", { timeout: 60_000 }, async (protocol) => {
  const { played, reported, rejected } = await fuzzLedger(protocol, { calls: 80, seed: "test" })
  expect(played).toBe(80)
  expect(reported).toBeGreaterThan(20)
  expect(rejected).toBeLessThan(40)
})
