import { describe, expect, it } from "vitest"
import { repeatedName } from "../../src/fetch/batch/repeated-name"

describe("repeatedName", () => {
  it.each([
    ['{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}', undefined],
    ['{"a":"\\"a\\":1,\\\\","b":": \\"a\\""}', undefined],
    ['{"a":1,"a":2}', "a"],
    ['{"a":1,"b":{"c":[],"d":{},"c":2}}', "c"],
    ['[{"a":1},{"b":"x","b" : 1}]', "b"],
    // Escapes write the same name.
    ['{"n":1,"\\u006e":2}', "n"],
    ['{"":1,"":2}', ""],
    ['{"__proto__":1,"x":2}', undefined],
    ['{"__proto__":1,"__proto__":2}', "__proto__"],
  ])("of %s is %s", (json, name) => expect(repeatedName(json)).toBe(name))

  it("reads long strings and deep values", () => {
    expect(repeatedName(JSON.stringify({ a: 'x\\"'.repeat(1_000_000), b: 1 }))).toBeUndefined()
    expect(repeatedName(`${"[".repeat(100_000)}${"]".repeat(100_000)}`)).toBeUndefined()
  })
})
