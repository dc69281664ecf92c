import { expect, it } from "vitest"
import { callCounters, fingerprintOf } from "../src/limits/counters"
import type { Limit } from "../src/limits/limit"
import { planLimits } from "../src/limits/limit"
import type { Subject } from "../src/limits/subject"
import { NOON } from "./budget-world"

const counters = (list: Limit[], subject: Subject = { userId: "u" }, now = NOON) =>
  callCounters(planLimits(list, "limits"), subject, now, "throw")
const MOST = Number.MAX_SAFE_INTEGER
const amount = { nanoUsd: 10, tokens: 1, requests: 1 }

it("fingerprints differ by scopes, units, kinds of windows, amounts and onExpire", () => {
  const lists = [
    counters([]),
    counters([{ scope: "user", limit: 1 }]),
    counters([{ scope: "user", limit: 1 }], { userId: "v" }),
    counters([{ scope: "user", limit: 1, per: "day" }]),
    counters([{ scope: "user", limit: { tokens: 1 } }]),
    counters([{ scope: "user", limit: { tokens: 1, usd: 1 } }]),
  ]
  const amounts = [
    { ...amount },
    { ...amount, nanoUsd: 0 },
    { ...amount, nanoUsd: undefined },
    { ...amount, tokens: undefined },
    { ...amount, nanoUsd: 1, tokens: 10 },
    { ...amount, nanoUsd: 1, tokens: 1, requests: 10 },
    { ...amount, nanoUsd: Number.MAX_SAFE_INTEGER },
    // Too long to be part of the fingerprint unhashed.
    { nanoUsd: MOST, tokens: MOST, requests: MOST },
    { nanoUsd: MOST, tokens: MOST, requests: MOST - 1 },
  ]
  const onExpires = [
    amount,
    { nanoUsd: 0, tokens: 0, requests: 0 },
    { nanoUsd: 0, tokens: undefined, requests: 0 },
    { nanoUsd: MOST - 1, tokens: MOST, requests: MOST },
    { nanoUsd: MOST, tokens: MOST - 1, requests: MOST },
  ]
  const all = lists.flatMap((list) =>
    amounts.flatMap((each) => onExpires.map((onExpire) => fingerprintOf(list, each, onExpire))),
  )
  expect(new Set(all).size).toBe(lists.length * amounts.length * onExpires.length)
  for (const fingerprint of all) expect(fingerprint).toMatch(/^[\x20-\x7e]{1,64}$/)
})

it("fingerprints do not differ by time, size of limits, alerts, or order of limits", () => {
  const day = { scope: "user", per: "day" } as const
  const total = { scope: "total", limit: 5, per: "1h" } as const
  const fingerprint = (list: Limit[], now = NOON) => fingerprintOf(counters(list, undefined, now), amount, amount)
  const expected = fingerprint([{ ...day, limit: 1 }, total])
  expect(fingerprint([total, { ...day, limit: 2, alertAt: [1] }])).toBe(expected)
  expect(fingerprint([{ ...day, limit: 1 }, total], NOON + 86_400_000)).toBe(expected)
  // London's day is UTC's in winter, and not in summer: the same call has one counter, or two.
  const zones = [
    { ...day, limit: 1 },
    { ...day, limit: 2, timeZone: "Europe/London" },
  ]
  const summer = Date.UTC(2026, 6, 1)
  expect(counters(zones, undefined, NOON)).toHaveLength(1)
  expect(counters(zones, undefined, summer)).toHaveLength(2)
  expect(fingerprint(zones, summer)).toBe(fingerprint(zones))
})
