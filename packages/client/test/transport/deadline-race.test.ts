import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { DeadlineRace } from "../../src/transport/deadline-race"

const open = (signal?: AbortSignal) => new DeadlineRace(signal)

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const never = new Promise<never>(() => {})

test("the deadline that passes first ends a wait that hangs, once", async () => {
  const race = open()
  race.start("total", 100)
  race.start("idle", 30)
  const waiting = race.wait(never).catch((error: unknown) => error)
  vi.advanceTimersByTime(30)
  expect(await waiting).toMatchObject({ deadline: "idle", timeoutMs: 30 })
  expect(race.signal.aborted).toBe(true)
  vi.advanceTimersByTime(100)
  expect(race.error).toMatchObject({ deadline: "idle" })
})

test("content restarts the idle deadline, not the total one", async () => {
  const race = open()
  race.start("total", 100)
  race.start("idle", 30)
  for (let at = 0; at < 100; at += 20) {
    vi.advanceTimersByTime(20)
    race.refreshIdle(30)
  }
  expect(race.error).toMatchObject({ deadline: "total" })
})

test("a distant deadline is exact, and one that starts later may pass earlier", () => {
  const far = open()
  far.start("total", 60_000)
  vi.advanceTimersByTime(59_999)
  expect(far.error).toBeUndefined()
  vi.advanceTimersByTime(1)
  expect(far.error).toMatchObject({ deadline: "total" })
  const near = open()
  near.start("total", 60_000)
  vi.advanceTimersByTime(9_000)
  near.start("idle", 500)
  vi.advanceTimersByTime(500)
  expect(near.error).toMatchObject({ deadline: "idle" })
})

test("a deadline that does not apply when it passes is ignored", () => {
  const race = open()
  race.start("connect", 10, { applies: () => false })
  vi.advanceTimersByTime(50)
  expect(race.error).toBeUndefined()
})

test("the caller's signal ends the race, also when it fired before", async () => {
  const controller = new AbortController()
  const race = open(controller.signal)
  const waiting = race.wait(never)
  controller.abort(new Error("enough"))
  expect(await waiting.catch((error: unknown) => error)).toMatchObject({
    code: "aborted",
    cause: { message: "enough" },
  })
  const late = open(controller.signal)
  expect(late.error).toMatchObject({ code: "aborted" })
  await expect(late.wait(never)).rejects.toBe(late.error)
})

test("finish() removes the timer and the listener", () => {
  const controller = new AbortController()
  const race = open(controller.signal)
  race.start("total", 10)
  race.finish({ abortTransport: false })
  expect(vi.getTimerCount()).toBe(0)
  controller.abort()
  expect(race.error).toBeUndefined()
  expect(race.signal.aborted).toBe(false)
})

test("the transport can be ended without ending the race", () => {
  const race = open()
  race.abortTransport(new Error("twice"))
  expect(race.signal).toMatchObject({ aborted: true, reason: { message: "twice" } })
  expect(race.error).toBeUndefined()
})

test("races that share a signal add one listener to it, and a race that has finished is not aborted", () => {
  const controller = new AbortController()
  const adding = vi.spyOn(controller.signal, "addEventListener")
  const races = Array.from({ length: 20 }, () => open(controller.signal))
  races[0]!.finish({ abortTransport: false })
  controller.abort()
  expect(adding).toHaveBeenCalledTimes(1)
  expect(races.map(({ error }) => error !== undefined)).toEqual([false, ...Array(19).fill(true)])
})
