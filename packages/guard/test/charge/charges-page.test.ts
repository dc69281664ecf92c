import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { BILLING_RULES, type BillingRule } from "../../src/charge/provider-rules"

const page = readFileSync(new URL("../../docs/charges.md", import.meta.url), "utf8")

function rowOf({ provider, statuses, codes, billing, rule, source, asOf, ...changes }: BillingRule): string {
  const inside = changes.insideAnswers === true ? ", inside answers" : ""
  const statusText = (statuses === "errors" ? "400 and above" : statuses.join(", ")) + inside
  const codeText = codes?.map((code) => `\`${code}\``).join(", ") ?? ""
  return `| ${provider} | ${statusText} | ${codeText} | ${billing} | ${rule} | ${source}, ${asOf} |`
}

describe("docs/charges.md", () => {
  it("lists every billing rule, in order", () => {
    const table = /^\| provider \| .*\n\| --- .*\n((?:\|.*\n)+)/m.exec(page)?.[1]
    expect(table?.trim().split("\n")).toEqual(BILLING_RULES.map(rowOf))
  })
})
