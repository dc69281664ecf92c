import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Limit } from "../src/limit"
import { cellsAt, fingerprintOf, planFor } from "../src/plan"
import { Plans } from "../src/plans"
import { readLimits } from "../src/read-limits"
import { RecentLimits } from "../src/recent-limits"
import type { Subject } from "../src/subject"
import { NOON } from "./budget-world"

const DAY = 86_400_000

/** What a function returns, or the message of what it throws. */
function outcomeOf(make: () => unknown): unknown {
  try {
    return make()
  } catch (error) {
    return `${error}`
  }
}

/** Values that begin as others end, that look like the text of others, or that are none. */
const value = fc.constantFrom("a", "b", "1", "1:a", "-", "a-", "é", "x".repeat(2_000), "", null, 7, undefined)
const tags = fc.option(fc.record({ team: value }, { requiredKeys: [] }), { nil: undefined })
const subjects = fc.record({ requestId: fc.constantFrom("r1", "r2"), userId: value, clientId: value, tags })

const amounts = fc.constantFrom<Limit["limit"]>(
  1,
  "1",
  "2.50",
  null,
  { tokens: 5 },
  { tokens: 5, usd: 1 },
  { usd: "1" },
)
const limits = fc.array(
  fc.record(
    {
      scope: fc.constantFrom<Limit["scope"]>("user", "client", "total", "request", { tag: "team" }, { tag: "a" }),
      limit: amounts,
      per: fc.constantFrom<Limit["per"]>("day", "1h", undefined),
      timeZone: fc.constantFrom("UTC", "Europe/Paris", undefined),
      alertAt: fc.constantFrom([0.5], [0.5, 1], undefined),
      optional: fc.boolean(),
      perr: fc.constant("day"),
    },
    { requiredKeys: ["scope", "limit"] },
  ),
  { maxLength: 3 },
) as fc.Arbitrary<Limit[]>

describe("plans that are remembered", () => {
  it("are those that would be made anew, for subjects that come in any order", () => {
    const known = readLimits([{ scope: "total", limit: 1, per: "1h" }], "limits")
    const given: Limit[][] = [
      [
        { scope: "user", limit: null, optional: true },
        { scope: "client", limit: 3, optional: true },
      ],
      [
        { scope: { tag: "team" }, limit: { tokens: 5 }, per: "day", optional: true },
        { scope: "user", limit: 1 },
      ],
      [{ scope: "request", limit: 1 }],
    ]
    const extras = given.map((list) => readLimits(list, "limits"))
    const wanted = fc.record({ subject: subjects, which: fc.nat(extras.length - 1), at: fc.nat(3 * DAY) })
    fc.assert(
      fc.property(fc.array(wanted, { maxLength: 40 }), (sequence) => {
        const plans = new Plans([])
        for (const { subject, which, at } of sequence) {
          const extra = extras[which]!
          const read = (plan: ReturnType<typeof planFor>) => ({
            cells: cellsAt(plan, NOON + at),
            applied: plan.applied,
            fingerprint: fingerprintOf(plan, { nanoUsd: 1, tokens: 2, requests: 1 }, undefined),
          })
          const remembered = outcomeOf(() => read(plans.planFor(subject as Subject, known, extra)))
          expect(remembered).toEqual(
            outcomeOf(() => read(planFor(subject as Subject, [...known, ...extra], "mistake"))),
          )
        }
      }),
    )
  })
})

describe("limits that are remembered", () => {
  it("are read as if for the first time, whichever lists came before", () => {
    fc.assert(
      fc.property(fc.array(limits, { maxLength: 30 }), (lists) => {
        const recent = new RecentLimits()
        for (const list of [...lists, ...structuredClone(lists)])
          expect(outcomeOf(() => recent.read(list, "limits"))).toEqual(outcomeOf(() => readLimits(list, "limits")))
      }),
    )
  })

  it("are other limits as soon as their list is changed", () => {
    const recent = new RecentLimits()
    const list: Limit[] = [
      { scope: { tag: "team" }, limit: { tokens: 5 }, per: "day", alertAt: [0.5] },
      { scope: "user", limit: 1 },
    ]
    const first = recent.read(list, "limits")
    expect(recent.read(structuredClone(list), "limits")).toBe(first)
    const changes: ((list: Limit[]) => void)[] = [
      ([one]) => Object.assign(one!.limit as object, { tokens: 6 }),
      ([one]) => Object.assign(one!.scope, { tag: "crew" }),
      ([one]) => (one!.alertAt as number[]).push(1),
      ([one]) => Object.assign(one!, { per: "month" }),
      ([one]) => Object.assign(one!, { timeZone: "Europe/Paris" }),
      ([, other]) => Object.assign(other!, { optional: true }),
      ([, other]) => Object.assign(other!, { forgetAfterMs: 5 }),
      (changed) => changed.pop(),
    ]
    for (const change of changes) {
      const changed = structuredClone(list)
      expect(recent.read(changed, "limits")).toBe(first)
      change(changed)
      const read = recent.read(changed, "limits")
      expect(read).not.toBe(first)
      expect(read).toEqual(readLimits(changed, "limits"))
    }
  })

  it("stay mistakes: a name that is not known, or no list", () => {
    const recent = new RecentLimits()
    const limit = { scope: "user", limit: 1 } as const
    recent.read([limit], "limits")
    expect(() => recent.read([{ ...limit, pre: "day" } as never], "limits")).toThrowError(/`limits\[0\]\.pre`/)
    expect(() => recent.read({ 0: limit, length: 1 } as never, "limits")).toThrowError(/a list/)
    expect(() => recent.read([null as never], "limits")).toThrowError(/`limits\[0\]`/)
  })
})

describe("fingerprints", () => {
  it("tell scopes, units, kinds of window, amounts and floors apart, and nothing else", () => {
    const plan = (list: Limit[], subject: Subject = { userId: "u" }) =>
      planFor(subject, readLimits(list, "limits"), "mistake")
    const amount = { nanoUsd: 10, tokens: 1, requests: 1 }
    const plans = [
      plan([]),
      plan([{ scope: "user", limit: 1 }]),
      plan([{ scope: "user", limit: 1 }], { userId: "v" }),
      plan([{ scope: "user", limit: 1, per: "day" }]),
      plan([{ scope: "user", limit: { tokens: 1 } }]),
      plan([{ scope: "user", limit: { tokens: 1, usd: 1 } }]),
    ]
    const asked = [
      { ...amount },
      { ...amount, nanoUsd: 0 },
      { ...amount, nanoUsd: undefined },
      { ...amount, tokens: undefined },
      { ...amount, nanoUsd: 1, tokens: 10 },
      { ...amount, nanoUsd: 1, tokens: 1, requests: 10 },
      { ...amount, nanoUsd: Number.MAX_SAFE_INTEGER },
    ]
    const floors = [undefined, { nanoUsd: 0, tokens: 0, requests: 0 }, { nanoUsd: 0, tokens: undefined, requests: 0 }]
    const all = plans.flatMap((one) => asked.flatMap((each) => floors.map((floor) => fingerprintOf(one, each, floor))))
    expect(new Set(all).size).toBe(plans.length * asked.length * floors.length)
    const [small, large] = [plan([{ scope: "user", limit: 1 }]), plan([{ scope: "user", limit: 2, alertAt: [1] }])]
    expect(fingerprintOf(small, amount, undefined)).toBe(fingerprintOf(large, amount, undefined))
  })
})
