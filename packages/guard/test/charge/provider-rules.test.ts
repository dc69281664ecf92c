import { describe, expect, it } from "vitest"
import { BILLING_RULES } from "../../src/charge/provider-rules"

describe("BILLING_RULES", () => {
  it.each(BILLING_RULES.map((rule, index) => [`${index} ${rule.provider}`, rule] as const))(
    "%s has a source and a date",
    (_name, { rule, source, asOf, statuses }) => {
      expect(rule).toMatch(/^[A-Z].+\.$/)
      expect(new URL(source).protocol).toBe("https:")
      expect(asOf).toMatch(/^20\d\d-\d\d-\d\d$/)
      expect(Date.parse(asOf)).toBeLessThanOrEqual(Date.now() + 86_400_000)
      if (statuses === "errors") return
      expect(statuses.length).toBeGreaterThan(0)
      for (const status of statuses) expect(status >= 400 && status < 600).toBe(true)
    },
  )

  it("has no rule that an earlier rule of its provider shadows", () => {
    for (const [index, rule] of BILLING_RULES.entries())
      for (const earlier of BILLING_RULES.slice(0, index)) {
        if (earlier.provider !== rule.provider || earlier.codes !== undefined) continue
        const isHidden = (status: number) => earlier.statuses === "errors" || earlier.statuses.includes(status)
        expect(rule.statuses !== "errors" && rule.statuses.some(isHidden), rule.rule).toBe(false)
      }
  })
})
