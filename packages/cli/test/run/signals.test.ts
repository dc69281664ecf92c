import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, expect, it } from "vitest"
import { type CliWorld, createCliWorld } from "../support/run-cli"

let world: CliWorld
let provider: LocalProvider

beforeAll(async () => {
  world = await createCliWorld()
  provider = await startLocalProvider()
})
afterAll(async () => {
  await world.close()
  await provider.close()
})

const start = (code: string, ...options: string[]) =>
  world.start(
    [
      "run",
      "--budget",
      "1",
      "--store",
      "memory:",
      ...options,
      "--",
      process.execPath,
      "--input-type=module",
      "-e",
      code,
    ],
    { OPENAI_API_KEY: "sk-planted-0123456789", OPENAI_BASE_URL: provider.baseURL },
  )

it.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const)(
  "%s reaches the program once, and it may handle the signal",
  async (signal) => {
    const running = start(`
    let count = 0
    process.on("${signal}", () => {
      count++
      // A second one would arrive meanwhile.
      setTimeout(() => { console.log("signals", count); process.exit(5) }, 200)
    })
    setInterval(() => {}, 1_000)
    console.log("ready")`)
    await running.wrote("ready")
    running.child.kill(signal)
    expect(await running.ended).toMatchObject({ code: 5, stdout: "ready\nsignals 1\n" })
  },
)

it("a second SIGINT kills a program that ignores the first", async () => {
  const running = start(`
    process.on("SIGINT", () => console.log("ignored"))
    setInterval(() => {}, 1_000)
    console.log("ready")`)
  await running.wrote("ready")
  running.child.kill("SIGINT")
  await running.wrote("ignored")
  running.child.kill("SIGINT")
  expect(await running.ended).toMatchObject({ signal: "SIGKILL", stderr: expect.stringContaining("no calls") })
})

it("the end of the grace time kills a program that ignores SIGTERM", async () => {
  const running = start(
    `
    process.on("SIGTERM", () => {})
    setInterval(() => {}, 1_000)
    console.log("ready")`,
    "--grace",
    "200ms",
  )
  await running.wrote("ready")
  running.child.kill("SIGTERM")
  expect(await running.ended).toMatchObject({ signal: "SIGKILL" })
})

it("signals go to the whole process group, also to a child that outlives the program", async () => {
  const running = start(
    `
    import { spawn } from "node:child_process"
    const code = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("child", process.pid)'
    spawn(process.execPath, ["-e", code], { stdio: "inherit" })
    setInterval(() => {}, 1_000)`,
    "--grace",
    "200ms",
  )
  await running.wrote("child ")
  running.child.kill("SIGTERM")
  // Its output closes when the child has ended too.
  expect(await running.ended).toMatchObject({ signal: "SIGTERM" })
})

it("signals do not interrupt the settling after the program has ended", async () => {
  // A child that outlives the program has an open call, which gets two seconds.
  provider.faults.next({ stall: "stream", keepAliveMs: 20, billed: true })
  const body = JSON.stringify({
    ...{ model: "gpt-4o-mini", stream: true, max_completion_tokens: 50, messages: [{ role: "user", content: "Hi" }] },
  })
  const caller = `
    const headers = { "content-type": "application/json", authorization: "Bearer " + process.env.OPENAI_API_KEY }
    const response = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", { method: "POST", headers, body: ${JSON.stringify(body)} })
    await response.body.getReader().read()
    console.log("open")
    await response.text()`
  const running = start(`
    import { spawn } from "node:child_process"
    const child = spawn(process.execPath, ["--input-type=module", "-e", ${JSON.stringify(caller)}], { stdio: ["ignore", "pipe", "ignore"] })
    child.stdout.on("data", () => { console.log("ended"); process.exit(0) })`)
  await running.wrote("ended")
  running.child.kill("SIGINT")
  running.child.kill("SIGTERM")
  const { code, stderr } = await running.ended
  expect(code === 0 || code === null).toBe(true)
  expect(stderr).toMatch(/1 call, \$0\.0000\d+/)
})

it("open calls are settled before p2 ends", async () => {
  provider.faults.always({ stall: "stream", keepAliveMs: 20, billed: true })
  const running = start(`
    const response = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer " + process.env.OPENAI_API_KEY },
      body: JSON.stringify({ model: "gpt-4o-mini", stream: true, max_completion_tokens: 50, messages: [{ role: "user", content: "Hi" }] }),
    })
    for await (const _chunk of response.body) console.log("chunk")`)
  await running.wrote("chunk")
  running.child.kill("SIGTERM")
  const { signal, stderr } = await running.ended
  expect(signal).toBe("SIGTERM")
  expect(stderr).toMatch(/1 call, \$0\.0000\d+/)
  expect(stderr).toMatch(/in doubt: \$0\.0000\d+ for 1 call/)
})
