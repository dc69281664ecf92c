import { join } from "node:path"
import { createBudget } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { type CliWorld, createCliWorld } from "../support/run-cli"
import { soon } from "../support/soon"

const KEYS = { OPENAI_API_KEY: "sk-planted-0123456789", ANTHROPIC_API_KEY: "sk-ant-planted-0123456789" }

let world: CliWorld
let provider: LocalProvider

beforeAll(async () => {
  world = await createCliWorld()
  provider = await startLocalProvider()
})
afterEach(() => provider.faults.clear())
afterAll(async () => {
  await world.close()
  await provider.close()
})

/** A program that sends these calls concurrently, each a path and a body, and prints each status when it arrives. */
function callsOf(variable: string, ...calls: [string, object][]): string[] {
  const code = `
    const calls = ${JSON.stringify(calls)}
    const headers = { "content-type": "application/json", authorization: "Bearer " + process.env.OPENAI_API_KEY, "anthropic-version": "2023-06-01" }
    await Promise.all(calls.map(async ([path, body]) => {
      const response = await fetch(process.env.${variable} + path, { method: "POST", headers, body: JSON.stringify(body) })
      console.log(response.status, (await response.text()).slice(0, 300))
    }))`
  return ["--", process.execPath, "--input-type=module", "-e", code]
}

const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Say hello" }] }
const RESPONSE = { model: "gpt-4o-mini", input: "Say hello", tools: [{ type: "web_search" }], max_output_tokens: 100 }
const start = (options: string[], program: string[]) =>
  world.start(["run", "--quiet", "--budget", "1", "--store", "memory:", ...options, ...program], KEYS)
const run = (options: string[], program: string[]) => start(options, program).ended
const upstream = (name: string, url: string) => ["--upstream", `${name}=${url}`]

describe("what is sent", () => {
  const last = () => provider.received.at(-1)!

  it("goes to the address of --upstream, with the key of the parent", async () => {
    const { stdout } = await run(
      upstream("openai", provider.baseURL),
      callsOf("OPENAI_BASE_URL", ["/chat/completions", CHAT]),
    )
    expect(stdout).toMatch(/^200/)
    expect(last().headers.authorization).toBe(`Bearer ${KEYS.OPENAI_API_KEY}`)
  })

  it("has the service tier default, so that the bound is not that of the most expensive tier", async () => {
    const options = upstream("openai", provider.baseURL)
    await run(options, callsOf("OPENAI_BASE_URL", ["/chat/completions", CHAT]))
    expect(last().body.service_tier).toBe("default")
    await run([...options, "--service-tier", "priority"], callsOf("OPENAI_BASE_URL", ["/chat/completions", CHAT]))
    expect(last().body.service_tier).toBe("priority")
  })

  it("has the output limit of --max-output-tokens if it has none", async () => {
    const options = [...upstream("openai", provider.baseURL), "--max-output-tokens", "77"]
    await run(options, callsOf("OPENAI_BASE_URL", ["/chat/completions", CHAT]))
    expect(last().body.max_completion_tokens).toBe(77)
    await run(options, callsOf("OPENAI_BASE_URL", ["/chat/completions", { ...CHAT, max_completion_tokens: 99 }]))
    expect(last().body.max_completion_tokens).toBe(99)
  })

  it("has a maximum of hosted tool calls, so that searches have a bound", async () => {
    const options = upstream("openai", provider.baseURL)
    const { stdout } = await run(options, callsOf("OPENAI_BASE_URL", ["/responses", RESPONSE]))
    expect(stdout).toMatch(/^200/)
    expect(last().body.max_tool_calls).toBe(10)
    await run([...options, "--max-tool-calls", "3"], callsOf("OPENAI_BASE_URL", ["/responses", RESPONSE]))
    expect(last().body.max_tool_calls).toBe(3)
    await run([...options, "--clamp"], callsOf("OPENAI_BASE_URL", ["/responses", RESPONSE]))
    expect(last().body.max_tool_calls).toBe(2)
  })
})

