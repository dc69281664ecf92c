import { expect, it } from "vitest"
import { checkNames } from "../src/index"

const names = new Set(["per", "timeZone"])

it("passes what is known, undefined included", () => {
  expect(() => checkNames({ per: "day", timeZone: undefined }, names, "limits[0]")).not.toThrow()
})

it("names what is not, and the nearest that is", () => {
  const wrong = () => checkNames({ timezone: "UTC" }, names, "limits[0]")
  expect(wrong).toThrow("Unknown option `limits[0].timezone`. Did you mean `timeZone`?")
  expect(() => checkNames({ qqqqqqqqqqqq: 1 }, names, "")).toThrow("Unknown option `qqqqqqqqqqqq`")
})

it("does not show a text that came under such a name, however short", () => {
  for (const value of ["sk-0123", `http://me:0123@localhost/${"v1".repeat(20)}`])
    expect(() => checkNames({ zone: value }, names, "")).toThrow(/^(?!.*(sk-|http|0123))Unknown option `zone`/)
})

it("says of what is no object that it is none", () => {
  for (const value of [null, 5, "day"])
    expect(() => checkNames(value as never, names, "")).toThrow(/^Invalid `options`: expected an object, got /)
})
