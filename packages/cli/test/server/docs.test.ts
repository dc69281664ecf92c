import { execFile } from "node:child_process"
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, expect, it } from "vitest"
import { FIELDS } from "../../src/server/config/config-schema"
import { type CliWorld, createCliWorld, type RunningCli } from "../support/run-cli"
import { callServer } from "./served-provider"

/*
 * Runs the shell blocks of docs/serve.md that have an output, in their order, on one server. The block that starts the server
 * stays running.
 */

const PAGE = readFileSync(fileURLToPath(new URL("../../docs/serve.md", import.meta.url)), "utf8")
const FENCE = /^```sh\n((?:(?!```).*\n)*)```\n\n```text\n((?:(?!```).*\n)*)```$/gm

let world: CliWorld
let provider: LocalProvider
let server: RunningCli | undefined
/** Of the server, once it listens. */
let port = "4100"

beforeAll(async () => {
  world = await createCliWorld()
  provider = await startLocalProvider()
  mkdirSync(join(world.folder, "bin"))
  const script = join(world.folder, "bin", "p2")
  writeFileSync(script, `#!/bin/sh\nexec "${process.execPath}" --no-warnings "${world.cliFile}" "$@"\n`)
  chmodSync(script, 0o755)
})

afterAll(async () => {
  server?.child.kill("SIGTERM")
  await server?.ended
  await world.close()
  await provider.close()
})

it("the examples of docs/serve.md print what the page shows", async () => {
  const examples = [...PAGE.matchAll(FENCE)].map(([, script, output]) => ({ script: script!, output: output! }))
  expect(examples).toHaveLength(4)
  let key = ""
  for (const { script, output } of examples) {
    if (script.startsWith("p2 serve")) {
      useLocalProvider()
      const [, ...args] = script.trim().split(" ")
      server = world.start(args, { OPENAI_API_KEY: "local" })
      await server.wrote('"event":"listening"')
      port = /"url":"http:[^"]+:(\d+)"/.exec(server.stdout)![1]!
      const call = await callServer(`http://127.0.0.1:${port}`, key)
      expect(call.status).toBe(200)
      continue
    }
    const printed = await runScript(script)
    expect(printed, script).toMatch(patternOf(output))
    key = /p2k_[\w-]{43}/.exec(printed)?.[0] ?? key
  }
})

it("the table of the configuration has every field", () => {
  const section = PAGE.slice(PAGE.indexOf("## Configuration"), PAGE.indexOf("## Virtual keys"))
  const first = section.split("\n").flatMap((line) => /^\| ([^|]+) \|/.exec(line)?.[1] ?? [])
  const documented = first.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name!))
  expect(documented.sort()).toEqual([...FIELDS[""]!].sort())
})

/** The port of the page may be in use here, and its provider cannot be reached from here. */
function useLocalProvider(): void {
  const file = join(world.folder, "p2.json")
  const config = readFileSync(file, "utf8")
    .replaceAll("4100", "0")
    .replace('{ "keyFrom": "OPENAI_API_KEY" }', `{ "keyFrom": "OPENAI_API_KEY", "baseURL": "${provider.baseURL}" }`)
  writeFileSync(file, config)
}

/** As a user would; stdout and stderr are one terminal. */
function runScript(script: string): Promise<string> {
  const env = { PATH: `${join(world.folder, "bin")}:${process.env.PATH}`, HOME: world.folder, NO_COLOR: "1" }
  const text = `exec 2>&1\n${script.replaceAll("4100", port)}`
  return new Promise((resolve) => {
    execFile("bash", ["-c", text], { cwd: world.folder, env }, (_error, stdout) => resolve(stdout.trim()))
  })
}

/** `…` stands for anything on its line, and runs of spaces for any run. */
function patternOf(output: string): RegExp {
  const lines = output
    .trim()
    .split("\n")
    .map((line) => line.split("…").map(escapePattern).join(".*"))
  return new RegExp(`^${lines.join("\\n")}$`)
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/ {2,}/g, " +")
}
