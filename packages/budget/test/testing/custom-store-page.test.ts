import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { SUITE_RULES, storeCases } from "../../src/testing"

const budget = fileURLToPath(new URL("../..", import.meta.url))
const page = readFileSync(`${budget}/docs/custom-store.md`, "utf8")
const quoted = [...page.matchAll(/```ts from=(\S+)\n([\s\S]*?)```/g)].map((found) => ({
  file: found[1]!,
  code: found[2]!,
}))
const { files } = JSON.parse(readFileSync(`${budget}/package.json`, "utf8")) as { files: string[] }
const isPacked = (path: string) => files.some((entry) => path === entry || path.startsWith(`${entry}/`))

describe("docs/custom-store.md", () => {
  it("quotes the example", () => {
    expect(quoted.length).toBeGreaterThanOrEqual(1)
  })

  it.each(quoted)("quotes $file as it is", ({ file, code }) => {
    expect(readFileSync(join(budget, "docs", file), "utf8")).toContain(code)
  })

  it("has every heading to which a failing case points", () => {
    const headings = (page.match(/^#+ .+$/gm) ?? []).map((heading) => heading.replace(/^#+ /, ""))
    expect(SUITE_RULES.filter((rule) => !headings.includes(rule))).toEqual([])
  })

  it("says how many cases the suite has, and how long the example is", () => {
    expect(page).toContain(` ${storeCases.length} cases`)
    const example = readFileSync(`${budget}/examples/custom-store/src/json-file-storage.ts`, "utf8")
    expect(page).toContain(`has ${example.trimEnd().split("\n").length} lines`)
  })

  it("names every option of the suite", () => {
    const source = readFileSync(`${budget}/src/testing/target.ts`, "utf8").split("export interface SuiteOptions {")[1]!
    const options = [...source.matchAll(/^ {2}(\w+)\?:/gm)].map((found) => found[1]!)
    expect(options).toContain("onCase")
    const rows = [...page.matchAll(/^\| `(\w+)` \| (?!required|optional)/gm)].map((found) => found[1]!)
    expect(options.filter((option) => !rows.includes(option))).toEqual([])
  })

  it("names every kind of record", () => {
    const source = readFileSync(`${budget}/src/store/storage.ts`, "utf8")
    const kinds = [.../export type RecordKind = (.*)/.exec(source)![1]!.matchAll(/"(\w+)"/g)].map((found) => found[1]!)
    expect(kinds).toContain("damaged")
    expect(page).toContain(`a kind (${kinds.map((kind) => `\`${kind}\``).join(", ")})`)
  })

  it("names every member of a storage", () => {
    const source = readFileSync(`${budget}/src/store/storage.ts`, "utf8").split("export interface Storage {")[1]!
    const members = [...source.matchAll(/^ {2}(?:readonly )?(\w+)\??(?:[(:]|<T>\()/gm)].map((found) => found[1]!)
    expect(members).toContain("transaction")
    const rows = [...page.matchAll(/^\| `(\w+)` \| (required|optional) \|/gm)].map((found) => found[1]!)
    expect(rows.sort()).toEqual(members.sort())
  })

  it("is in the package, with everything of the package that it and the README link to", () => {
    const fromReadme = [...readFileSync(`${budget}/README.md`, "utf8").matchAll(/\]\(((?:docs|examples)\/[^)#]+)/g)]
    const fromPage = [...page.matchAll(/\]\(\.\.\/(?!\.\.)([^)#]+)/g)]
    const links = [...fromReadme, ...fromPage].map((link) => link[1]!).filter((path) => path !== "README.md")
    expect(links.filter((path) => !isPacked(path) && !isPacked(`${path}/src`))).toEqual([])
    expect(isPacked("docs/custom-store.md")).toBe(true)
  })
})
