import { createServer, type Server } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { inspect } from "node:util"
import { createBudget, memoryStore } from "@p2/budget"
import { redisStore } from "@p2/budget/redis"
import { sqliteStore } from "@p2/budget-sqlite"
import { LLMClient } from "@p2/client"
import * as core from "@p2/core"
import { budgetErrorFrom, guardFetch, withBudget } from "@p2/guard"
import * as pricing from "@p2/pricing"
import * as tokens from "@p2/tokens"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { root } from "./workspace"

/*
 * Provokes the errors of every package with planted secrets, and inspects everything that they show: messages, stacks,
 * causes, JSON and all fields that `console.log` would show, to any depth.
 */

const PASSWORD = "Pa/ss#w0rd?7f3"
const KEY = "sk-proj-Zq81XyTTb02mNkLLqR7vDd93"
const PROMPT = "My name is Tamsin Okonedo-Bright, and I was told that the biopsy shows a melanoma of the scalp."
const ANSWER = "Tamsin Okonedo-Bright should see an oncologist about the melanoma within the next nine days."

/** Pieces that must not be seen, because a part of a secret is a secret too. */
const PIECES = [
  ...[PASSWORD, "w0rd?7f3", encodeURIComponent(PASSWORD)],
  ...[KEY, KEY.slice(8, 20), KEY.slice(-12)],
  ...["Okonedo", "melanoma", "biopsy", "oncologist"],
]

/** Imported as a user of `@p2/core` would. */
const { z } = createRequire(join(root, "packages/core/package.json"))(
  "zod",
) as typeof import("../packages/core/node_modules/zod")

/** Everything that a log or an error tracker may show of a value. */
function visible(value: unknown): string {
  const seen = new Set<unknown>()
  const texts: string[] = []
  const visit = (each: unknown): void => {
    if ((typeof each !== "object" && typeof each !== "function") || each === null || seen.has(each)) return
    seen.add(each)
    texts.push(inspect(each, { depth: Number.POSITIVE_INFINITY, maxStringLength: null, maxArrayLength: null }))
    try {
      texts.push(JSON.stringify(each) ?? "")
    } catch {
      // A cycle or a bigint: `inspect` has shown it.
    }
    if (each instanceof Error) {
      texts.push(each.message, String(each), each.stack ?? "")
      visit(each.cause)
      if (each instanceof AggregateError) each.errors.forEach(visit)
    }
  }
  texts.push(typeof value === "string" ? value : "")
  visit(value)
  return texts.join("\n")
}

async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    return error
  }
}

async function expectNoSecret(call: () => unknown): Promise<void> {
  const shown = visible(await outcomeOf(call))
  for (const piece of PIECES)
    if (shown.includes(piece)) throw new Error(`Shows ${JSON.stringify(piece)}: …${around(shown, piece)}…`)
}

function around(text: string, piece: string): string {
  const at = text.indexOf(piece)
  return text.slice(Math.max(0, at - 200), at + 200)
}

/** Calls as JavaScript makes them, without types. */
const js = { ...core, ...pricing, ...tokens } as unknown as Record<string, (...args: unknown[]) => unknown>

