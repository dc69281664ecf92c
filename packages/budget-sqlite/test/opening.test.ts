import { execFile } from "node:child_process"
import { copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, it } from "vitest"
import { childScript } from "../../budget/test/adapters/child-script"

let script: Awaited<ReturnType<typeof childScript>>
const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
beforeAll(async () => {
  script = await childScript(new URL("./support/open-once.ts", import.meta.url))
})
afterAll(() => {
  script.remove()
  rmSync(folder, { recursive: true })
})

const run = promisify(execFile)

it("processes that open a new file at the same time create its tables once, and all can reserve", async () => {
  for (let round = 0; round < 8; round++) {
    const path = join(folder, `${round}.db`)
    // Each process waits for the same instant, so that they meet in the first statements.
    const start = String(Date.now() + 400)
    const answers = await Promise.all(
      ["a", "b", "c", "d"].map((id) => run(process.execPath, ["--no-warnings", script.path, path, id, start])),
    )
    expect(answers.map(({ stdout }) => JSON.parse(stdout).status)).toEqual(["ok", "ok", "ok", "ok"])
    expect(Math.max(...answers.map(({ stdout }) => JSON.parse(stdout).counters[0].reserved))).toBe(4)
  }
})

it("reports which SQLite this Node uses: the built-in one if there is one", async () => {
  const { stdout } = await run(process.execPath, ["--no-warnings", script.path, join(folder, "one.db"), "a", "0"])
  const { library } = JSON.parse(stdout)
  const [major, minor] = process.versions.node.split(".").map(Number) as [number, number]
  console.log(`Node ${process.versions.node}: ${library}. CI runs this on a Node without and on one with node:sqlite.`)
  expect(library).toBe(major > 22 || (major === 22 && minor >= 13) ? "node:sqlite" : "libsql")
})

const hasBuiltin = process.getBuiltinModule?.("node:sqlite") !== undefined

it.skipIf(hasBuiltin)("without a built-in SQLite and without libsql, the error says what to install", async () => {
  // Outside this package, Node does not find libsql.
  const away = join(folder, "away.mjs")
  copyFileSync(script.path, away)
  await expect(run(process.execPath, [away, join(folder, "away.db"), "a", "0"])).rejects.toMatchObject({
    stderr: expect.stringMatching(/StoreError.*libsql could not be loaded.*npm install libsql/),
  })
})
