import { chmodSync, existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { noonZone } from "../support/noon-zone"
import { type CliWorld, createCliWorld } from "../support/run-cli"

const KEY = "sk-planted-0123456789abcdef"

let world: CliWorld
let provider: LocalProvider
let env: Record<string, string>

beforeAll(async () => {
  world = await createCliWorld()
  provider = await startLocalProvider()
  env = { OPENAI_API_KEY: KEY, OPENAI_BASE_URL: provider.baseURL }
})
afterEach(() => provider.faults.clear())
afterAll(async () => {
  await world.close()
  await provider.close()
})

/** A program that makes calls one after another and prints each status, and the message of an error. */
const CALLER = `
const [count = "1", maxTokens = "100"] = process.argv.slice(1)
for (let index = 0; index < Number(count); index++) {
  const response = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer " + process.env.OPENAI_API_KEY },
    body: JSON.stringify({
      model: "gpt-4o-mini",
      max_completion_tokens: Number(maxTokens),
      messages: [{ role: "user", content: "Say hello, number " + index }],
    }),
  })
  const body = await response.json()
  console.log(response.status, body.error?.message ?? "")
}
`
const node = (code: string, ...args: string[]) => ["--", process.execPath, "--input-type=module", "-e", code, ...args]
const run = (options: string[], code: string, ...args: string[]) =>
  world.run(["run", ...options, ...node(code, ...args)], env)

describe("p2 run", () => {
  it("caps a program, and prints a receipt that equals the provider's ledger", async () => {
    const before = provider.ledger.totalNanoUsd
    const file = join(world.folder, "receipt.json")
    const { code, stdout, stderr } = await run(["--budget", "1", "--store", "memory:", "--receipt", file], CALLER, "3")
    expect(stderr).toContain("OPENAI_BASE_URL=http://127.0.0.1:")
    expect(stdout).toBe("200 \n200 \n200 \n")
    expect(code).toBe(0)
    const spent = provider.ledger.totalNanoUsd - before
    expect(spent).toBeGreaterThan(0)
    const receipt = JSON.parse(readFileSync(file, "utf8"))
    expect(receipt).toMatchObject({
      ...{ calls: 3, costNanoUsd: spent, denied: 0, rejected: [], pending: 0, exit: { status: "exited", code: 0 } },
      models: [{ provider: "openai", model: "gpt-4o-mini", calls: 3, costNanoUsd: spent }],
      limit: { limitNanoUsd: 1_000_000_000, spentNanoUsd: spent, reservedNanoUsd: 0 },
    })
    expect(stderr).toContain("openai/gpt-4o-mini      3")
    expect(stderr).toMatch(/remaining: \$0\.99\d+ of \$1\.00 of the run/)
  })

  it("denies with status 402 and the numbers, and nothing reaches the provider", async () => {
    const before = provider.ledger.calls.length
    const { code, stdout, stderr } = await run(["--budget", "0.00001", "--store", "memory:"], CALLER)
    expect(stdout).toMatch(/^402 Budget exceeded \(.*\): requested \$0\.0000\d+, remaining \$0\.00001 of \$0\.00001\./)
    expect(stderr).toMatch(/denied: 1 call, not sent\n {2}Budget exceeded .*\n {2}--clamp lowers/)
    expect(code).toBe(0)
    expect(provider.ledger.calls.length).toBe(before)
  })

  it("lowers the output limit to what the budget can pay with --clamp", async () => {
    const budget = ["--budget", "0.0005", "--store", "memory:"]
    expect((await run(budget, CALLER, "1", "16000")).stdout).toMatch(/^402/)
    expect((await run([...budget, "--clamp"], CALLER, "1", "16000")).stdout).toMatch(/^200/)
    const tooSmall = await run(["--budget", "0.000001", "--store", "memory:", "--clamp"], CALLER)
    expect(tooSmall.stderr).toMatch(/denied: 1 call, not sent\n {2}Budget exceeded .*\n$/)
  })

  it("holds a limit per day over two runs, in a file of the data folder", async () => {
    const user = ["--user", `ada-${process.pid}`, "--budget", "0.0002", "--per", "day", "--time-zone", noonZone()]
    const first = await run(user, CALLER, "3", "100")
    expect(first.stdout).toMatch(/^200/)
    expect(existsSync(join(world.folder, "home", "p2.db"))).toBe(true)
    const second = await run(user, CALLER, "3", "100")
    expect(second.stdout).not.toContain("200")
    expect(second.stdout).toMatch(/^402 Budget exceeded \(user, day\)/)
    const other = await run(["--user", `bob-${process.pid}`, "--budget", "0.0002", "--per", "day"], CALLER)
    expect(other.stdout).toMatch(/^200/)
  })

  it("names the variable of a provider that has no key", async () => {
    const code = `
      const response = await fetch(process.env.ANTHROPIC_BASE_URL + "/v1/messages", { method: "POST", body: "{}" })
      console.log(response.status, (await response.json()).error.message, process.env.ANTHROPIC_API_KEY)`
    const { stdout, stderr } = await run(["--budget", "1", "--store", "memory:"], code)
    expect(stdout).toMatch(/^401 ANTHROPIC_API_KEY is not set\..* undefined/)
    expect(stderr).toContain("1 call: ANTHROPIC_API_KEY is not set.")
  })

  it("says which calls were rejected, and why", async () => {
    const { stderr } = await run(
      ["--budget", "1", "--store", "memory:"],
      CALLER.replace("gpt-4o-mini", "gpt-unknown"),
      "2",
    )
    expect(stderr).toMatch(/2 calls: .*gpt-unknown/)
  })

  it("prints no output itself with --quiet", async () => {
    const { stdout, stderr } = await run(["--quiet", "--budget", "1", "--store", "memory:"], CALLER)
    expect([stdout, stderr]).toEqual(["200 \n", ""])
  })

  it("serves the dashboard with --dashboard, only to browsers that have its link", async () => {
    const options = ["run", "--budget", "1", "--store", "memory:", "--dashboard"]
    const running = world.start([...options, ...node(`${CALLER}; setInterval(() => {}, 1_000)`)], env)
    await Promise.all([running.wrote("200 "), running.wrote("p2: dashboard: ")])
    const link = /dashboard: (\S+)/.exec(running.stderr)![1]!
    const { origin } = new URL(link)
    expect((await fetch(`${origin}/dashboard/calls`)).status).toBe(401)
    const opened = await fetch(link, { redirect: "manual" })
    const cookie = opened.headers.get("set-cookie")!
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/)
    const calls = await fetch(`${origin}/dashboard/calls`, { headers: { cookie: cookie.split(";")[0]! } })
    expect(JSON.stringify(await calls.json())).toContain("gpt-4o-mini")
    running.child.kill("SIGTERM")
    expect((await running.ended).signal).toBe("SIGTERM")
  })

  it("takes the exit code of the program", async () => {
    const options = ["--quiet", "--budget", "1", "--store", "memory:"]
    expect(await run(options, "process.exit(7)")).toMatchObject({ code: 7, signal: null })
    expect(await run(options, "process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 60_000)")).toMatchObject({
      ...{ code: null, signal: "SIGTERM" },
    })
    expect(await world.run(["run", ...options, "--", "./no-such-command"], env)).toMatchObject({
      ...{ code: 127, stderr: expect.stringContaining("command not found") },
    })
    expect(await world.run(["run", ...options, "--", world.folder], env)).toMatchObject({ code: 126 })
  })
})

