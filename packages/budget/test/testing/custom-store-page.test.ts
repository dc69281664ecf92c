import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { storeCases } from "../../src/testing"

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

  it("quotes every operation of the example", () => {
    const shown = ["### Reserve", "### Settle", "### Adjust", "### Sweep"].map(
      (heading) => page.split(`${heading}\n`)[1],
    )
    expect(shown.map((text) => text?.split("\n### ")[0]?.includes("```ts from src/"))).toEqual([true, true, true, true])
  })

  it("is in the package, with the example and everything else that the README links to", () => {
    const { files } = JSON.parse(readFileSync(`${budget}/package.json`, "utf8")) as { files: string[] }
    const packed = (path: string) => files.some((entry) => path === entry || path.startsWith(`${entry}/`))
    const links = [...readFileSync(`${budget}/README.md`, "utf8").matchAll(/\]\(((?:docs|examples)\/[^)#]+)/g)]
    expect(links.length).toBeGreaterThan(0)
    expect(links.map((link) => link[1]!).filter((path) => !packed(path))).toEqual([])
    const fromPage = [...page.matchAll(/\]\(\.\.\/([^)#]+)/g)].map((link) => link[1]!)
    expect(fromPage.filter((path) => path !== "README.md" && !packed(path) && !packed(`${path}/src`))).toEqual([])
    expect(quoted.map(({ file }) => `examples/custom-store/${file}`).filter((path) => !packed(path))).toEqual([])
  })

  it("has every heading to which a failing case points, or the README has it", () => {
    const headings = `${page}\n${readFileSync(`${budget}/README.md`, "utf8")}`.match(/^##+ .+$/gm) ?? []
    const missing = new Set(
      storeCases.map((one) => one.read).filter((read) => !headings.some((h) => h.endsWith(` ${read}`))),
    )
    expect([...missing]).toEqual([])
  })

  it("names every member of a store", () => {
    const source = readFileSync(`${budget}/src/store.ts`, "utf8").split("export interface BudgetStore {")[1]!
    const members = [...source.matchAll(/^ {2}(?:readonly )?(\w+)\??[(:]/gm)].map((match) => match[1]!)
    expect(members).toContain("sweep")
    const rows = [...page.matchAll(/^\| `(\w+)` \| (Required|optional) \|/gm)].map((match) => match[1]!)
    expect(rows.sort()).toEqual(members.sort())
  })
})
