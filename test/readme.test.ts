import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { describePages, READMES } from "./readme-cases"
import { published } from "./workspace"

describePages("READMEs", READMES)

it("every library's README says which TypeScript it needs", () => {
  const libraries = published.filter(({ manifest }) => manifest.bin === undefined)
  const readmes = libraries.map(({ folder }) => readFileSync(join(folder, "README.md"), "utf8"))
  const line = "Types need TypeScript 5.6 or later with `moduleResolution` `bundler`, `node16` or `nodenext`;"
  expect(readmes.length).toBeGreaterThan(5)
  expect(readmes.filter((readme) => !readme.includes(line))).toEqual([])
})
