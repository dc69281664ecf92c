import { BudgetExceededError, createBudget, memoryStore } from "@p2/budget"
import { acceptToken, createProxy } from "@p2/guard/proxy"
import { describe, expect, it } from "vitest"
import { responseWithHints, withHints, withoutSetting } from "../../src/output/hints"
import { runHints } from "../../src/run/run-hints"
import { readRunOptions } from "../../src/run/run-options"

const GIVEN = { budget: "0.50", store: "memory:", user: "ada", grace: "10s", tag: [], upstream: [], passEnv: [] }

function hintsOf(changes: object = {}) {
  return runHints(readRunOptions({ ...GIVEN, ...changes } as never, ["agent"], {}))
}

/** What the library says of a call of this amount. */
async function denialOf(amount: string): Promise<string> {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: "0.50" }] })
  const subject = { userId: "ada" }
  await budget.run({ subject, amount: "0.40" }, async () => ({ value: 1, cost: "0.40" }))
  const result = await budget.reserve({ subject, amount })
  if (result.ok || !BudgetExceededError.isInstance(result.error)) throw new Error("The call was admitted.")
  return result.error.message
}

/** What the proxy answers a call that it does not send. */
async function rejectionOf(path: string, body: object): Promise<string> {
  const token = "token-of-32-random-characters-00"
  const proxy = createProxy({
    budget: createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] }),
    upstreams: { openai: { apiKey: "key", baseURL: "http://127.0.0.1:1/v1" } },
    authenticate: acceptToken(token),
  })
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
  const response = await proxy(
    new Request(`http://127.0.0.1${path}`, { method: "POST", headers, body: JSON.stringify(body) }),
  )
  expect(response.status).toBe(400)
  return ((await response.json()) as { error: { message: string } }).error.message
}

describe("a denial under `p2 run`", () => {
  it("says to raise the budget of the run", async () => {
    expect(withHints(await denialOf("0.20"), hintsOf())).toMatch(
      /of \$0\.50\. Waiting does not help: start `p2 run` with a larger `--budget`\.$/,
    )
    expect(withHints(await denialOf("0.60"), hintsOf())).toMatch(
      /The amount is larger than the limit: lower the amount, or start `p2 run` with a larger `--budget`\.$/,
    )
  })

  it("has the command that tops up the limit of a user", async () => {
    const remedy = withHints(await denialOf("0.20"), hintsOf({ per: "day", timeZone: "Europe/Paris" }))
    expect(remedy).toMatch(
      /`--budget`, or run `p2 top-up --scope user --user ada --limit 0\.50 --per day --time-zone Europe\/Paris --amount 0\.50`\.$/,
    )
    const strange = withHints(await denialOf("0.20"), hintsOf({ per: "total", user: "a `b`" }))
    expect(strange).toContain("--user NAME --limit 0.50 --per total --amount 0.50`.")
  })
})

describe("a message of the library", () => {
  it.each([
    ["/openai/v1/something/new", { model: "gpt-4o-mini" }],
    ["/openai/v1/fine_tuning/jobs", { model: "gpt-4o-mini" }],
    ["/openai/v1/audio/speech", { model: "gpt-4o-mini-tts", input: "Hello", voice: "alloy" }],
    ["/openai/v1/batches", { input_file_id: "file-1", endpoint: "/v1/chat/completions", completion_window: "24h" }],
  ])("names no option that the command line does not have: %s", async (path, body) => {
    const message = await rejectionOf(path, body)
    const shown = withHints(message, [withoutSetting])
    expect(shown).not.toMatch(/unknownEndpoints|maxSpeechTokens|maxImageTokens|batchUpperBound|createPriceTable/)
    expect(shown.length).toBeGreaterThan(40)
  })

  it("has the options of `p2 run`", async () => {
    const search = { model: "gpt-4o-mini", input: "Hi", max_output_tokens: 10, tools: [{ type: "web_search" }] }
    expect(withHints(await rejectionOf("/openai/v1/responses", search), hintsOf())).toContain(
      "Send `max_tool_calls`, pass `--max-tool-calls`, or omit the tool.",
    )
    const wording =
      "`serviceTier` or a smaller `maxOutputTokens` lowers what a call may cost; `charge` or `unbilledStatuses` states what failures cost."
    expect(withHints(wording, hintsOf())).toBe(
      "`--service-tier` or a smaller `--max-output-tokens` lowers what a call may cost.",
    )
  })

  it("keeps everything else", async () => {
    const message = await rejectionOf("/openai/v1/chat/completions", { model: "gpt-nothing", messages: [] })
    expect(withHints(message, [])).toBe(message)
    expect(withHints(message, hintsOf())).not.toBe("")
  })
})

describe("a response", () => {
  const respond = (body: string) => new Response(body, { status: 400, headers: { "x-own": "1" } })

  it.each(['{ "error": { "message": "Invalid  request." } }', "<html>", "", '"text"', "null"])(
    "stays as it is if there is nothing to rewrite: %s",
    async (body) => {
      const { response, message } = await responseWithHints(respond(body), [withoutSetting])
      expect([response.status, response.headers.get("x-own"), await response.text()]).toEqual([400, "1", body])
      expect(message).not.toBe("")
    },
  )

  it("keeps the other fields of its body", async () => {
    const error = { message: 'Unknown. Pass `unknownEndpoints: "pass"` to send it.', code: "x", p2: { id: 1 } }
    const { response, message } = await responseWithHints(respond(JSON.stringify({ type: "error", error })), [
      withoutSetting,
    ])
    expect(message).toBe("Unknown. p2 has no setting that allows it.")
    expect(await response.json()).toEqual({ type: "error", error: { ...error, message } })
  })
})
