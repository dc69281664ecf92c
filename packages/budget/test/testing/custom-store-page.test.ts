import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const budget = fileURLToPath(new URL("../..", import.meta.url))
const page = readFileSync(`${budget}/docs/custom-store.md`, "utf8")
const quoted = [...page.matchAll(/```ts from (\S+)\n([\s\S]*?)```/g)].map((match) => ({
  file: match[1]!,
  code: match[2]!,
}))

describe("docs/custom-store.md", () => {
  it("quotes the example", () => {
    expect(quoted.length).toBeGreaterThanOrEqual(6)
  })

  it.each(quoted)("what it quotes of $file stands there", ({ file, code }) => {
    expect(readFileSync(`${budget}/examples/custom-store/${file}`, "utf8")).toContain(code)
  })

  it("names every member of a store", () => {
    const source = readFileSync(`${budget}/src/store.ts`, "utf8").split("export interface BudgetStore {")[1]!
    const members = [...source.matchAll(/^ {2}(?:readonly )?(\w+)\??[(:]/gm)].map((match) => match[1]!)
    expect(members).toContain("sweep")
    const rows = [...page.matchAll(/^\| `(\w+)` \| (Required|optional) \|/gm)].map((match) => match[1]!)
    expect(rows.sort()).toEqual(members.sort())
  })
})
