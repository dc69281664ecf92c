import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { openInBrowser } from "../../src/dashboard/open-in-browser"
import { soon } from "../support/soon"

const folder = mkdtempSync(join(tmpdir(), "p2-browser-test-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LINK = "http://127.0.0.1:4000/dashboard/open?token=sesame"

/** Stands in for the program that opens a browser: writes its arguments to a file. */
function environment() {
  const opened = join(folder, "opened")
  writeFileSync(
    join(folder, "xdg-open"),
    `#!/bin/sh\nprintf %s "$*" > "${opened}.part"\nmv "${opened}.part" "${opened}"\n`,
    {
      mode: 0o755,
    },
  )
  const env = { PATH: `${folder}${delimiter}${process.env.PATH}`, DISPLAY: ":0" }
  return { opened, usual: { platform: "linux", env, isTerminal: true } as const }
}

it("opens the link through a file that only the user can read", async () => {
  const { opened, usual } = environment()
  const remove = openInBrowser(LINK, usual)!
  await soon(() => existsSync(opened)).toBe(true)
  const file = readFileSync(opened, "utf8")
  expect(file).not.toContain("sesame")
  expect(readFileSync(file, "utf8")).toContain(`url=${LINK}"`)
  expect(statSync(file).mode & 0o077).toBe(0)
  remove()
  expect(existsSync(file)).toBe(false)
})

it("opens nothing where no browser is expected", () => {
  const { usual } = environment()
  const { env } = usual
  for (const other of [
    { isTerminal: false },
    { env: { ...env, CI: "true" } },
    { env: { ...env, SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" } },
    { env: { ...env, DISPLAY: "" } },
  ])
    expect(openInBrowser(LINK, { ...usual, ...other })).toBeUndefined()
})

it("ignores a program that is missing", async () => {
  const { usual } = environment()
  const remove = openInBrowser(LINK, { ...usual, env: { PATH: "", DISPLAY: ":0" } })
  await new Promise((resolve) => setImmediate(resolve))
  expect(remove).toBeDefined()
  remove!()
})