describe("a usage error shows no prompt, key or password that was passed in the wrong place", () => {
  const request = { model: "gpt-4o-mini", messages: [{ role: "user", content: PROMPT }] }
  it.each<[string, () => unknown]>([
    ["core usd", () => js.usd!(PROMPT)],
    ["core usd of a key", () => js.usd!(KEY)],
    ["core parseModelId", () => js.parseModelId!(PROMPT)],
    ["core parseModelId of a key", () => js.parseModelId!(KEY)],
    ["core Request", () => new core.Request({ model: PROMPT, apiKey: KEY } as never)],
    ["core Request with a key as its model", () => new core.Request({ model: KEY })],
    ["core checkOptions", () => core.checkOptions({ [KEY]: PROMPT, password: PASSWORD }, new Set(["model"]))],
    ["core addUsage", () => js.addUsage!({ inputTokens: PROMPT, outputTokens: KEY })],
    ["core MessageBuilder", () => new core.MessageBuilder().addMessageImage(PROMPT)],
    ["core MessageBuilder block", () => new core.MessageBuilder().addMessageBlock(PROMPT, PROMPT)],
    ["core compileAnswer", () => js.compileAnswer!({ prompt: PROMPT })],
    ["pricing costOf", () => js.costOf!(PROMPT, { inputTokens: 1, outputTokens: 1 })],
    ["pricing costOf of a key", () => js.costOf!(KEY, { inputTokens: 1, outputTokens: 1 })],
    ["pricing costOf, usage", () => js.costOf!("gpt-4o", { inputTokens: PROMPT, outputTokens: 1 })],
    [
      "pricing costOf, options",
      () => js.costOf!("gpt-4o", { inputTokens: 1, outputTokens: 1 }, { serviceTier: PROMPT }),
    ],
    ["pricing upperBound", () => js.upperBound!("gpt-4o", { inputTokens: 1, region: PROMPT, maxOutputTokens: 1 })],
    ["pricing upperBound, time", () => js.upperBound!("gpt-4o", { inputTokens: 1, at: PROMPT })],
    ["pricing createPriceTable", () => js.createPriceTable!({ [PROMPT]: { input: KEY, output: "1" } })],
    ["pricing usageFromOpenAIChat", () => js.usageFromOpenAIChat!({ prompt_tokens: PROMPT, completion_tokens: 1 })],
    ["pricing usageFromGemini", () => js.usageFromGemini!(PROMPT)],
    ["tokens countTokens", () => js.countTokens!(PROMPT, { model: KEY })],
    ["tokens countTokens, option", () => js.countTokens!(PROMPT, { [KEY]: 1, model: "gpt-4o" })],
    ["tokens countTokens, swapped", () => js.countTokens!({ model: "gpt-4o" }, PROMPT)],
    [
      "tokens countRequestTokens",
      () => js.countRequestTokens!({ ...request, messages: [{ role: PROMPT, content: KEY }] }),
    ],
    [
      "tokens countRequestTokens, part",
      () => js.countRequestTokens!({ ...request, messages: [{ role: "user", content: [{ type: PROMPT }] }] }),
    ],
    [
      "tokens countRequestTokens, file",
      () =>
        js.countRequestTokens!({
          model: "no-such-model",
          messages: [{ role: "user", content: [{ type: "file", file: { file_data: PROMPT } }] }],
        }),
    ],
    ["tokens encode", () => js.encode!(PROMPT, { model: "claude-opus-4-8" })],
    ["tokens getModelLimits", () => js.getModelLimits!(PROMPT)],
    [
      "budget limits",
      () => createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: PROMPT }] as never }),
    ],
    ["budget store", () => createBudget({ store: `redis://app:${PASSWORD}@host` as never, limits: [] })],
    ["budget redis client", () => redisStore({ client: `redis://app:${PASSWORD}@host:6379` as never })],
    ["budget redis options", () => redisStore({ [KEY]: 1, client: {} } as never)],
    ["budget-sqlite path", () => sqliteStore(`/nowhere/${encodeURIComponent(PASSWORD)}?key=${KEY}`)],
    ["budget-sqlite options", () => sqliteStore(":memory:", { password: PASSWORD } as never)],
    ["guard options", () => guardFetch({ budget: PROMPT, apiKey: KEY } as never)],
    ["guard withBudget", () => withBudget({ budget: `redis://app:${PASSWORD}@host` } as never, async () => {})],
    ["guard budgetErrorFrom", () => budgetErrorFrom({ message: PROMPT })],
  ])("%s", async (_name, call) => {
    await expectNoSecret(call)
  })
})

it("an answer that does not fit the schema is in no message", async () => {
  const compiled = core.compileAnswer(z.object({ age: z.number(), kind: z.enum(["a"]) }))
  for (const text of [
    ANSWER,
    JSON.stringify({ age: ANSWER, kind: ANSWER }),
    JSON.stringify({ [ANSWER]: 1 }),
    `{"age":"${ANSWER}`,
  ])
    for (const result of [compiled.parse(text), await compiled.parseAsync(text)]) {
      expect(result.ok).toBe(false)
      await expectNoSecret(() => (result.ok ? undefined : [result.error.message, result.error.stack]))
    }
})