describe("usage errors of p2 run", () => {
  const cases: [string, string[], RegExp][] = [
    ["no budget", ["--", "true"], /No budget\. .*p2 run --budget 5/],
    [
      "an invalid time zone",
      ["--budget", "1", "--per", "day", "--time-zone", "Paris", "--", "true"],
      /Invalid `--time-zone`/,
    ],
    ["no command", ["--budget", "1"], /No command/],
    ["an invalid budget", ["--budget", "5$", "--", "true"], /Invalid `--budget`: expected a dollar amount/],
    ["a negative budget", ["--budget", "-1", "--", "true"], /Invalid `--budget`/],
    ["an invalid window", ["--budget", "1", "--per", "dya", "--", "true"], /Invalid `--per`: expected "total", "hour"/],
    [
      "an invalid store",
      ["--budget", "1", "--store", "mysql://h/db", "--", "true"],
      /Invalid `--store`: expected memory:/,
    ],
    ["a password", ["--budget", "1", "--store", "redis://:Pa55w0rd@h", "--", "true"], /Set P2_STORE/],
    ["an upstream without a URL", ["--budget", "1", "--upstream", "openai", "--", "true"], /Invalid `--upstream`/],
    [
      "an upstream with a password",
      ["--budget", "1", "--upstream", "openai=http://u:Pa55w0rd@h", "--", "true"],
      /openai/,
    ],
    ["a tag without a value", ["--budget", "1", "--tag", "team", "--", "true"], /Invalid `--tag`/],
    ["an empty user", ["--budget", "1", "--store", "memory:", "--user", "", "--", "true"], /Invalid `--user`/],
    ["an invalid wait", ["--budget", "1", "--wait", "30", "--", "true"], /a duration such as 30s/],
    ["an invalid number", ["--budget", "1", "--max-output-tokens", "1.5", "--", "true"], /a positive integer/],
    ["an invalid bound", ["--budget", "1", "--input-bound", "soft", "--", "true"], /hard, provider, calibrated/],
    ["an unknown option", ["--budgte", "1", "--", "true"], /Did you mean --budget/],
    ["the key in the command", ["--budget", "1", "--", "agent", `--api-key=${KEY}`], /value of OPENAI_API_KEY/],
  ]
  it.each(cases)("%s ends with 2 and a line that says what to do", async (_name, args, message) => {
    const { code, stdout, stderr } = await world.run(["run", ...args], env)
    expect(stderr).toMatch(message)
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr).not.toMatch(/Pa55w0rd|planted|\n {4}at /)
  })

  it("a key that cannot be sent ends with 2, and is not shown", async () => {
    const { code, stderr } = await world.run(["run", "--budget", "1", "--store", "memory:", "--", "true"], {
      OPENAI_API_KEY: "sk-planted-\n-0123456789",
    })
    expect([code, stderr.includes("Invalid `OPENAI_API_KEY`"), stderr.includes("planted")]).toEqual([2, true, false])
  })

  it("a receipt that cannot be written ends with 3 before the program starts", async () => {
    const options = ["--budget", "1", "--store", "memory:", "--receipt", join(world.folder, "none", "receipt.json")]
    const { code, stdout, stderr } = await world.run(["run", ...options, ...node("console.log(1)")], env)
    expect([code, stdout]).toEqual([3, ""])
    expect(stderr).toContain("Choose another --receipt")
  })

  // The mode of a file does not bind root.
  it.skipIf(process.getuid?.() === 0)("a store that is read-only ends with 3 before the program starts", async () => {
    const address = `file:${join(world.folder, "read-only.db")}`
    const options = ["run", "--budget", "1", "--store", address, ...node("console.log(1)")]
    expect(await world.run(options, env)).toMatchObject({ code: 0 })
    chmodSync(join(world.folder, "read-only.db"), 0o400)
    const { code, stdout, stderr } = await world.run(options, env)
    expect([code, stdout]).toEqual([3, ""])
    expect(stderr).toContain("read-only")
  })

  it("a store that does not answer ends with 3 before the program starts", async () => {
    const { code, stdout, stderr } = await world.run(
      ["run", "--budget", "1", "--store", "redis://127.0.0.1:1", ...node("console.log(1)")],
      env,
    )
    expect([code, stdout]).toEqual([3, ""])
    expect(stderr).toBe(
      "p2: Redis cannot be reached; nothing was applied. The store is redis://127.0.0.1:1: start it, or set another address with --store or P2_STORE.\n",
    )
  })
})
