import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { InvalidArgumentError, LruMap } from "../src/index"

describe("LruMap", () => {
  it("evicts the least recently used entry when it is full", () => {
    const map = new LruMap<string, number>(2).set("a", 1).set("b", 2)
    expect(map.get("a")).toBe(1)
    map.set("c", 3)
    expect([map.has("a"), map.has("b"), map.has("c"), map.size]).toEqual([true, false, true, 2])
  })

  it("does not count `has` as use", () => {
    const map = new LruMap<string, number>(2).set("a", 1).set("b", 2)
    map.has("a")
    map.set("c", 3)
    expect(map.has("a")).toBe(false)
  })

  it("creates a value once, and none when `create` throws", () => {
    const map = new LruMap<string, number | undefined>(2)
    let calls = 0
    for (let round = 0; round < 3; round++)
      map.getOrCreate("a", (key) => {
        calls++
        expect(key).toBe("a")
        return undefined
      })
    expect(calls).toBe(1)
    const failing = () => {
      throw new Error("no value")
    }
    expect(() => map.getOrCreate("b", failing)).toThrow("no value")
    expect([map.has("b"), map.size]).toEqual([false, 1])
  })

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "2", undefined])("rejects the capacity %j", (capacity) => {
    expect(() => new LruMap(capacity as never)).toThrow(InvalidArgumentError)
  })

  it("behaves like a list of entries in order of use", () => {
    const operation = fc.record({
      name: fc.constantFrom("get" as const, "set" as const, "has" as const, "delete" as const, "getOrCreate" as const),
      key: fc.integer({ min: 0, max: 6 }),
      value: fc.option(fc.integer(), { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(operation, { maxLength: 60 }), (capacity, operations) => {
        const map = new LruMap<number, number | undefined>(capacity)
        let model: { key: number; value: number | undefined }[] = []
        const use = (key: number, value: number | undefined) => {
          model = [...model.filter((entry) => entry.key !== key), { key, value }].slice(-capacity)
        }
        for (const { name, key, value } of operations) {
          const entry = model.find((candidate) => candidate.key === key)
          if (name === "has") expect(map.has(key)).toBe(entry !== undefined)
          if (name === "get") {
            expect(map.get(key)).toBe(entry?.value)
            if (entry) use(key, entry.value)
          }
          if (name === "set") {
            map.set(key, value)
            use(key, value)
          }
          if (name === "delete") {
            expect(map.delete(key)).toBe(entry !== undefined)
            model = model.filter((candidate) => candidate.key !== key)
          }
          if (name === "getOrCreate") {
            expect(map.getOrCreate(key, () => value)).toBe(entry ? entry.value : value)
            use(key, entry ? entry.value : value)
          }
          expect(map.size).toBe(model.length)
          for (const candidate of model) expect(map.has(candidate.key)).toBe(true)
        }
      }),
    )
  })
})
