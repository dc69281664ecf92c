import { readdirSync, readFileSync } from "node:fs"
import { expect, it } from "vitest"

const root = new URL("..", import.meta.url)

it("does not import zod, so that packages which need no answer schema install without it", () => {
  const files = readdirSync(new URL("src", root), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  )
  expect(files.length).toBeGreaterThan(30)
  const importing = files.filter((name) =>
    /^(import|export)\b[^"]*"zod|\b(import|require)\("zod/m.test(readFileSync(new URL(`src/${name}`, root), "utf8")),
  )
  expect(importing).toEqual([])
  const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8"))
  expect(manifest.dependencies).toBeUndefined()
  expect(manifest.peerDependenciesMeta).toEqual({ zod: { optional: true } })
})
