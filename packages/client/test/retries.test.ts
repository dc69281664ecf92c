import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import fc from "fast-check"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { z } from "zod"
import { openClient, Person } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  provider.faults.clear()
  provider.received.length = 0
})
afterAll(() => provider.close())

/** The waits before the retries of a request whose attempts all fail in this way. */
async function waits(headers: Record<string, string>, { retries = 1, random = 0, now = Date.now() } = {}) {
  provider.faults.clear()
  provider.faults.always({ status: 503, headers })
  const recorded: number[] = []
  const clock = { now: () => now, random: () => random, sleep: async (ms: number) => void recorded.push(ms) }
  const { receipt } = await openClient(provider, { retries }, { clock }).generate()
  return { recorded, attempts: receipt.attempts.length }
}

describe("the wait before a retry", () => {
  test("doubles from half a second up to eight seconds", async () => {
    const { recorded } = await waits({}, { retries: 7 })
    expect(recorded).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000])
  })

  test("is shortened by the jitter, by half at most", async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), async (random) => {
        const { recorded } = await waits({}, { retries: 2, random })
        for (const [index, full] of [500, 1_000].entries()) {
          expect(recorded[index]).toBeLessThanOrEqual(full)
          expect(recorded[index]).toBeGreaterThanOrEqual(full / 2)
        }
      }),
      { numRuns: 10 },
    )
  })

  const now = Date.UTC(2026, 10, 23, 12)
  test.each([
    [{ "retry-after": "1.5" }, 1_500],
    [{ "retry-after": "2", "retry-after-ms": "40" }, 40],
    [{ "retry-after": "Mon, 23 Nov 2026 12:00:03 GMT" }, 3_000],
    [{ "retry-after": "60" }, 60_000],
    // Unreadable headers are ignored.
    [{ "retry-after": "soon" }, 500],
    [{ "retry-after": "-3" }, 500],
    [{ "retry-after": "" }, 500],
  ])("is what the provider asks for: %j", async (headers, expected) => {
    expect((await waits(headers, { now })).recorded).toEqual([expected])
  })

  test("is up to a tenth longer than the provider asks for", async () => {
    expect((await waits({ "retry-after": "2.5" }, { random: 0.5 })).recorded).toEqual([2_625])
  })

  test("is zero for a date in the past", async () => {
    const past = await waits({ "retry-after": "Mon, 23 Nov 2026 11:00:00 GMT" }, { now })
    expect(past).toEqual({ recorded: [], attempts: 2 })
  })

  test("is skipped, with the retry, if it exceeds a minute or the rest of the deadline", async () => {
    expect(await waits({ "retry-after": "61" })).toEqual({ recorded: [], attempts: 1 })
    provider.faults.clear()
    provider.faults.always({ status: 503, headers: { "retry-after": "5" } })
    const { receipt } = await openClient(provider, { timeoutMs: 4_000 }).generate()
    expect(receipt.attempts).toHaveLength(1)
  })
})

describe("the messages of a repair", () => {
  const messages = (index: number) => provider.received[index]!.body.messages as { role: string; content: string }[]

  test("are the invalid answer, and the paths and messages of its issues", async () => {
    const answer = '{"people":[{"age":"x"}]}'
    provider.faults.next({ answer })
    const answerModel = z.object({ people: z.array(z.object({ age: z.number() })) })
    expect((await openClient(provider, { answerModel }).generate()).ok).toBe(true)
    const [, invalid, repair] = messages(1)
    expect(invalid).toEqual({ role: "assistant", content: answer })
    expect(repair?.role).toBe("user")
    expect(repair?.content).toMatch(
      /^It does not match the schema:\n- people\[0\]\.age: .+\nAnswer again with the complete corrected answer and nothing else\.$/,
    )
  })

  test("say that invalid JSON is not valid JSON", async () => {
    provider.faults.next({ invalidJson: true })
    await openClient(provider, { answerModel: Person }).generate()
    expect(messages(1).at(-1)?.content).toMatch(/^It is not valid JSON\.\n/)
  })

  test.each([
    ["a".repeat(5_000), `${"a".repeat(4_000)}…`],
    [`${"a".repeat(3_999)}😀b`, `${"a".repeat(3_999)}…`],
    [`${"a".repeat(3_998)}😀b`, `${"a".repeat(3_998)}😀…`],
  ])("truncate a long answer without splitting a character", async (answer, sent) => {
    provider.faults.next({ answer })
    await openClient(provider, { answerModel: Person, maxTokens: 5_000 }).generate()
    expect(messages(1)[1]?.content).toBe(sent)
  })

  test("are not added to the conversation", async () => {
    const client = openClient(provider, { answerModel: Person })
    provider.faults.next({ answer: '{"name": "David", "age": "forty", "interests": []}' })
    expect((await client.generate()).ok).toBe(true)
    expect(client.msg.getMessages().map(({ role }) => role)).toEqual(["user", "assistant"])
  })
})