it("--input-bound provider reserves less, by the provider's own count", async () => {
  const content = "The quick brown fox jumps over the lazy dog. ".repeat(500)
  const call = { model: "claude-sonnet-4-5", max_tokens: 100, messages: [{ role: "user", content }] }
  const program = callsOf("ANTHROPIC_BASE_URL", ["/v1/messages", call])
  const options = [...upstream("anthropic", provider.anthropicBaseURL), "--budget", "0.04"]
  const anthropic = program.map((word) => word.replace("OPENAI_API_KEY", "ANTHROPIC_API_KEY"))
  const denied = await world.run(["run", "--budget", "1", "--store", "memory:", ...options, ...anthropic], KEYS)
  expect(denied.stdout).toMatch(/^402/)
  expect(denied.stderr).toMatch(/\n {2}--clamp lowers .*\n {2}--input-bound provider bounds the input/)
  expect((await run([...options, "--input-bound", "provider"], anthropic)).stdout).toMatch(/^200/)
})

it("--wait waits until a call fits instead of denying", async () => {
  const calls = callsOf(
    "OPENAI_BASE_URL",
    ...Array.from({ length: 3 }, () => ["/chat/completions", CHAT] as [string, object]),
  )
  // A budget that covers one call at a time.
  const options = [...upstream("openai", provider.baseURL), "--max-output-tokens", "1000", "--budget", "0.00095"]
  let answer = () => {}
  provider.faults.next({ until: new Promise<void>((resolve) => (answer = resolve)) })
  const denied = start(options, calls)
  await soon(() => denied.stdout.match(/^402/gm)).toHaveLength(2)
  answer()
  expect((await denied.ended).stdout.match(/^200/gm)).toHaveLength(1)
  const waited = await run([...options, "--wait", "60s"], calls)
  expect(waited.stdout.match(/^200/gm)).toHaveLength(3)
})

it("--user and --tag are in the ledger, with the run and the program", async () => {
  const file = join(world.folder, "own.db")
  const options = [
    "--store",
    `file:${file}`,
    "--user",
    "ada",
    "--tag",
    "team=search",
    ...upstream("openai", provider.baseURL),
  ]
  await run(options, callsOf("OPENAI_BASE_URL", ["/chat/completions", CHAT]))
  const budget = createBudget({ store: sqliteStore(file), limits: [] })
  const { entries } = await budget.usage.list()
  await budget.close()
  expect(entries).toMatchObject([
    {
      userId: "ada",
      provider: "openai",
      tags: { team: "search", program: "node", run: expect.stringMatching(/^[0-9a-f]{12}$/) },
    },
  ])
})

it("P2_STORE is the address of the store, even with a password, which is never shown", async () => {
  const { code, stdout, stderr } = await world.run(
    ["run", "--budget", "1", ...callsOf("OPENAI_BASE_URL", ["/chat/completions", CHAT])],
    { ...KEYS, P2_STORE: "postgres://p2:Pa55w0rd@127.0.0.1:1/p2" },
  )
  expect([code, stdout]).toEqual([3, ""])
  expect(stderr).toMatch(
    /^p2: PostgreSQL .+ The store is postgres:\/\/127\.0\.0\.1:1\/p2: start it, or set another address with --store or P2_STORE\.\n$/,
  )
  expect(stderr).not.toContain("Pa55w0rd")
})

it("a run inside a run spends both budgets", async () => {
  const inner = callsOf("OPENAI_BASE_URL", ["/chat/completions", CHAT])
  const nested = (budget: string) => [
    ...["--", process.execPath, world.cliFile, "run", "--quiet", "--budget", budget, "--store", "memory:"],
    ...inner,
  ]
  const options = upstream("openai", provider.baseURL)
  expect((await run(options, nested("1"))).stdout).toMatch(/^200/)
  expect((await run(options, nested("0.0001"))).stdout).toMatch(/^402/)
  expect((await run([...options, "--budget", "0.0001"], nested("1"))).stdout).toMatch(/^402/)
})
