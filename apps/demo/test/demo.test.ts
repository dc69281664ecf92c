import { execFile, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { startPostgres } from "@p2/postgres-server"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "p2-demo-"))

beforeAll(() => {
  if (!existsSync(main)) throw new Error("The demo is not built: run the build first.")
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Run {
  code: number
  stdout: string
  stderr: string
}

function demo(...args: string[]): Promise<Run> {
  const env = { PATH: process.env.PATH, HOME: folder, NO_COLOR: "1" }
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: folder, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
    })
  })
}

/** The first number after a label. */
function figure(output: string, label: string): number {
  const match = new RegExp(`${label}[^0-9-]*([0-9][0-9.e-]*)`).exec(output)
  if (match === null) throw new Error(`No figure for ${label} in:\n${output}`)
  return Number(match[1])
}

/** Parses the events of a dashboard until its stream ends. */
async function receive(response: Response, sections: Record<string, unknown>[]): Promise<void> {
  let rest = ""
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const events = (rest + chunk).split("\n\n")
    rest = events.pop()!
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1]
      if (data !== undefined) sections.push(JSON.parse(data))
    }
  }
}

describe("the demo", () => {
  it("runs the example, then concurrent callers on one budget, and a batch", async () => {
    const { code, stdout, stderr } = await demo()
    expect(code, stderr).toBe(0)
    const order = [
      "Using userId",
      "Prompt tokens",
      "Max tokens for model",
      "maxBudget",
      "Denied (budget-exceeded)",
      "Calls that reached the provider: 0",
      "Structured response",
      "Request cost",
      "Usage stats",
      "50 concurrent callers",
      "A batch of 50 documents",
    ]
    const places = order.map((text) => stdout.indexOf(text))
    expect(
      places.every((place) => place >= 0),
      `${order[places.indexOf(-1)]}\n${stdout}`,
    ).toBe(true)
    expect([...places].sort((a, b) => a - b)).toEqual(places)
    expect(stdout).toContain("David Copperfield")
    expect(figure(stdout, "Admitted")).toBe(10)
    expect(figure(stdout, "Denied ")).toBe(40)
    expect(stdout.match(/, equal/g)).toHaveLength(3)
    expect(figure(stdout, "First run")).toBe(50)
    expect(stdout).toMatch(/First run +50 answered, \$0\.0/)
    expect(stdout).toMatch(/Second run +50 resumed, \$0\.00\n/)
    expect(stdout).not.toContain("DIFFER")
  })

  it("computes its figures: another prompt, model, budget or number of callers changes them", async () => {
    const usual = await demo("--callers", "4", "--affordable", "2")
    const other = await demo(
      "--callers",
      "6",
      "--affordable",
      "3",
      "--budget",
      "0.5",
      "--model",
      "openrouter/openai/gpt-4o",
      "--prompt",
      "Describe at some length who Ada Lovelace is and why it matters",
    )
    expect(other.code, other.stderr).toBe(0)
    expect(figure(usual.stdout, "Admitted")).toBe(2)
    expect(figure(other.stdout, "Admitted")).toBe(3)
    for (const label of ["Prompt tokens", "Request cost", "Upper bound of one call"])
      expect(figure(other.stdout, label), label).toBeGreaterThan(figure(usual.stdout, label))
    expect(other.stdout).toContain("Ada Lovelace")
  })

  it("makes the call when the small budget allows it", async () => {
    const { stdout } = await demo("--small-budget", "0.05", "--callers", "1", "--affordable", "1")
    expect(stdout).toContain("The budget was large enough")
  })

  it("shows the statistics of an earlier run from a file", async () => {
    const args = ["--store", "file:./p2.db", "--callers", "2", "--affordable", "1"]
    const first = await demo(...args)
    const second = await demo(...args)
    expect(second.code, second.stderr).toBe(0)
    // Two requests of the example in each run, and the two callers of the first run.
    expect([figure(first.stdout, "Total requests"), figure(second.stdout, "Total requests")]).toEqual([2, 6])
  })

  it("keeps its statistics in PostgreSQL, and does not print the password of its address", async () => {
    const server = await startPostgres()
    try {
      const address = server.url.replace("postgres@", "postgres:sesame@")
      const args = ["--store", `${address}?application_name=demo`, "--callers", "20", "--affordable", "5"]
      const first = await demo(...args)
      const second = await demo(...args)
      expect(second.code, second.stderr).toBe(0)
      expect([first, second].map(({ stdout }) => figure(stdout, "Admitted"))).toEqual([5, 5])
      expect([figure(first.stdout, "Total requests"), figure(second.stdout, "Total requests")]).toEqual([2, 24])
      expect(first.stdout).toContain("Store: postgres://…@127.0.0.1")
      expect(first.stdout + first.stderr).not.toMatch(/sesame|application_name/)
    } finally {
      await server.stop()
    }
  })

  it("shows the callers on a dashboard, and runs until it is ended", async () => {
    const env = { PATH: process.env.PATH, HOME: folder, NO_COLOR: "1" }
    const args = [main, "--dashboard", "--callers", "20", "--affordable", "4", "--documents", "3"]
    const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] })
    const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve({ code, signal })))
    try {
      let stdout = ""
      const printed = async (text: RegExp) => {
        for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
          stdout += chunk
          const match = text.exec(stdout)
          if (match !== null) return match[1] ?? ""
        }
        throw new Error(`The demo ended without ${text}:\n${stdout}`)
      }
      const link = await printed(/Dashboard: (\S+)/)
      const cookie = (await fetch(link)).headers.get("set-cookie")!.split(";")[0]!
      const events = await fetch(new URL("/dashboard/events?range=1h", link), { headers: { cookie } })
      const sections: Record<string, unknown>[] = []
      const received = receive(events, sections)
      await printed(/(stays open until)/)
      // Two requests of the example come before the callers, one denied and one answered, and three documents after them.
      await expect
        .poll(() => sections.findLast(({ sums }) => sums !== undefined)?.sums, { timeout: 60_000 })
        .toMatchObject({ calls: 1 + 4 + 3, denied: 1 + 16, inDoubt: 0 })
      expect(figure(stdout, "Admitted")).toBe(4)
      child.kill("SIGTERM")
      expect(await ended).toEqual({ code: 0, signal: null })
      await received
      const limits = sections.flatMap(({ limits = [] }) => limits as { reserved: number }[])
      expect(Math.max(...limits.map(({ reserved }) => reserved))).toBeGreaterThan(0)
      expect(limits.at(-1)!.reserved).toBe(0)
    } finally {
      child.kill("SIGKILL")
    }
  })

  it("reports an invalid option without a stack", async () => {
    for (const args of [
      ["--callers", "none"],
      ["--bogus"],
      ["--live"],
      ["--model", "no-such-model"],
      ["--budget", "-1"],
    ]) {
      const { code, stderr } = await demo(...args)
      expect(code, args.join(" ")).toBe(1)
      expect(stderr).toMatch(/^\nError: .{20,}/)
      expect(stderr).not.toContain("    at ")
    }
    const help = await demo("--help")
    expect(help.stdout).toContain("--live")
    expect(help.code).toBe(0)
  })
})
