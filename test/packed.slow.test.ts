import { execFile } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { published, root } from "./workspace"

const run = promisify(execFile)
const pnpm = join(root, "node_modules", ".bin", "pnpm")
const temporary = mkdtempSync(join(tmpdir(), "p2-packed-"))
const tarballs = new Map<string, string>()

beforeAll(async () => {
  for (const { folder, manifest } of published) {
    if (!existsSync(join(folder, "dist", manifest.bin === undefined ? "index.js" : "main.js")))
      throw new Error(`${manifest.name} is not built: run the build first.`)
    const target = join(temporary, "tarballs", manifest.name.replace("@p2/", ""))
    mkdirSync(target, { recursive: true })
    await run(pnpm, ["pack", "--pack-destination", target], { cwd: folder })
    tarballs.set(manifest.name, join(target, readdirSync(target)[0]!))
  }
})

afterAll(() => rmSync(temporary, { recursive: true, force: true }))

/** Prints the sorted names of every entry point, once by import and once by require. */
const PROBE = (paths: string[]) => `
import { createRequire } from "node:module"
const require = createRequire(import.meta.url)
const names = {}
for (const path of ${JSON.stringify(paths)}) {
  const imported = Object.keys(await import(path)).filter((name) => name !== "default" && name !== "module.exports").sort()
  const required = Object.keys(require(path)).sort()
  names[path] = { imported, required }
}
console.log(JSON.stringify(names))
`

/** Installs the packed package alone in an empty folder, and returns the folder. */
async function install(name: string): Promise<string> {
  const folder = join(temporary, name.replace("@p2/", "use-"))
  mkdirSync(folder)
  const overrides = Object.fromEntries([...tarballs].map(([key, path]) => [key, `file:${path}`]))
  const dependencies = { [name]: `file:${tarballs.get(name)}` }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies, pnpm: { overrides } }))
  await run(pnpm, ["install", "--ignore-workspace", "--prefer-offline", "--ignore-scripts"], { cwd: folder })
  return folder
}

const libraries = published.filter(({ manifest }) => manifest.bin === undefined)
const programs = published.filter(({ manifest }) => manifest.bin !== undefined)

describe("each package alone, packed and installed in an empty folder", () => {
  it.each(libraries.map((entry) => [entry.manifest.name, entry] as const))(
    "%s imports and requires",
    async (name, { manifest }) => {
      const folder = await install(name)
      const paths = Object.keys(manifest.exports ?? {})
        .filter((path) => path !== "./package.json")
        .map((path) => join(name, path))
      writeFileSync(join(folder, "probe.mjs"), PROBE(paths))
      const { stdout, stderr } = await run(process.execPath, ["probe.mjs"], { cwd: folder })
      const names = JSON.parse(stdout) as Record<string, { imported: string[]; required: string[] }>
      expect(stderr).toBe("")
      for (const path of paths) {
        expect(names[path]!.imported.length, path).toBeGreaterThan(0)
        expect(names[path]!.required, path).toEqual(names[path]!.imported)
      }
    },
  )

  it.each(programs.map((entry) => [entry.manifest.name, entry] as const))("%s runs", async (name, { manifest }) => {
    const folder = await install(name)
    for (const command of Object.keys(manifest.bin!)) {
      const { stdout, stderr } = await run(join(folder, "node_modules", ".bin", command), ["--version"], {
        cwd: folder,
      })
      expect(stderr).toBe("")
      expect(stdout.trim()).toBe(manifest.version)
    }
  })
})

it("the client is bundled for a function, without the packages that it does not need", async () => {
  const folder = join(temporary, "use-client")
  writeFileSync(
    join(folder, "function.mjs"),
    'import { LLMClient } from "@p2/client"\nconst client = new LLMClient({ model: "gpt-4o-mini" })\nclient.msg.addMessageUser("Hello")\nconsole.log(client.countTokens())\n',
  )
  expect(existsSync(join(folder, "node_modules", "ioredis"))).toBe(false)
  // The bundler that the build uses.
  const { buildSync } = createRequire(createRequire(import.meta.url).resolve("tsup"))("esbuild")
  const outfile = join(temporary, "bundle", "function.mjs")
  const options = { bundle: true, platform: "node", format: "esm", outfile, logLevel: "silent" }
  expect(buildSync({ ...options, entryPoints: [join(folder, "function.mjs")] }).errors).toEqual([])
  const { stdout } = await run(process.execPath, [outfile])
  expect(Number(stdout)).toBeGreaterThan(0)
})
