import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { filesBelow, fromRoot, packages } from "./workspace"

const RELATIVE_IMPORT = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)["'](\.{1,2}\/[^"']+)["']/g

/** The files of a package that a file imports, types included. */
function relativeImportsOf(file: string): string[] {
  const code = readFileSync(file, "utf8").replace(/^\s*(\/\/|\*).*$/gm, "")
  return [...code.matchAll(RELATIVE_IMPORT)].flatMap((match) => {
    const path = join(dirname(file), match[1]!.replace(/\.js$/, ""))
    return [`${path}.ts`, join(path, "index.ts")].filter(existsSync).slice(0, 1)
  })
}

/** Each cycle once, as the list of its files, by a depth-first search. */
function importCycles(files: readonly string[]): string[] {
  const cycles = new Set<string>()
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file)
    if (start !== -1) {
      cycles.add([...path.slice(start), file].map(fromRoot).join(" → "))
      return
    }
    if (done.has(file)) return
    for (const imported of relativeImportsOf(file)) visit(imported, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  return [...cycles]
}

describe("no file of a package imports itself through others", () => {
  it.each(packages.map((entry) => [entry.manifest.name, entry.folder] as const))("%s", (_name, folder) => {
    const files = filesBelow(join(folder, "src"), [".ts"])
    expect(files.length).toBeGreaterThan(0)
    expect(importCycles(files)).toEqual([])
  })
})
