import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { Heartbeats } from "../src/heartbeats"

const INTERVAL_MS = 20_000

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** A heart that writes down when it beats. */
function heart(hearts: Heartbeats, goesOn: () => boolean | Promise<boolean> = () => true) {
  const start = performance.now()
  const beats: number[] = []
  const beat = hearts.add({
    beat: async () => {
      beats.push(Math.round(performance.now() - start))
      return goesOn()
    },
    stopHeartbeat: () => hearts.remove(beat),
  })
  return { beats, beat }
}

describe("heartbeats", () => {
  it("come to each at its own time, with one timer for all", async () => {
    const hearts = new Heartbeats(INTERVAL_MS)
    const first = heart(hearts)
    await vi.advanceTimersByTimeAsync(5_000)
    const stopped = heart(hearts)
    await vi.advanceTimersByTimeAsync(3_000)
    const last = heart(hearts)
    hearts.remove(stopped.beat)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(2 * INTERVAL_MS)
    expect([first.beats, stopped.beats, last.beats]).toEqual([[20_000, 40_000], [], [20_000, 40_000]])
    expect(vi.getTimerCount()).toBe(1)
  })

  it("leave no timer behind when nothing is held any more", async () => {
    const hearts = new Heartbeats(INTERVAL_MS)
    hearts.remove(heart(hearts).beat)
    const once = heart(hearts, () => false)
    await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS)
    expect(once.beats).toEqual([20_000])
    expect(vi.getTimerCount()).toBe(0)
  })

  it("wait for a beat that takes long, and forget it when it was stopped meanwhile", async () => {
    const hearts = new Heartbeats(INTERVAL_MS)
    const slow = (ms: number) => () => new Promise<boolean>((resolve) => setTimeout(resolve, ms, true))
    const [patient, stopped] = [heart(hearts, slow(30_000)), heart(hearts, slow(30_000))]
    await vi.advanceTimersByTimeAsync(25_000)
    hearts.remove(stopped.beat)
    await vi.advanceTimersByTimeAsync(INTERVAL_MS * 3)
    expect([patient.beats, stopped.beats]).toEqual([[20_000, 70_000], [20_000]])
  })

  it("end all at once, those included that are under way", async () => {
    const hearts = new Heartbeats(INTERVAL_MS)
    const busy = heart(hearts, () => new Promise<boolean>((resolve) => setTimeout(resolve, 1_000, true)))
    await vi.advanceTimersByTimeAsync(INTERVAL_MS)
    const idle = heart(hearts)
    hearts.stopAll()
    await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS)
    expect([busy.beats, idle.beats]).toEqual([[20_000], []])
    expect(vi.getTimerCount()).toBe(0)
  })
})
