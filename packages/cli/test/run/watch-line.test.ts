import { EventEmitter } from "node:events"
import { createBudget, memoryStore } from "@p2/budget"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { RunTotals } from "../../src/run/run-totals"
import { describeRun, startWatchLine } from "../../src/run/watch-line"

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }))
afterEach(() => void vi.useRealTimers())

const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "1.00" }] })
const status = async () => (await budget.status())[0]!

/** A terminal that keeps what was written. */
function terminalOf(rows: number | undefined) {
  const written: string[] = []
  const write = (text: string) => void written.push(text)
  return { written, stream: Object.assign(new EventEmitter(), { rows, columns: 40, write }) as never }
}

it("shows the amounts, the calls and the denials", async () => {
  const totals = new RunTotals()
  const attempt = {
    ...{ provider: "openai", model: "gpt-4o-mini", httpStatus: 200, limits: [], reservedNanoUsd: 5, overrunNanoUsd: 0 },
    ...{ costSource: "usage", isPending: false, durationMs: 1, inputTokens: 1, outputTokens: 1 },
  } as const
  totals.add({ ...attempt, status: "succeeded", costNanoUsd: 3, inDoubt: false } as never)
  totals.add({ ...attempt, status: "denied", costNanoUsd: 0, inDoubt: false } as never)
  await budget.run({ amount: "0.30" }, async () => ({ value: 1, cost: "0.25" }))
  const inFlight = await budget.reserve({ amount: "0.50" })
  expect(describeRun(totals, await status())).toBe(
    "p2: spent $0.25 · reserved $0.50 · remaining $0.25 · calls 1 · denied 1",
  )
  if (inFlight.ok) await inFlight.reservation.release()
})

it("is written in the last row, and removed", async () => {
  const { written, stream } = terminalOf(24)
  const stop = startWatchLine(stream, { totals: new RunTotals(), status })
  await vi.waitFor(() => expect(written.at(-1)).toContain("p2: spent $0.25"), 60_000)
  // Rows 1 to 23 scroll; the line is truncated to the width of the terminal.
  expect(written.at(-1)).toMatch(/^\u001b7\u001b\[1;23r\u001b\[24;1H\u001b\[2K.{40}\u001b8$/)
  stop()
  expect(written.at(-1)).toBe("\u001b7\u001b[r\u001b[24;1H\u001b[2K\u001b8")
  const { length } = written
  vi.advanceTimersByTime(5_000)
  expect(written).toHaveLength(length)
})

it("says that the store does not respond", async () => {
  const { written, stream } = terminalOf(24)
  const stop = startWatchLine(stream, {
    totals: new RunTotals(),
    status: async () => Promise.reject(new Error("down")),
  })
  await vi.waitFor(() => expect(written.at(-1)).toContain("p2: the store does not respond"), 60_000)
  stop()
})

it("is not drawn on a terminal without a size", async () => {
  const { written, stream } = terminalOf(undefined)
  const stop = startWatchLine(stream, { totals: new RunTotals(), status })
  await vi.advanceTimersByTimeAsync(1_000)
  stop()
  expect(written.join("")).not.toContain("p2:")
})
