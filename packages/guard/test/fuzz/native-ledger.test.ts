import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, expect, test } from "vitest"
import { checkCall, drawCall } from "../../fuzz/native/check-call"

const CALLS = 250

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
afterAll(() => provider.close())

test.each(["anthropic", "gemini"] as const)(
  "the bill of random calls of %s is within the bound and is read",
  async (name) => {
    const problems: string[] = []
    const ends = new Map<string, number>()
    for (let seed = 1; seed <= CALLS; seed++) {
      const call = drawCall(name, seed)
      const checked = await checkCall(provider, call)
      ends.set(checked.end, (ends.get(checked.end) ?? 0) + 1)
      for (const problem of checked.problems) problems.push(`${name}, seed ${seed}: ${problem}`)
    }
    expect(problems).toEqual([])
    // Most calls must be sent, billed and reported.
    expect(ends.get("reported")).toBeGreaterThan(CALLS / 3)
    expect(ends.get("not reported")).toBeGreaterThan(5)
  },
)

test("a seed always draws the same call", () => {
  expect(drawCall("anthropic", 7)).toEqual(drawCall("anthropic", 7))
  expect(drawCall("gemini", 7)).not.toEqual(drawCall("gemini", 8))
})
