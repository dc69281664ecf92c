import { expect } from "vitest"
import { describeRedisSuite } from "./redis-suite"

await describeRedisSuite({
  // The seeds after those of the fast test.
  seed: 6,
  fuzzRuns: 15,
  only: ({ title }) => title.startsWith("random programs"),
  onReport: ({ ok }) => expect(ok).toBe(true),
})
