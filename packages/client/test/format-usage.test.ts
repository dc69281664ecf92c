import { WriteStream } from "node:tty"
import { type MockServer, startMockServer } from "@p2/local-provider"
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest"
import { openClient } from "./open-client"

let server: MockServer
beforeAll(async () => {
  server = await startMockServer()
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

/** Answers as this model. If a status is given, the first request gets that status instead. */
function answerAs(model: string, firstStatus = 200): void {
  server.answer(({ sendJson }) => {
    const status = server.bodies.length === 1 ? firstStatus : 200
    const choices = [{ message: { content: "The answer" }, finish_reason: "stop" }]
    sendJson(status, { model, choices, usage: { prompt_tokens: 20, completion_tokens: 5 } })
  })
}

/** What `printUsageInfo` prints after a call, and what the call itself prints, with `---` between. */
async function printed(request: object = {}): Promise<string> {
  const log = vi.spyOn(console, "log").mockImplementation(() => {})
  log.mockClear()
  const client = openClient(server, { maxTokens: 100, maxBudget: "0.05", ...request }, { apiKey: "sk-the-key" })
  client.msg.addMessageUser("The question")
  await client.generate()
  client.printUsageInfo()
  return log.mock.calls.map(([text]) => String(text)).join("\n---\n")
}

test("values and attempts are aligned in columns, in any script", async () => {
  answerAs("模型-7b", 500)
  const lines = (await printed()).split("\n")
  const attempts = lines.indexOf("Attempts")
  const column = lines[1]!.search(/\S+$/)
  expect(column).toBe("Price per million  ".length)
  for (const line of lines.slice(1, attempts)) expect(line.slice(column - 2, column + 1)).toMatch(/^ {2}\S$/)
  expect(lines).toContain("Model              openai/gpt-4o-mini (answered by 模型-7b)")
  const [first, second] = lines.slice(attempts + 1)
  expect(first!.indexOf("$")).toBe(second!.indexOf("$"))
})

test("control characters in a model name are removed", async () => {
  answerAs("x\u001b[2J\n\u202e\u0007y")
  expect(await printed()).toContain("(answered by x[2Jy)\n")
})

test("neither the key nor content is printed, also with `verbose`, which prints after each call", async () => {
  answerAs("gpt-4o-mini")
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
])("colors on %s", async (_, env, colored) => {
  answerAs("gpt-4o-mini")
  if (env === undefined) vi.stubEnv("FORCE_COLOR", "1")
  else terminal(env)
  expect((await printed()).includes("\u001b[")).toBe(colored)
})

test("before any call there is nothing to print", () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {})
  openClient(server).printUsageInfo()
  expect(log).toHaveBeenCalledExactlyOnceWith("No call has been made yet.")
})

test("prices are those of the model that answered", async () => {
  answerAs("gpt-4.1", 503)
  expect(await printed({ retries: 0, fallbacks: ["openai/gpt-4.1"] })).toMatch(
    /openai\/gpt-4\.1[\s\S]*\$2\.00 in, \$8\.00 out/,
  )
})
