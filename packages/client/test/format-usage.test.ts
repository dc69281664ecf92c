import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { WriteStream } from "node:tty"
import { memoryStore } from "@p2/budget"
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest"
import { LLMClient } from "../src/index"
import { instantClock } from "./open-client"

let server: Server
let model: string
let status = 200

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume().on("end", () => {
      const body = { model, choices: [{ message: { content: "The answer" }, finish_reason: "stop" }] }
      const usage = { prompt_tokens: 20, completion_tokens: 5 }
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ ...body, usage }))
      status = 200
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
})
afterAll(() => server.close())
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  for (const name of ["hasColors", "getColorDepth"]) Reflect.deleteProperty(process.stdout, name)
})

function terminal(env: Record<string, string>): void {
  for (const name of ["NO_COLOR", "FORCE_COLOR", "NODE_DISABLE_COLORS", "CI"]) vi.stubEnv(name, undefined)
  for (const [name, value] of Object.entries({ TERM: "xterm-256color", ...env })) vi.stubEnv(name, value)
  for (const name of ["hasColors", "getColorDepth"] as const)
    Object.defineProperty(process.stdout, name, { value: WriteStream.prototype[name], configurable: true })
}

async function printed(request: object = {}): Promise<string> {
  const log = vi.spyOn(console, "log").mockImplementation(() => {})
  log.mockClear()
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", maxTokens: 100, maxBudget: "0.05", ...request },
    {
      baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      apiKey: "sk-the-key",
      store: memoryStore(),
      logger: {},
      clock: instantClock,
    },
  )
  client.msg.addMessageUser("The question")
  await client.generate()
  client.printUsageInfo()
  return log.mock.calls.map(([text]) => String(text)).join("\n---\n")
}

test("the values stand below one another, also those of attempts, whatever letters they have", async () => {
  model = "模型-7b"
  status = 500
  const lines = (await printed()).split("\n")
  const attempts = lines.indexOf("Attempts")
  const column = lines[1]!.search(/\S+$/)
  expect(column).toBe("Price per million  ".length)
  for (const line of lines.slice(1, attempts)) expect(line.slice(column - 2, column + 1)).toMatch(/^ {2}\S$/)
  expect(lines).toContain("Model              openai/gpt-4o-mini (answered by 模型-7b)")
  const [first, second] = lines.slice(attempts + 1)
  expect(first!.indexOf("$")).toBe(second!.indexOf("$"))
})

test("what a server calls itself does not reach the terminal as a command", async () => {
  model = "x\u001b[2J\n\u202e\u0007y"
  expect(await printed()).toContain("(answered by x[2Jy)\n")
})

test("neither key nor content is printed, nor by `verbose`, which prints once more after each call", async () => {
  model = "gpt-4o-mini"
  const quiet = await printed()
  const verbose = await printed({ verbose: true })
  expect(verbose.split("---")).toHaveLength(quiet.split("---").length + 1)
  for (const text of [quiet, verbose]) expect(text).not.toMatch(/sk-the-key|The question|The answer/)
})

test.each<[string, Record<string, string> | undefined, boolean]>([
  ["a terminal", {}, true],
  ["NO_COLOR", { NO_COLOR: "1" }, false],
  ["a dumb terminal", { TERM: "dumb" }, false],
  ["FORCE_COLOR=0", { FORCE_COLOR: "0" }, false],
  ["a pipe", undefined, false],
])("colours: %s", async (_, env, coloured) => {
  model = "gpt-4o-mini"
  if (env === undefined) vi.stubEnv("FORCE_COLOR", "1")
  else terminal(env)
  expect((await printed()).includes("\u001b[")).toBe(coloured)
})
