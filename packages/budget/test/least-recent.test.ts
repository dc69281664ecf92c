import { describe, expect, it } from "vitest"
import { LeastRecent } from "../src/internal/least-recent"

describe("a map of bounded size", () => {
  it("keeps what is asked for, and no more than it may", () => {
    const map = new LeastRecent<number, number>(100)
    for (let key = 1; key <= 10_000; key++) {
      map.set(key, key)
      expect(map.get(1)).toBe(1)
    }
    const found = Array.from({ length: 10_000 }, (_, key) => map.get(key)).filter((value) => value !== undefined)
    expect(found.length).toBeLessThanOrEqual(100)
  })

  it("keeps the last half of its size", () => {
    const map = new LeastRecent<number, number>(100)
    for (let key = 0; key < 10_000; key++) map.set(key, key)
    for (let key = 9_950; key < 10_000; key++) expect(map.get(key)).toBe(key)
  })

  it("replaces a value, and makes one that is not there", () => {
    const map = new LeastRecent<string, number>(2)
    map.set("a", 1)
    map.set("b", 2)
    map.set("a", 3)
    expect(map.getOrMake("a", () => 4)).toBe(3)
    expect(map.getOrMake("c", () => 5)).toBe(5)
    expect(map.get("c")).toBe(5)
  })
})
