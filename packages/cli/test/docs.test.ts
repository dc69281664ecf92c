import { execFile } from "node:child_process"
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { AGENTS } from "../agents/agents"
import { SCENARIOS } from "../agents/scenarios"
import { REMOVED_VARIABLES } from "../src/run/credentials"
import { PROGRAMS } from "../src/run/programs"
import { keyVariablesOf, PROVIDERS } from "../src/run/providers"
import { type CliWorld, createCliWorld } from "./support/run-cli"

/*
 * Runs the shell blocks of the pages that show their output: an `sh` block and the `text` block after it. A `js file=…`
 * block is a file that they use.
 */

const FENCE = /^```(sh|text|js)(?: file=(\S+))?\n([\s\S]*?)^```$/gm
const pageOf = (name: string) => readFileSync(fileURLToPath(new URL(`../${name}`, import.meta.url)), "utf8")
const README = pageOf("README.md")
const RUN = pageOf("docs/run.md")
const PROGRAMS_PAGE = pageOf("docs/programs.md")

interface Example {
  name: string
  script: string
  output: string
}

function examplesOf(name: string, page: string): Example[] {
  const fences = [...page.matchAll(FENCE)]
  return fences.flatMap(([, kind, , script], index) => {
    const next = fences[index + 1]
    const isExample = kind === "sh" && next?.[1] === "text"
    return isExample
      ? [{ name: `${name}: ${script!.trim().split("\n").at(-1)}`, script: script!, output: next![3]! }]
      : []
  })
}

const examples = [...examplesOf("README.md", README), ...examplesOf("docs/run.md", RUN)]

let world: CliWorld
let provider: LocalProvider
let bin: string

beforeAll(async () => {
  world = await createCliWorld()
  provider = await startLocalProvider()
  bin = join(world.folder, "bin")
  mkdirSync(bin)
  for (const [, kind, file, code] of README.matchAll(FENCE))
    if (kind === "js" && file !== undefined) writeFileSync(join(world.folder, file), code!)
  const program = `"${process.execPath}" --no-warnings "${world.cliFile}"`
  writeScript("p2", `exec ${program} "$@"`)
  writeScript("npx", `[ "$1" = "@p2/cli" ] && shift && exec ${program} "$@"`)
})
afterAll(async () => {
  await world.close()
  await provider.close()
})

function writeScript(name: string, code: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${code}\n`)
  chmodSync(join(bin, name), 0o755)
}

/** Runs a script as a user would; stdout and stderr are one terminal. */
function runScript(script: string): Promise<string> {
  const env = {
    ...{ PATH: `${bin}:${process.env.PATH}`, HOME: world.folder, NO_COLOR: "1", OPENAI_API_KEY: "local" },
    ...{ OPENAI_BASE_URL: provider.baseURL, P2_HOME: join(world.folder, "home") },
  }
  return new Promise((resolve) => {
    execFile("bash", ["-c", `exec 2>&1\n${script}`], { cwd: world.folder, env }, (_error, stdout) => resolve(stdout))
  })
}

/** `…` stands for anything, and a line that is only `…` for any lines. */
function patternOf(output: string): RegExp {
  const lines = withoutChance(output)
    .split("\n")
    .map((line) => (line === "…" ? "[\\s\\S]*" : line.split("…").map(escapePattern).join(".*")))
  return new RegExp(`^${lines.join("\\n")}$`)
}

/** Ports, ids, names and days differ each time. */
function withoutChance(output: string): string {
  return output
    .trimEnd()
    .replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT")
    .replace(/\b[0-9a-f]{12}\b/g, "RUN-ID")
    .replace(/"user": "[^"]*"/g, '"user": "USER"')
    .replace(/\d{4}-\d\d-\d\d(T[\d:.]+Z)?/g, "DATE")
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
}

describe("the examples", () => {
  it("are there", () => {
    expect(examples.length).toBeGreaterThanOrEqual(4)
  })

  it.each(examples.map((example) => [example.name, example] as const))("%s", async (_name, { script, output }) => {
    expect(withoutChance(await runScript(script))).toMatch(patternOf(output))
  })
})

/** The row of a table that begins with this cell. */
function rowIn(page: string, first: string): string | undefined {
  return page.split("\n").find((line) => line.startsWith(`| \`${first}\` |`))
}

describe("docs/run.md", () => {
  const rowOf = (first: string, section: string) => rowIn(RUN.slice(RUN.indexOf(`## ${section}`)), first)

  it.each(PROVIDERS.map((provider) => [provider.name, provider] as const))(
    "has the variables of %s",
    (name, provider) => {
      const row = rowOf(name, "What the program gets")
      const own = [
        ...keyVariablesOf(provider).filter((key) => key !== provider.bearer),
        ...provider.baseURLs.map(({ variable }) => variable),
      ]
      const listed = [...(row ?? "").matchAll(/`([A-Z0-9_]+)`/g)].map((match) => match[1]!)
      expect(listed.sort()).toEqual(own.sort())
    },
  )

  it("lists every variable that is removed", () => {
    const listed = new Set([...RUN.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map((match) => match[1]!))
    expect([...REMOVED_VARIABLES].filter((name) => !listed.has(name))).toEqual([])
  })
})

describe("docs/programs.md", () => {
  const context = { url: "http://127.0.0.1:4000", token: "token", isAvailable: () => true, clamp: true }

  it.each(PROGRAMS.map((program) => [program.name, program] as const))(
    "lists the settings of %s and what bypasses the cap",
    (name, program) => {
      const row = rowIn(PROGRAMS_PAGE, name)
      expect(row).toContain(program.bypasses.join("; "))
      for (const packageName of program.packages) expect(row).toContain(`\`${packageName}\``)
      const { env = {} } = program.settings({ ...context, env: { HTTPS_PROXY: "http://proxy.example" } })
      for (const variable of Object.keys(env)) expect(row).toContain(variable)
    },
  )

  it("names the versions that were tested", () => {
    for (const { npm, version } of AGENTS) expect(PROGRAMS_PAGE).toContain(`\`${npm}\` ${version}`)
  })

  it("has a result of each test", () => {
    for (const { title } of AGENTS)
      for (const scenario of SCENARIOS)
        expect(PROGRAMS_PAGE).toMatch(new RegExp(`^${title} +${scenario.title} +ok `.replaceAll("$", "\\$"), "m"))
  })
})

describe("README.md", () => {
  it("has a row for every option of p2 run, with its default", async () => {
    const { stdout } = await world.run(["run", "--help"])
    const options = [...stdout.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm)].map((match) => match[1]!)
    expect(options.length).toBeGreaterThan(15)
    const rows = README.split("\n").filter((line) => line.startsWith("| `--"))
    const listed = rows.flatMap((row) => [...row.split("|")[1]!.matchAll(/--([a-z-]+)/g)].map((match) => match[1]!))
    expect(listed.sort()).toEqual(options.filter((name) => name !== "help").sort())
  })

  it("has a row for every command", async () => {
    const { stdout } = await world.run(["--help"])
    const commands = [...stdout.slice(stdout.indexOf("Commands:")).matchAll(/^ {2}([a-z-]+)/gm)].map(
      (match) => match[1]!,
    )
    const table = README.slice(README.indexOf("## Commands"), README.indexOf("Each has"))
    for (const command of commands.filter((name) => name !== "help"))
      expect(table, command).toMatch(new RegExp(`\\b${command}\\b`))
  })
})
