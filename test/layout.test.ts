import { existsSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { describe, expect, it } from "vitest"
import { filesBelow, fromRoot, packages, published, root } from "./workspace"

const FILES = ["test", "README.md", "package.json", "tsconfig.json", "tsup.config.ts", "vitest.config.ts"]
const SCRIPTS = ["build", "test", "typecheck", "lint", "check:package"]

describe("every package has the same files", () => {
  it.each(packages.map((entry) => [entry.manifest.name, entry] as const))("%s", (_name, { folder, manifest }) => {
    const entry = manifest.bin === undefined ? "src/index.ts" : "src/main.ts"
    const wanted = manifest.private ? [entry, ...FILES] : [entry, ...FILES, "CHANGELOG.md"]
    expect(wanted.filter((file) => !existsSync(join(folder, file)))).toEqual([])
    expect(SCRIPTS.filter((script) => manifest.scripts?.[script] === undefined)).toEqual([])
    expect(filesBelow(join(folder, "test"), [".test.ts"])).not.toEqual([])
  })
})

describe("published packages", () => {
  const libraries = published.filter(({ manifest }) => manifest.bin === undefined)
  const programs = published.filter(({ manifest }) => manifest.bin !== undefined)

  it.each(programs.map((entry) => [entry.manifest.name, entry] as const))("%s is ESM only", (_name, { manifest }) => {
    const { "./package.json": _own, ...entries } = manifest.exports ?? {}
    for (const entry of Object.values(entries))
      expect(entry).toEqual({
        types: expect.stringMatching(/\.d\.ts$/),
        default: expect.stringMatching(/\.js$/),
      })
  })

  it.each(libraries.map((entry) => [entry.manifest.name, entry] as const))(
    "%s has types for each condition",
    (_name, { manifest }) => {
      const paths = Object.keys(manifest.exports ?? {})
      expect(paths).toContain("./package.json")
      for (const path of paths.filter((key) => key !== "./package.json")) {
        const entry = manifest.exports?.[path] as Record<"import" | "require", Record<string, string>>
        expect(entry.import).toMatchObject({
          types: expect.stringMatching(/\.d\.ts$/),
          default: expect.stringMatching(/\.js$/),
        })
        expect(entry.require).toMatchObject({
          types: expect.stringMatching(/\.d\.cts$/),
          default: expect.stringMatching(/\.cjs$/),
        })
      }
    },
  )
})

describe("names", () => {
  const sources = packages.flatMap((entry) => filesBelow(join(entry.folder, "src"), [".ts"]))

  it("no file has a catch-all name", () => {
    expect(sources.filter((file) => /^(utils?|helpers?|common|misc)\.ts$/.test(basename(file))).map(fromRoot)).toEqual(
      [],
    )
  })

  it("index.ts is a table of contents", () => {
    const indexes = sources.filter((file) => /packages\/[a-z-]+\/src\/index\.ts$/.test(file))
    expect(indexes.length).toBe(packages.filter(({ manifest }) => manifest.bin === undefined).length)
    for (const file of indexes) {
      const code = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")
      expect(code, fromRoot(file)).not.toMatch(/export \*/)
      expect(code.replace(/export (type )?\{[^}]*\} from "[^"]+"/g, "").trim(), fromRoot(file)).toBe("")
    }
  })

  it("the lock file names no host", () => {
    expect(readFileSync(join(root, "pnpm-lock.yaml"), "utf8")).not.toMatch(/https?:\/\//)
  })
})
