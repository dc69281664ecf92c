import { execFile, spawnSync } from "node:child_process"
import { closeSync, existsSync, openSync } from "node:fs"
import { expect, inject, it } from "vitest"

const cliFile = inject("cliFile")

function p2(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [cliFile, ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

it("prints its help, with an example", async () => {
  const { code, stdout } = await p2("--help")
  expect(code).toBe(0)
  expect(stdout).toContain("p2 run --budget 5 --")
})

it("ends with 2 for an unknown command or option", async () => {
  expect(await p2("rum")).toMatchObject({ code: 2 })
  expect(await p2("--budgte")).toMatchObject({ code: 2, stderr: expect.stringContaining("unknown option") })
})

it("suggests the option that has another name in other tools", async () => {
  expect((await p2("calls", "--limit", "5")).stderr).toBe("p2: unknown option '--limit'\n(Did you mean --rows?)\n")
  expect((await p2("run", "--budget", "5", "--tz", "UTC", "--", "true")).stderr).toContain(
    "(Did you mean --time-zone?)",
  )
  expect((await p2("run", "--limit", "5", "--", "true")).stderr).toContain("(Did you mean --budget?)")
  expect((await p2("price", "gpt-4o-mini", "--in", "5")).stderr).toContain("(Did you mean --input?)")
})

it("names the help of the command for other unknown options and arguments", async () => {
  expect((await p2("run", "--retries", "5")).stderr).toBe(
    "p2: unknown option '--retries'\nRun `p2 run --help` for its arguments and options.\n",
  )
  expect((await p2("models", "openai")).stderr).toContain("Run `p2 models --help` for its arguments and options.")
})

it("shows control characters of arguments as question marks", async () => {
  const word = "a\u001b[31m\u0007"
  for (const args of [[word], ["count", word, "--model", "gpt-4o-mini"], ["status", "--store", `file:${word}`]]) {
    const { code, stderr } = await p2(...args)
    expect([code, stderr]).toEqual([2, expect.stringContaining("a?[31m?")])
    expect(stderr.endsWith("\n")).toBe(true)
  }
})

it.skipIf(!existsSync("/dev/full"))("ends with 3 and a line if its output cannot be written", () => {
  const full = openSync("/dev/full", "w")
  const { status, stderr } = spawnSync(process.execPath, [cliFile, "models"], { stdio: ["ignore", full, "pipe"] })
  closeSync(full)
  expect([status, String(stderr)]).toEqual([3, "p2: The output could not be written (ENOSPC).\n"])
})
