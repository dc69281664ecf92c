import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { filesBelow, fromRoot, packages, published } from "./workspace"

/** DESIGN: imports point down only, and the three in the middle never import one another. */
const MAY_IMPORT: Record<string, string[]> = {
  "@p2/core": [],
  "@p2/tokens": ["@p2/core"],
  "@p2/pricing": ["@p2/core"],
  "@p2/budget": ["@p2/core"],
  "@p2/budget-sqlite": ["@p2/core", "@p2/budget"],
  "@p2/guard": ["@p2/core", "@p2/tokens", "@p2/pricing", "@p2/budget"],
  "@p2/budget-postgres": ["@p2/core", "@p2/budget"],
  "@p2/client": ["core", "tokens", "pricing", "budget", "budget-sqlite", "budget-postgres", "guard"].map(
    (name) => `@p2/${name}`,
  ),
  "@p2/cli": ["core", "tokens", "pricing", "budget", "budget-sqlite", "budget-postgres", "guard"].map(
    (name) => `@p2/${name}`,
  ),
  "@p2/local-provider": ["@p2/core", "@p2/tokens", "@p2/pricing"],
  "@p2/redis-server": [],
  "@p2/postgres-server": ["@p2/redis-server"],
}

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+|\brequire\s*\(\s*)["'`]([^"'`]+)["'`]/g

function importsOf(file: string): string[] {
  const code = readFileSync(file, "utf8").replace(/^\s*(\/\/|\*).*$/gm, "")
  return [...code.matchAll(IMPORT)].map((match) => match[1]!)
}

describe("direction of imports", () => {
  it("every package has its rule", () => {
    expect(packages.map((entry) => entry.manifest.name).sort()).toEqual(Object.keys(MAY_IMPORT).sort())
  })

  it.each(packages.map((entry) => [entry.manifest.name, entry] as const))("%s", (name, { folder, manifest }) => {
    const wrong: string[] = []
    for (const file of filesBelow(join(folder, "src"), [".ts"])) {
      for (const specifier of importsOf(file)) {
        const ours = /^@p2\/[a-z-]+/.exec(specifier)?.[0]
        if (ours !== undefined && ours !== name && !MAY_IMPORT[name]!.includes(ours))
          wrong.push(`${fromRoot(file)}: ${specifier}`)
        if (ours !== undefined && specifier.includes("/src/")) wrong.push(`${fromRoot(file)}: ${specifier}`)
        if (/^(\.\.\/)+(packages|[a-z-]+\/src)\//.test(specifier)) wrong.push(`${fromRoot(file)}: ${specifier}`)
      }
    }
    const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter((key) =>
      key.startsWith("@p2/"),
    )
    expect(wrong).toEqual([])
    expect(declared.filter((key) => !MAY_IMPORT[name]!.includes(key))).toEqual([])
  })

  it("no package imports private files of another", () => {
    const all = packages.flatMap((entry) => filesBelow(entry.folder, [".ts", ".mjs"]))
    const wrong = all.flatMap((file) =>
      importsOf(file).filter((specifier) => /^@p2\/[a-z-]+\/(src|internal|dist)\b/.test(specifier)),
    )
    expect(wrong).toEqual([])
  })
})

describe("where browsers and workers must load it", () => {
  const neutral: [string, string][] = [
    ["core", "index.js"],
    ["tokens", "index.js"],
    ["pricing", "index.js"],
    ["budget", "index.js"],
  ]
  it.each(neutral)("@p2/%s has no node: import", (name, entry) => {
    const folder = join(published.find((candidate) => candidate.manifest.name === `@p2/${name}`)!.folder, "dist")
    const seen = new Set<string>()
    const visit = (file: string): string[] => {
      if (seen.has(file)) return []
      seen.add(file)
      const found = importsOf(file)
      const nodes = found
        .filter((specifier) => specifier.startsWith("node:"))
        .map((specifier) => `${fromRoot(file)}: ${specifier}`)
      return [
        ...nodes,
        ...found
          .filter((specifier) => specifier.startsWith("./"))
          .flatMap((specifier) => visit(join(folder, specifier))),
      ]
    }
    expect(visit(join(folder, entry))).toEqual([])
    expect(seen.size).toBeGreaterThan(0)
  })
})
