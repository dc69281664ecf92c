import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createContext, runInContext } from "node:vm"
import { buildSync } from "esbuild"
import { afterAll, beforeAll, expect, test } from "vitest"
import { countTokens } from "../src/index"

/** The packages as they are published, in an empty folder, without zod; needs a build. */
const folder = mkdtempSync(join(tmpdir(), "p2-tokens-"))
const TEXT = "Alone: naïve 中文 😀 don't\n\n  <|endoftext|>"
const expected = [countTokens(TEXT, { model: "gpt-4o" }), countTokens(TEXT, { model: "gpt-4" })].join()

beforeAll(() => {
  const packages = join(import.meta.dirname, "../..")
  const modules = join(folder, "node_modules")
  for (const name of ["core", "tokens"]) {
    execFileSync("pnpm", ["pack", "--pack-destination", folder], { cwd: join(packages, name) })
    const tarball = readdirSync(folder).find((file) => file.startsWith(`p2-${name}-`))!
    mkdirSync(join(modules, "@p2", name), { recursive: true })
    execFileSync("tar", ["-xzf", join(folder, tarball), "--strip-components=1", "-C", join(modules, "@p2", name)])
  }
}, 120_000)

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const CALLS = `[countTokens(text, { model: "gpt-4o" }), bound.countTokens(text)].join()`

function run(file: string, code: string): string {
  writeFileSync(join(folder, file), code)
  return execFileSync(process.execPath, [file], { cwd: folder, encoding: "utf8" }).trim()
}

test("counts as an ES module", () => {
  const code = `import { countTokens } from "@p2/tokens"\nimport * as bound from "@p2/tokens/cl100k_base"\nconst text = ${JSON.stringify(TEXT)}\nconsole.log(${CALLS})`
  expect(run("esm.mjs", code)).toBe(expected)
})

test("counts as CommonJS", () => {
  const code = `const { countTokens } = require("@p2/tokens")\nconst bound = require("@p2/tokens/cl100k_base")\nconst text = ${JSON.stringify(TEXT)}\nconsole.log(${CALLS})`
  expect(run("cjs.cjs", code)).toBe(expected)
})

test("counts in a bundle for browsers, which contains nothing of Node and no zod", () => {
  const entry = join(folder, "browser.mjs")
  writeFileSync(
    entry,
    `import { countTokens } from "@p2/tokens"\nimport * as bound from "@p2/tokens/cl100k_base"\nexport const count = (text) => ${CALLS}`,
  )
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "browser",
    format: "iife",
    globalName: "bundle",
    logLevel: "silent",
  })
  expect(outputFiles[0]!.text).not.toMatch(/node:|ZodError/)
  const context = createContext({ TextEncoder, TextDecoder, atob, text: TEXT })
  runInContext(outputFiles[0]!.text, context)
  expect(runInContext("bundle.count(text)", context)).toBe(expected)
})