/** A provider that repeats the key and the prompt in everything that it sends. */
let server: Server
let baseURL: string
let respond: { status: number; body: string; type?: string; headers?: Record<string, string>; cut?: boolean }
beforeAll(async () => {
  server = createServer(async (request, response) => {
    for await (const _ of request);
    response.writeHead(respond.status, { "content-type": respond.type ?? "application/json", ...respond.headers })
    response.write(respond.body)
    if (respond.cut) response.destroy()
    else response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

const ECHO = `Incorrect API key provided: ${KEY}. The prompt was: ${PROMPT}. Half of the answer: ${ANSWER}`
const errorBody = (more: object = {}) =>
  JSON.stringify({ error: { message: ECHO, type: "invalid_request_error", code: null, param: null, ...more } })
const completion = (content: string, more: object = {}) =>
  JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    model: "gpt-4o-mini",
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop", ...more }],
    usage: { prompt_tokens: 30, completion_tokens: 20, total_tokens: 50 },
  })
const event = (data: string, name = "") => `${name && `event: ${name}\n`}data: ${data}\n\n`
const delta = event(JSON.stringify({ choices: [{ index: 0, delta: { content: ANSWER } }] }))

const RESPONSES: [string, typeof respond][] = [
  ...[400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 451, 500, 502, 503, 529].map(
    (status): [string, typeof respond] => [`status ${status}`, { status, body: errorBody() }],
  ),
  [
    "a code that is a secret",
    { status: 400, body: errorBody({ code: `${KEY} ${PROMPT}`, type: PROMPT, param: PROMPT }) },
  ],
  ["a page", { status: 502, type: "text/html", body: `<html><title>${ECHO}</title></html>` }],
  ["plain text", { status: 500, type: "text/plain", body: ECHO }],
  ["broken JSON", { status: 200, body: `{"choices":[{"message":{"content":"${ANSWER}` }],
  ["a page with status 200", { status: 200, type: "text/html", body: `<html>${ECHO}</html>` }],
  ["no completion", { status: 200, body: JSON.stringify({ error_code: 17, error_msg: ECHO }) }],
  ["an error inside status 200", { status: 200, body: errorBody() }],
  ["an answer that does not fit", { status: 200, body: completion(JSON.stringify({ name: 5, [ANSWER]: ANSWER })) }],
  ["an answer that is no JSON", { status: 200, body: completion(ANSWER) }],
  ["a refusal", { status: 200, body: completion("", { message: { role: "assistant", refusal: ANSWER } }) }],
  ["a filtered answer", { status: 200, body: completion(ANSWER, { finish_reason: "content_filter" }) }],
  ["a truncated answer", { status: 200, body: completion(ANSWER, { finish_reason: "length" }) }],
  ["an unknown end", { status: 200, body: completion(ANSWER, { finish_reason: ANSWER }) }],
  ["an answer without choices", { status: 200, body: JSON.stringify({ choices: [], prompt: PROMPT }) }],
  [
    "a usage that is a secret",
    { status: 200, body: completion(ANSWER).replace('"prompt_tokens":30', `"${PROMPT} tokens":30`) },
  ],
  ["a body that is cut", { status: 200, body: completion(ANSWER).slice(0, 90), cut: true }],
  ["a stream", { status: 200, type: "text/event-stream", body: delta }],
  ["a stream with an error", { status: 200, type: "text/event-stream", body: delta + event(errorBody(), "error") }],
  ["a stream with a broken event", { status: 200, type: "text/event-stream", body: delta + event(`{"x":"${PROMPT}`) }],
  ["a stream that is cut", { status: 200, type: "text/event-stream", body: delta, cut: true }],
]

describe("a failed call of the client shows no key, prompt or answer", () => {
  const shown: unknown[] = []
  const log = (...values: unknown[]) => shown.push(...values)
  const logger = { debug: log, info: log, warn: log, error: log }
  afterEach(() => {
    shown.length = 0
  })

  async function play(options: object, method: "generate" | "generateResponse" | "stream"): Promise<void> {
    const { store, baseURL: address = baseURL, apiKey = KEY, unknown, ...request } = options as Record<string, unknown>
    const client = new LLMClient(
      {
        model: "gpt-4o-mini",
        answerModel: z.object({ name: z.string() }),
        maxBudget: 1,
        maxTokens: 100,
        retries: 0,
        repairs: 0,
        ...request,
      } as never,
      { apiKey, baseURL: address, logger, ...(store === undefined ? {} : { store }), ...(unknown ?? {}) } as never,
    )
    client.msg.addMessageUser(PROMPT)
    try {
      if (method === "stream") {
        const stream = client.stream()
        for await (const _ of stream);
        log(await stream.result)
      } else {
        // The answer of a successful call is what the caller asked for.
        const result = await (client[method] as () => Promise<{ ok?: boolean }>)()
        if (result?.ok === false) log(result)
      }
    } finally {
      await client.close()
    }
  }

  for (const [name, response] of RESPONSES)
    it(name, async () => {
      respond = response
      for (const method of ["generate", "generateResponse", "stream"] as const) {
        const thrown = await outcomeOf(() => play({}, method))
        // A usage error would send nothing, so this test would prove nothing.
        expect(thrown instanceof core.InvalidArgumentError || thrown instanceof core.InvalidRequestError).toBe(false)
        log(thrown)
        await expectNoSecret(() => shown)
      }
    })

  const OPTIONS: [string, object][] = [
    ["a refused connection", { baseURL: "http://127.0.0.1:1/v1" }],
    ["a base URL with a password", { baseURL: `http://app:${encodeURIComponent(PASSWORD)}@127.0.0.1:1/v1` }],
    ["a base URL with an invalid port", { baseURL: `http://app:${PASSWORD}@127.0.0.1:99999/v1` }],
    ["a key that is no header", { apiKey: `${KEY}\n${PASSWORD}` }],
    ["a key in place of the model", { model: KEY }],
    ["a prompt in place of the model", { model: PROMPT }],
    ["a misspelled memory store", { store: `memory:${PASSWORD}` }],
    ["a misspelled scheme", { store: `redis:app:${PASSWORD}@127.0.0.1:6379` }],
    ["another scheme", { store: `postgres://app:${PASSWORD}@127.0.0.1:5432/db` }],
    ["a Redis address that is not escaped", { store: `redis://app:${PASSWORD}@127.0.0.1:6379` }],
    ["a Redis address with an invalid port", { store: `redis://app:${encodeURIComponent(PASSWORD)}@127.0.0.1:99999` }],
    ["a Redis server that is not there", { store: `redis://app:${encodeURIComponent(PASSWORD)}@127.0.0.1:1` }],
    [
      "a Redis host that does not exist",
      { store: `rediss://app:${encodeURIComponent(PASSWORD)}@no-such-host.invalid` },
    ],
    ["a file that cannot be opened", { store: "file:/nowhere/p2.db" }],
    ["a key among the options", { unknown: { [KEY]: PROMPT } }],
    ["a key among the fields of the request", { [KEY]: PROMPT }],
    ["a budget that is denied", { maxBudget: "0.0000001" }],
    ["a user budget that is a secret", { userBudget: { budget: PROMPT, period: "day" }, user: PROMPT }],
  ]
  for (const [name, options] of OPTIONS)
    it(name, async () => {
      respond = { status: 200, body: completion('{"name":"Ada"}') }
      for (const method of ["generate", "generateResponse", "stream"] as const) {
        log(await outcomeOf(() => play(options, method)))
        await expectNoSecret(() => shown)
      }
    })
})

describe("a call of guardFetch that is not sent shows no key and no prompt", () => {
  const limited = () =>
    createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: "0.0000001", per: "day" }] })
  const body = { model: "gpt-4o-mini", max_tokens: 10, messages: [{ role: "user", content: PROMPT }] }
  const CALLS: [string, string, object][] = [
    ["a denied call", "/chat/completions", body],
    ["an unknown field", "/chat/completions", { ...body, [PROMPT]: PROMPT }],
    [
      "an unknown content part",
      "/chat/completions",
      { ...body, messages: [{ role: "user", content: [{ type: PROMPT }] }] },
    ],
    ["an unknown role", "/chat/completions", { ...body, messages: [{ role: PROMPT, content: KEY }] }],
    ["an unknown model", "/chat/completions", { ...body, model: PROMPT }],
    ["a key as the model", "/chat/completions", { ...body, model: KEY }],
    ["an unknown tool", "/responses", { model: "gpt-4o-mini", input: PROMPT, tools: [{ type: PROMPT }] }],
    ["an unknown item", "/responses", { model: "gpt-4o-mini", input: [{ type: PROMPT }] }],
    ["a stored prompt", "/responses", { model: "gpt-4o-mini", prompt: { id: KEY } }],
    ["an unknown path", `/${encodeURIComponent(PROMPT)}`, body],
  ]
  for (const [name, path, value] of CALLS)
    it(name, async () => {
      const attempts: unknown[] = []
      const guarded = guardFetch({
        budget: limited(),
        subject: { userId: "u1" },
        fetch: async () => {
          throw new Error("Nothing may be sent.")
        },
        onAttempt: (attempt) => attempts.push(attempt),
      })
      await expectNoSecret(async () => {
        const response = await guarded(`https://api.openai.com/v1${path}`, {
          method: "POST",
          headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
          body: JSON.stringify(value),
        })
        expect(response.ok).toBe(false)
        const text = await response.text()
        return [text, [...response.headers], attempts, budgetErrorFrom({ body: text })]
      })
    })
})
