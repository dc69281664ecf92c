import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { formatUsd, InvalidArgumentError, toUsdNumber, usd } from "../src/index"

const MAX = Number.MAX_SAFE_INTEGER
const nano = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.constantFrom(0, 1, -1, MAX, -MAX, 10 ** 9, 10 ** 14 + 1, 10 ** 15 + 1),
)

/** Converts dollars to nano-USD in another way, with bigints. */
function exactNano(negative: boolean, whole: string, fraction: string): bigint {
  const value = BigInt(whole || "0") * 10n ** 9n + BigInt(fraction.padEnd(9, "0"))
  return negative ? -value : value
}

describe("usd", () => {
  it.each([
    [0.05, 50_000_000],
    ["0.05", 50_000_000],
    ["$5.00", 5_000_000_000],
    ["$0.05", 50_000_000],
    ["-$0.05", -50_000_000],
    ["+$.5", 500_000_000],
    [" 5 ", 5_000_000_000],
    [".5", 500_000_000],
    ["5.", 5_000_000_000],
    ["+1", 1_000_000_000],
    [-1.5, -1_500_000_000],
    ["1e-9", 1],
    [1e-9, 1],
    ["25E2", 2_500_000_000_000],
    [0.1 + 0.2, 300_000_000],
    [1e-10, 0],
    [-0, 0],
    ["-0", 0],
    ["9007199.254740991", MAX],
    ["0.050000000000", 50_000_000],
  ])("reads %j as %j nano-USD", (amount, expected) => {
    expect(usd(amount)).toBe(expected)
  })

  it.each([
    "",
    " ",
    "$",
    ".",
    "-",
    "e5",
    "abc",
    "5$",
    "5 USD",
    "€5",
    "$$5",
    "$-5",
    "$ 5",
    "1,000.00",
    "1,5",
    "1 5",
    "0x10",
    "1_000",
    "--1",
    "1.2.3",
    "١",
    "Infinity",
    "NaN",
    "1e1000",
    "9007199.254740992",
    "0.0000000001",
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e21,
    9_007_200,
  ])("rejects %j", (amount) => {
    expect(() => usd(amount, "maxBudget")).toThrow(InvalidArgumentError)
    expect(() => usd(amount, "maxBudget")).toThrow(/Invalid `maxBudget`: expected/)
  })

  it("says what to write", () => {
    expect(() => usd("5$", "limit")).toThrow('Invalid `limit`: expected a dollar amount such as 5 or "5.00", got "5$".')
    expect(() => usd("0.0000000001")).toThrow("expected a dollar amount with at most nine decimals")
  })

  it("rejects values that are neither numbers nor strings", () => {
    for (const amount of [null, undefined, {}, [], ["5"], true, 5n])
      expect(() => usd(amount as never)).toThrow(InvalidArgumentError)
  })

  it("reads every decimal string exactly", () => {
    const digits = (max: number) =>
      fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: max }).map((list) => list.join(""))
    fc.assert(
      fc.property(
        fc.boolean(),
        digits(7),
        digits(9),
        fc.integer({ min: -3, max: 3 }),
        (negative, whole, fraction, exponent) => {
          fc.pre(whole + fraction !== "")
          const expected = exactNano(negative, whole, fraction)
          fc.pre(expected <= BigInt(MAX) && expected >= -BigInt(MAX))
          expect(BigInt(usd(`${negative ? "-" : ""}${whole}.${fraction}`))).toBe(expected)
          // The same amount with an exponent that moves the decimal point back.
          const moved = `${negative ? "-" : ""}${whole}${fraction}e${exponent - fraction.length}`
          const scaled = exactNano(negative, whole, fraction) * 10n ** BigInt(exponent + 3)
          fc.pre(scaled % 1_000n === 0n && scaled / 1_000n <= BigInt(MAX) && scaled / 1_000n >= -BigInt(MAX))
          expect(BigInt(usd(moved))).toBe(scaled / 1_000n)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it("reads every number by its shortest digits, toward zero", () => {
    fc.assert(
      fc.property(fc.double({ min: -9_007_199, max: 9_007_199, noNaN: true }), (amount) => {
        const nano = usd(amount)
        expect(Number.isSafeInteger(nano)).toBe(true)
        expect(Math.abs(nano)).toBeLessThanOrEqual(Math.ceil(Math.abs(amount) * 1e9) + 1)
        expect(Math.abs(nano - amount * 1e9)).toBeLessThanOrEqual(2)
      }),
    )
  })

  it("throws a usage error, and nothing else, for any other string", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."0123456789.eE+-$ ") })), (text) => {
        try {
          expect(Number.isSafeInteger(usd(text))).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidArgumentError)
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it("reads a megabyte of digits", () => {
    expect(() => usd("9".repeat(1_000_000))).toThrow(InvalidArgumentError)
    expect(usd(`${"0".repeat(1_000_000)}1`)).toBe(1_000_000_000)
  })
})

describe("formatUsd", () => {
  it("is read back as the same amount", () => {
    fc.assert(
      fc.property(nano, (amount) => {
        const text = formatUsd(amount)
        expect(usd(text)).toBe(amount + 0)
        expect(text).toMatch(/^-?\$\d+\.\d{2,9}$/)
      }),
      { numRuns: 3_000 },
    )
  })

  it.each([
    [0, "$0.00"],
    [1, "$0.000000001"],
    [50_000_000, "$0.05"],
    [1_500_000_000, "$1.50"],
    [-50_000_000, "-$0.05"],
    [MAX, "$9007199.254740991"],
  ])("writes %j as %j", (amount, text) => {
    expect(formatUsd(amount)).toBe(text)
    expect(toUsdNumber(amount)).toBe(Number(text.replace("$", "")))
  })

  it.each([0.5, Number.NaN, MAX + 1, "5", null])("rejects %j", (amount) => {
    expect(() => formatUsd(amount as never)).toThrow(InvalidArgumentError)
    expect(() => formatUsd(amount as never)).toThrow(/Invalid `nanoUsd`: expected an integer of nano-USD/)
    expect(() => toUsdNumber(amount as never)).toThrow(/Invalid `nanoUsd`: expected an integer of nano-USD/)
  })
})
