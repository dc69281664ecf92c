import { expect, it } from "vitest"
import { hammer } from "../../hammer/hammer"

// `pnpm hammer` sends 2,000 requests with each of three seeds.
it("never lets a provider bill more than the limit or than what is charged, with SDK retries and billed failures", async () => {
  const limitTokens = 40_000
  const result = await hammer({ seed: 7, requests: 250, limitTokens, concurrency: 20 })
  expect(result.billedTokens).toBeLessThanOrEqual(limitTokens)
  expect(result.spentTokens).toBeGreaterThanOrEqual(result.billedTokens)
  expect(result.spentNanoUsd).toBeGreaterThanOrEqual(result.billedNanoUsd)
  expect(result.reserved).toBe(0)
  expect(Math.min(result.answered, result.denied, result.billedCalls)).toBeGreaterThan(20)
})
