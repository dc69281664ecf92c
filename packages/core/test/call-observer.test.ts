import { expect, test, vi } from "vitest"
import { callObserver } from "../src/index"

test("an observer is called once, and its error is ignored, thrown or rejected", async () => {
  const unhandled = vi.fn()
  process.on("unhandledRejection", unhandled)
  const observers = [
    vi.fn(),
    vi.fn(() => {
      throw new Error("thrown")
    }),
    vi.fn(() => Promise.reject(new Error("rejected"))),
  ]
  for (const observer of observers) callObserver(observer)
  await new Promise(setImmediate)
  process.off("unhandledRejection", unhandled)
  for (const observer of observers) expect(observer).toHaveBeenCalledTimes(1)
  expect(unhandled).not.toHaveBeenCalled()
})
