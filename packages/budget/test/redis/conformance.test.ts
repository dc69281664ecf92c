import { expect } from "vitest"
import { describeRedisSuite } from "./redis-suite"

await describeRedisSuite({
  fuzzRuns: 5,
  onReport: (report) => {
    expect(report.levels.map(({ level, status, notClaimed }) => [level, status, notClaimed])).toEqual(
      report.levels.map(({ level }) => [level, "passed", 0]),
    )
  },
})
