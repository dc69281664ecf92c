import { createServer } from "node:http"
import { createBudget, memoryStore, type StoreError } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import { refusedURL } from "@p2/local-provider"
import { describe, expect, it, vi } from "vitest"
import { budgetErrorFrom, guardFetch, guardMiddleware } from "../../src/index"
import {
  balance,
  CALL,
  CHAT_URL,
  COMPLETION,
  COST,
  deferred,
  EVENTS,
  events,
  guardOver,
  json,
  overriddenStore,
  post,
} from "./guarded-server"

describe("a call", () => {
  it("is reserved, sent and settled", async () => {
    const guard = guardOver(async () => {
      reservedMeanwhile = (await balance(guard.budget)).reserved
      return json(COMPLETION)
    })
    let reservedMeanwhile = 0
    const response = await post(guard.fetch)
    expect(await balance(guard.budget)).toEqual({ spent: COST, reserved: 0 })
    expect(await response.json()).toEqual(COMPLETION)
    expect(reservedMeanwhile).toBeGreaterThan(COST)
    expect(guard.attempts).toEqual([
      {
        status: "succeeded",
        provider: "openai",
        model: "gpt-4o-mini",
        httpStatus: 200,
        reservedNanoUsd: reservedMeanwhile,
        limits: [expect.objectContaining({ scope: "total", reservedNanoUsd: reservedMeanwhile })],
        costNanoUsd: COST,
        overrunNanoUsd: 0,
        costSource: "table",
        inDoubt: false,
        isPending: false,
        inputTokens: 20,
        outputTokens: 10,
        durationMs: expect.any(Number),
      },
    ])
  })

  it("has one entry in the ledger", async () => {
    const guard = guardOver(() => json(COMPLETION), { subject: { userId: "ada", tags: { team: "search" } } })
    await post(guard.fetch, CALL, { headers: { "x-stainless-retry-count": "2", "x-p2-request": "r1" } })
    const { entries } = await guard.budget.usage.list()
    expect(entries).toMatchObject([
      {
        requestId: "r1",
        attempt: 3,
        userId: "ada",
        tags: { team: "search" },
        model: "gpt-4o-mini",
        modelUsed: "gpt-4o-mini-2024-07-18",
        provider: "openai",
        status: "succeeded",
        costNanoUsd: COST,
        costSource: "table",
        tokens: { inputTokens: 20, outputTokens: 10 },
        generationId: "chatcmpl-1",
        durationMs: expect.any(Number),
      },
    ])
    expect(entries[0]).not.toHaveProperty("inDoubt")
  })

  it("is sent once, as it is, without a redirect, an encoding or the guard's own headers", async () => {
    const guard = guardOver(() => json(COMPLETION))
    const headers = { "x-p2-user": "ada", "accept-encoding": "br", "x-other": "kept", "content-length": "999" }
    await post(guard.fetch, CALL, { headers })
    const [sent] = guard.sent
    expect(sent).toMatchObject({ url: CHAT_URL, body: CALL, init: { redirect: "error" } })
    expect(Object.fromEntries(sent!.headers)).toMatchObject({
      "accept-encoding": "identity",
      "x-other": "kept",
      authorization: "Bearer sk-test",
      "content-type": "application/json",
    })
    expect([...sent!.headers.keys()].filter((name) => name.startsWith("x-p2-") || name === "content-length")).toEqual(
      [],
    )
  })

  it("sends what was bounded: of two fields with one name the last one", async () => {
    const guard = guardOver(() => json(COMPLETION))
    const text = JSON.stringify(CALL).replace("{", '{"max_completion_tokens":16000,')
    await guard.fetch(CHAT_URL, { method: "POST", body: text })
    expect(guard.sent[0]!.body).toEqual(CALL)
    expect(guard.attempts[0]!.reservedNanoUsd).toBeLessThan(100_000)
  })

  it("keeps the response's status, headers and URL, also in clones", async () => {
    const answer = () =>
      Object.defineProperty(
        json(COMPLETION, { status: 201, statusText: "Made", headers: { "x-request-id": "r", "content-length": "7" } }),
        "url",
        { value: "https://api.openai.com/final" },
      )
    const response = await post(guardOver(answer).fetch)
    for (const each of [response, response.clone(), response.clone().clone()]) {
      expect([each.status, each.statusText, each.headers.get("x-request-id"), each.url]).toEqual([
        ...[201, "Made", "r", "https://api.openai.com/final"],
      ])
      expect(each.headers.has("content-length")).toBe(false)
      expect(await each.json()).toEqual(COMPLETION)
    }
  })

  it("waits until it fits, with `wait`", async () => {
    const release = deferred<void>()
    const guard = guardOver(
      async () => {
        await release.promise
        return json(COMPLETION)
      },
      { limit: { nanoUsd: 100_000 }, wait: { timeoutMs: 10_000 } },
    )
    const calls = [post(guard.fetch), post(guard.fetch)]
    await vi.waitFor(() => expect(guard.sent).toHaveLength(1), 60_000)
    release.resolve(undefined)
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200])
  })
})

describe("a call that is not sent", () => {
  const never = () => {
    throw new Error("It was sent.")
  }

  it("is denied with status 402 in the shape of the provider", async () => {
    const guard = guardOver(never, { limit: "0.00001" })
    const response = await post(guard.fetch)
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([402, "false"])
    const body = (await response.json()) as { error: Record<string, unknown> }
    expect(body.error).toMatchObject({
      type: "insufficient_quota",
      code: "budget_exceeded",
      param: null,
      message: expect.stringMatching(/^Budget exceeded \(total, total\): requested \$/),
    })
    expect(response.headers.has("retry-after")).toBe(false)
    expect(guard.attempts).toMatchObject([{ status: "denied", costNanoUsd: 0 }])
    expect((await guard.budget.usage.list()).entries).toMatchObject([{ status: "denied", provider: "openai" }])
  })

  it("says when to retry, if only reservations of other calls prevent it", async () => {
    const release = deferred<Response>()
    const guard = guardOver(() => release.promise, { limit: { nanoUsd: 100_000 } })
    const first = post(guard.fetch)
    await vi.waitFor(() => expect(guard.sent).toHaveLength(1), 60_000)
    const { status, headers } = await post(guard.fetch)
    expect([status, headers.get("retry-after"), headers.get("retry-after-ms")]).toEqual([402, "1", "1000"])
    release.resolve(json(COMPLETION))
    await first
  })

  it.each([
    [
      "https://api.anthropic.com/v1/messages",
      { "anthropic-version": "2023-06-01" },
      { type: "error", error: { type: "invalid_request_error" } },
    ],
    [
      "https://generativelanguage.googleapis.com/v1beta/models/x:what",
      {},
      { error: { code: 400, status: "INVALID_ARGUMENT" } },
    ],
    ["https://api.openai.com/v1/what", {}, { error: { type: "invalid_request_error", code: "unknown_endpoint" } }],
  ])("is rejected with status 400 if it is not understood: %s", async (url, headers, body) => {
    const guard = guardOver(never)
    const response = await guard.fetch(url, { method: "POST", body: "{}", headers })
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([400, "false"])
    expect(await response.json()).toMatchObject(body)
    expect(guard.sent).toEqual([])
  })

  it("is sent without a limit if its path is unknown, and the options say so", async () => {
    const guard = guardOver(() => json({ ok: true }), { unknownEndpoints: "pass" })
    const response = await guard.fetch("https://api.openai.com/v1/what", { headers: { "x-p2-user": "ada" } })
    expect(await response.json()).toEqual({ ok: true })
    expect([...guard.sent[0]!.headers.keys()]).not.toContain("x-p2-user")
    expect(await balance(guard.budget)).toEqual({ spent: 0, reserved: 0 })
    const unbounded = { ...CALL, model: "gpt-99" }
    expect((await post(guard.fetch, unbounded)).status).toBe(400)
    expect(guard.attempts).toMatchObject([
      { status: "passed", provider: "openai", model: "unknown", httpStatus: 200, reservedNanoUsd: 0, costNanoUsd: 0 },
    ])
  })

  it.each(["videos", "assistants", "evals"])(
    "is sent without a limit if this guard cannot bound it, and the options say so: /v1/%s",
    async (path) => {
      const call = (fetch: typeof globalThis.fetch) =>
        fetch(`https://api.openai.com/v1/${path}`, { method: "POST", body: JSON.stringify({ model: "gpt-image-1" }) })
      const rejecting = guardOver(() => json({}))
      expect(await (await call(rejecting.fetch)).text()).toContain('unknownEndpoints: \\"pass\\"')
      expect(rejecting.sent).toEqual([])
      const passing = guardOver(() => json({}), { unknownEndpoints: "pass" })
      expect((await call(passing.fetch)).status).toBe(200)
      expect(passing.attempts).toMatchObject([{ status: "passed", provider: "openai", model: "gpt-image-1" }])
    },
  )

  it("is reported if it passes without a limit, also when it fails", async () => {
    const guard = guardOver(() => Promise.reject(new TypeError("fetch failed")), { unknownEndpoints: "pass" })
    const body = JSON.stringify({ model: "own-model" })
    await expect(guard.fetch("https://llm.example.org/v2/what", { method: "POST", body })).rejects.toThrow(TypeError)
    expect(guard.attempts).toMatchObject([
      { status: "passed", provider: "llm.example.org", model: "own-model", httpStatus: undefined },
    ])
  })

  it.each(["chat/completions", "responses", "embeddings", "messages"])(
    "is rejected if only its host is unknown, although unknown endpoints pass: /v1/%s",
    async (path) => {
      const guard = guardOver(never, { unknownEndpoints: "pass" })
      const body = { ...CALL, input: "Hi", max_tokens: 5 }
      const response = await guard.fetch(`https://llm.example.org/v1/${path}`, {
        method: "POST",
        body: JSON.stringify(body),
      })
      expect(response.status).toBe(400)
      expect(await response.text()).toMatch(/Unknown provider at llm\.example\.org.*Pass `provider`/)
      expect(guard.sent).toEqual([])
    },
  )

  const form = new FormData()
  form.append("subject", "Hi")
  it.each([
    ["https://chat.example.org/api/v10/channels/1/messages", JSON.stringify({ content: "Hi" })],
    ["https://mail.example.org/v3/domain/messages", form],
    ["https://forms.example.org/responses", JSON.stringify({ answers: ["Hi"] })],
  ])("is a call of another service if it has neither a model nor input: %s", async (url, body) => {
    const passing = guardOver(() => json({}), { unknownEndpoints: "pass" })
    expect((await passing.fetch(url, { method: "POST", body })).status).toBe(200)
    expect(passing.attempts).toMatchObject([{ status: "passed", provider: new URL(url).host, model: "unknown" }])
    const rejecting = guardOver(never)
    const response = await rejecting.fetch(url, { method: "POST", body })
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining("Unknown endpoint POST")])
  })

  it.each([
    { Messages: [] },
    { input: "Hi" },
    { previous_response_id: "resp_1" },
    { prompt: { id: "pmpt_1" } },
    { instructions: "Write a story." },
    { MODEL: "own-model" },
  ])("is rejected at an unknown host if it may be a model call: %j", async (body) => {
    const guard = guardOver(never, { unknownEndpoints: "pass" })
    for (const path of ["messages", "responses", "chat/completions", "embeddings"]) {
      const call = { method: "POST", body: JSON.stringify(body) }
      expect((await guard.fetch(`https://llm.example.org/v1/${path}`, call)).status).toBe(400)
    }
    // The content encoding hides the fields.
    const headers = { "content-encoding": "gzip" }
    const encoded = { method: "POST", body: "{}", headers }
    expect((await guard.fetch("https://llm.example.org/v1/messages", encoded)).status).toBe(400)
    expect(guard.sent).toEqual([])
  })

  it("has status 503 if the store fails", async () => {
    const store = overriddenStore(() => ({ reserve: () => Promise.reject(new Error("down")) }))
    const budget = createBudget({ store, limits: [{ scope: "total", limit: 1 }] })
    const response = await post(guardOver(never, { budget }).fetch)
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([503, "false"])
    const body = (await response.json()) as { error: { code: StoreError["code"] } }
    expect(body.error.code).toMatch(/^store_/)
  })

  it("has status 400 if the subject does not fit the limits", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: 1 }] })
    const response = await post(guardOver(never, { budget }).fetch)
    expect(response.status).toBe(400)
    expect(await response.text()).toContain("userId")
  })

  it("rejects with the signal's reason, as fetch does, also while it waits to fit", async () => {
    const release = deferred<Response>()
    const guard = guardOver(() => release.promise, { limit: { nanoUsd: 100_000 }, wait: { timeoutMs: 60_000 } })
    const reason = new Error("enough")
    await expect(post(guard.fetch, CALL, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const first = post(guard.fetch)
    await vi.waitFor(() => expect(guard.sent).toHaveLength(1), 60_000)
    const controller = new AbortController()
    const waiting = post(guard.fetch, CALL, { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 10)
    await expect(waiting).rejects.toBe(reason)
    release.resolve(json(COMPLETION))
    await first
    expect(await balance(guard.budget)).toEqual({ spent: COST, reserved: 0 })
  })

  it("is released if no connection was made", async () => {
    const guard = guardOver(never, { fetch: globalThis.fetch, provider: "openai" })
    const url = `${await refusedURL()}/chat/completions`
    await expect(guard.fetch(url, { method: "POST", body: JSON.stringify(CALL) })).rejects.toBeInstanceOf(TypeError)
    expect(await balance(guard.budget)).toEqual({ spent: 0, reserved: 0 })
    expect(guard.attempts).toMatchObject([{ status: "released", costSource: "none", inDoubt: false }])
    expect((await guard.budget.usage.list()).entries).toMatchObject([
      { status: "released", errorCode: "connection-failed" },
    ])
  })
})

describe("a call through two guards", () => {
  it("is a usage error if a guard gets a guarded fetch", () => {
    const { budget, fetch } = guardOver(() => json(COMPLETION))
    expect(() => guardFetch({ budget, fetch })).toThrow(InvalidArgumentError)
    expect(() => guardFetch({ budget, fetch })).toThrow("Invalid `fetch`: it is guarded already")
  })

  it("is a usage error if the global fetch is guarded", () => {
    const { budget, fetch } = guardOver(() => json(COMPLETION))
    vi.stubGlobal("fetch", fetch)
    try {
      expect(() => guardFetch({ budget })).toThrow("Invalid `fetch`: it is guarded already")
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it("is rejected by the inner one if the outer one cannot see it, and costs nothing", async () => {
    const inner = guardOver(() => json(COMPLETION))
    const outer = guardOver(() => json(COMPLETION), { fetch: async (...call) => inner.fetch(...call) })
    const response = await post(outer.fetch)
    expect(response.status).toBe(400)
    expect(((await response.json()) as { error: object }).error).toMatchObject({ code: "guarded_twice" })
    expect(await balance(outer.budget)).toEqual({ spent: 0, reserved: 0 })
    expect(inner.sent).toEqual([])
    expect((await post(inner.fetch)).status).toBe(200)
  })

  it("sees through its middleware", async () => {
    const inner = guardOver(() => json(COMPLETION))
    const middleware = guardMiddleware({ budget: inner.budget })
    const headers = { "content-type": "application/json" }
    const request = { url: CHAT_URL, method: "POST", headers, body: JSON.stringify(CALL) }
    const next = ({ url, ...init }: typeof request) => inner.fetch(url, init)
    expect((await middleware(request, next)).status).toBe(400)
  })
})

describe("a call that costs more than its upper bound", () => {
  const EXPENSIVE = {
    ...COMPLETION,
    usage: { prompt_tokens: 1_000_000, completion_tokens: 10, total_tokens: 1_000_010 },
  }

  it("is charged in full, reported and warned of once for its model", async () => {
    const warnings: string[] = []
    const guard = guardOver(() => json(EXPENSIVE), { onWarning: (message) => warnings.push(message) })
    await post(guard.fetch)
    await post(guard.fetch)
    const costNanoUsd = 150_006_000
    expect(guard.attempts).toMatchObject(
      [1, 2].map(() => ({ costNanoUsd, reservedNanoUsd: 67_200, overrunNanoUsd: costNanoUsd - 67_200 })),
    )
    expect((await balance(guard.budget)).spent).toBe(2 * costNanoUsd)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain("openai/gpt-4o-mini cost $0.150006, but its upper bound was $0.0000672")
  })

  it("warns on the console by default, and survives a callback that throws", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {})
    await post(guardOver(() => json(EXPENSIVE)).fetch)
    expect(warn).toHaveBeenCalledTimes(1)
    warn.mockRestore()
    const callback = () => {
      throw new Error("x")
    }
    // A rejection that nobody handles would fail the test run.
    for (const onWarning of [callback, async () => callback()]) {
      const throwing = guardOver(() => json(EXPENSIVE), { onWarning, onAttempt: onWarning })
      expect((await post(throwing.fetch)).status).toBe(200)
    }
  })
})

describe("a call that is redirected", () => {
  it("is not sent again: the response names the status and the remedy, and no SDK retries", async () => {
    let requests = 0
    const server = createServer((_request, response) => {
      requests++
      response.writeHead(307, { location: "http://127.0.0.1:9/v1/chat/completions?key=secret" }).end()
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    try {
      const { port } = server.address() as { port: number }
      const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })
      const fetch = guardFetch({ budget, provider: "openai" })
      const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify(CALL),
      })
      const body = (await response.json()) as { error: { code: string; message: string } }
      expect([response.status, response.headers.get("x-should-retry")]).toEqual([400, "false"])
      expect(body.error.code).toBe("redirected")
      expect(body.error.message).toMatch(/redirected the call \(status 307\).*base URL/)
      expect(JSON.stringify(body)).not.toContain("secret")
      expect(requests).toBe(1)
      expect((await budget.usage.list()).entries).toMatchObject([{ status: "failed", errorCode: "http-307" }])
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })
})

describe("a call that fails", () => {
  it.each([
    [400, "nothing", false],
    [429, "nothing", false],
    [500, "the bound", true],
    [503, "the bound", true],
  ])("with status %i is charged %s", async (status, _charge, inDoubt) => {
    const guard = guardOver(() => json({ error: { message: "no" } }, { status }))
    const response = await post(guard.fetch)
    expect([response.status, await response.json()]).toEqual([status, { error: { message: "no" } }])
    const { spent, reserved } = await balance(guard.budget)
    expect([spent, reserved]).toEqual([inDoubt ? guard.attempts[0]!.reservedNanoUsd : 0, 0])
    expect(guard.attempts).toMatchObject([{ status: "failed", httpStatus: status, inDoubt }])
    expect((await guard.budget.usage.list()).entries).toMatchObject([{ errorCode: `http-${status}` }])
  })

  it("is charged as the options say", async () => {
    const guard = guardOver(() => json({ error: { message: "no" } }, { status: 500 }), {
      charge: { serverError: "nothing" },
    })
    await post(guard.fetch)
    expect(await balance(guard.budget)).toEqual({ spent: 0, reserved: 0 })
    expect(guard.attempts).toMatchObject([{ inDoubt: true, costNanoUsd: 0 }])
  })

  it.each([
    ["the connection", new TypeError("fetch failed")],
    ["a fetch that throws errors of p2", new InvalidArgumentError("x", "y", 5)],
  ])("rejects with the error of %s, and is charged the bound", async (_name, failure) => {
    const guard = guardOver(() => Promise.reject(failure))
    await expect(post(guard.fetch)).rejects.toBe(failure)
    const { spent, reserved } = await balance(guard.budget)
    expect([spent, reserved]).toEqual([guard.attempts[0]!.reservedNanoUsd, 0])
    expect(guard.attempts).toMatchObject([{ status: "failed", httpStatus: undefined, inDoubt: true }])
  })

  it("delivers what arrived of a broken body, and then its error", async () => {
    const failure = new Error("cut")
    const broken = new ReadableStream({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(new TextEncoder().encode('{"id":"chatcmpl-1","us'))
        else controller.error(failure)
      },
    })
    let pulls = 0
    const guard = guardOver(() => new Response(broken, { headers: { "content-type": "application/json" } }))
    const response = await post(guard.fetch)
    const reader = response.body!.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('{"id":"chatcmpl-1","us')
    await expect(reader.read()).rejects.toBe(failure)
    expect(guard.attempts).toMatchObject([{ status: "failed", inDoubt: true }])
    expect((await guard.budget.usage.list()).entries).toMatchObject([{ errorCode: "connection-lost", inDoubt: true }])
  })

  it.each([
    ["the caller", () => new Error("enough"), {}, "aborted"],
    ["a deadline", () => new DOMException("late", "TimeoutError"), {}, "deadline-exceeded"],
    ["the SDK's deadline", () => new Error("enough"), { "x-stainless-timeout": "0.01" }, "deadline-exceeded"],
  ])("is charged the bound if %s ends it, which the ledger says", async (_who, reason, headers, errorCode) => {
    const controller = new AbortController()
    const guard = guardOver(
      ({ init }) =>
        new Promise((_resolve, reject) => {
          init.signal!.addEventListener("abort", () => reject(init.signal!.reason))
          setTimeout(() => controller.abort(why), 20)
        }),
    )
    const why = reason()
    await expect(
      post(guard.fetch, CALL, { signal: controller.signal, headers: headers as Record<string, string> }),
    ).rejects.toBe(why)
    expect((await guard.budget.usage.list()).entries).toMatchObject([{ errorCode, inDoubt: true, status: "failed" }])
  })
})

describe("a stream", () => {
  const STREAMED = { ...CALL, stream: true }
  const isUsage = (text: string) => text.includes('"usage"')

  it("is passed on event by event, and settled before its end", async () => {
    const guard = guardOver(() => events())
    const response = await post(guard.fetch, STREAMED)
    expect(guard.sent[0]!.body).toMatchObject({ stream_options: { include_usage: true } })
    expect(await response.text()).toBe(EVENTS.filter((text) => !isUsage(text)).join(""))
    expect(await balance(guard.budget)).toEqual({ spent: COST, reserved: 0 })
    expect(guard.attempts).toMatchObject([{ status: "succeeded", outputTokens: 10 }])
  })

  it("has the usage if the caller asked for it", async () => {
    const guard = guardOver(() => events())
    const response = await post(guard.fetch, { ...STREAMED, stream_options: { include_usage: true } })
    expect(await response.text()).toBe(EVENTS.join(""))
  })

  it("is settled before the reader sees its end, however slow the store is", async () => {
    const store = overriddenStore((memory) => ({
      settle: async (request) => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        return memory.settle(request)
      },
    }))
    const budget = createBudget({ store, limits: [{ scope: "total", limit: 1 }] })
    const guard = guardOver(() => events(), { budget })
    await (await post(guard.fetch, STREAMED)).text()
    expect(await balance(budget)).toEqual({ spent: COST, reserved: 0 })
  })

  it("stops the provider when its reader cancels, and is charged by `charge.abort`", async () => {
    const cancelled = vi.fn()
    const endless = () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode(EVENTS[0])),
          cancel: cancelled,
        }),
        { headers: { "content-type": "text/event-stream" } },
      )
    for (const [abort, spent] of [
      ["bound", 60_000],
      ["received", 1_000],
      ["nothing", 0],
    ] as const) {
      const guard = guardOver(endless, { charge: { abort } })
      const reader = (await post(guard.fetch, STREAMED)).body!.getReader()
      await reader.read()
      await reader.cancel()
      expect(guard.sent[0]!.init.signal!.aborted).toBe(true)
      expect((await balance(guard.budget)).reserved).toBe(0)
      expect((await balance(guard.budget)).spent).toBeGreaterThanOrEqual(spent)
      expect(guard.attempts).toMatchObject([{ status: "failed", inDoubt: true }])
      expect((await guard.budget.usage.list()).entries).toMatchObject([{ errorCode: "aborted" }])
    }
    expect(cancelled).toHaveBeenCalledTimes(3)
  })

  it("counts as answered if its reader cancels after the answer", async () => {
    const open = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(EVENTS.join(""))),
    })
    const guard = guardOver(() => new Response(open, { headers: { "content-type": "text/event-stream" } }))
    const reader = (await post(guard.fetch, STREAMED)).body!.getReader()
    await reader.read()
    await reader.cancel()
    expect(await balance(guard.budget)).toEqual({ spent: COST, reserved: 0 })
    expect(guard.attempts).toMatchObject([{ status: "succeeded" }])
  })

  it("is settled although nobody reads it", async () => {
    const guard = guardOver(() => events())
    const response = await post(guard.fetch, STREAMED)
    await vi.waitFor(() => expect(guard.attempts).toMatchObject([{ status: "succeeded", costNanoUsd: COST }]), 60_000)
    expect(await response.text()).toContain("Hel")
  })

  it("ends after `bodyIdleMs` if nobody reads it and it does not end", async () => {
    const open = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(EVENTS[0])) })
    const answer = () => new Response(open, { headers: { "content-type": "text/event-stream" } })
    const guard = guardOver(answer, { bodyIdleMs: 20 })
    const response = await post(guard.fetch, STREAMED)
    await vi.waitFor(() => expect(guard.attempts).toHaveLength(1), 60_000)
    expect((await balance(guard.budget)).reserved).toBe(0)
    await expect(response.text().then((text) => text)).rejects.toMatchObject({ code: "body-idle" })
  })

  it("delivers the abort of its signal to the reader", async () => {
    const open = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(EVENTS[0])) })
    const guard = guardOver(() => new Response(open, { headers: { "content-type": "text/event-stream" } }))
    const controller = new AbortController()
    const reader = (await post(guard.fetch, STREAMED, { signal: controller.signal })).body!.getReader()
    await reader.read()
    const reason = new DOMException("late", "TimeoutError")
    controller.abort(reason)
    await expect(reader.read()).rejects.toBe(reason)
    expect((await guard.budget.usage.list()).entries).toMatchObject([{ errorCode: "deadline-exceeded" }])
  })
})

describe("the output limit", () => {
  const { max_completion_tokens: _, ...UNLIMITED } = CALL

  it("is injected where the call has none", async () => {
    const guard = guardOver(() => json(COMPLETION), { maxOutputTokens: 50 })
    await post(guard.fetch, UNLIMITED)
    await post(guard.fetch)
    expect(guard.sent.map(({ body }) => body.max_completion_tokens ?? body.max_tokens)).toEqual([50, 100])
    expect(guard.attempts[0]!.reservedNanoUsd).toBeLessThan(guard.attempts[1]!.reservedNanoUsd)
  })

  it("is lowered if asked", async () => {
    const guard = guardOver(() => json(COMPLETION), { maxOutputTokens: 50, clampTo: "maxOutputTokens" })
    await post(guard.fetch)
    await post(guard.fetch, { ...CALL, max_completion_tokens: 20 })
    expect(guard.sent.map(({ body }) => body.max_completion_tokens)).toEqual([50, 20])
  })

  it("is lowered to what the budget can pay if asked, and never to nothing", async () => {
    const guard = guardOver(() => json(COMPLETION), { limit: { nanoUsd: 50_000 }, clampTo: "budget" })
    expect((await post(guard.fetch)).status).toBe(200)
    const [{ body }] = guard.sent as [(typeof guard.sent)[0]]
    expect(body.max_completion_tokens).toBeGreaterThan(20)
    expect(body.max_completion_tokens).toBeLessThan(100)
    expect(guard.attempts[0]!.reservedNanoUsd).toBeLessThanOrEqual(50_000)
    expect(guard.attempts[0]!.reservedNanoUsd).toBeGreaterThan(50_000 - 600)

    const poor = guardOver(() => json(COMPLETION), { limit: { nanoUsd: 5_000 }, clampTo: "budget" })
    expect((await post(poor.fetch)).status).toBe(402)
    const { entries } = await poor.budget.usage.list()
    expect(entries).toMatchObject([{ status: "denied" }])
    expect(entries[0]!.count ?? 1).toBe(1)
  })

  it("fits limits in tokens too", async () => {
    const guard = guardOver(() => json(COMPLETION), { limit: { tokens: 100 }, clampTo: "budget" })
    expect((await post(guard.fetch)).status).toBe(200)
    expect(guard.sent[0]!.body.max_completion_tokens).toBeLessThan(100)
    const requests = guardOver(() => json(COMPLETION), { limit: { requests: 1 }, clampTo: "budget" })
    expect([(await post(requests.fetch)).status, (await post(requests.fetch)).status]).toEqual([200, 402])
  })
})

it("sends the service tier of the options where the call has none, which lowers the bound", async () => {
  const { service_tier: _, ...call } = { ...CALL, model: "gpt-5" }
  const reserved: number[] = []
  for (const options of [{}, { serviceTier: "default" }]) {
    const guard = guardOver(() => json({ ...COMPLETION, model: "gpt-5" }), options)
    expect((await post(guard.fetch, call)).status).toBe(200)
    expect(guard.sent[0]!.body.service_tier).toBe(options.serviceTier)
    reserved.push(guard.attempts[0]!.reservedNanoUsd)
  }
  expect(reserved[1]).toBeLessThan(reserved[0]!)
})

describe("options", () => {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })

  it.each([
    [{}, "Invalid `budget`: expected a budget from `createBudget`, got undefined."],
    [{ budget, maxTokens: 5 }, "Unknown option `maxTokens`. Did you mean `maxOutputTokens`?"],
    [
      { budget, user: "ada" },
      "Unknown option `user`. It is part of the subject: `subject: { userId, clientId, tags }`.",
    ],
    [
      { budget, userId: "ada" },
      "Unknown option `userId`. It is part of the subject: `subject: { userId, clientId, tags }`.",
    ],
    [
      { budget, limits: [] },
      "Unknown option `limits`. Limits belong to the budget: `createBudget({ store, limits })`.",
    ],
    [{ budget, clampTo: "max" }, 'Invalid `clampTo`: expected one of "maxOutputTokens", "budget", got "max".'],
    [{ budget, clampTo: "maxOutputTokens" }, "Invalid `maxOutputTokens`"],
    [
      { budget, unknownEndpoints: "allow" },
      'Invalid `unknownEndpoints`: expected one of "reject", "pass", got "allow".',
    ],
    [{ budget, charge: { abort: "half" } }, "Invalid `charge.abort`"],
    [{ budget, charge: { aborted: "bound" } }, "Unknown option `charge.aborted`. Did you mean `abort`?"],
    [{ budget, charge: { unbilledStatuses: [200] } }, "Invalid `charge.unbilledStatuses`"],
    [{ budget, wait: { timeout: 5 } }, "Unknown option `wait.timeout`. Did you mean `timeoutMs`?"],
    [{ budget, maxOutputTokens: 0 }, "Invalid `maxOutputTokens`: expected a positive integer, got 0."],
    [{ budget, bodyIdleMs: 1.5 }, "Invalid `bodyIdleMs`: expected a positive integer, got 1.5."],
    [{ budget, serviceTier: 5 }, 'Invalid `serviceTier`: expected a string in lower case, such as "default", got 5.'],
    [{ budget, fetch: "x" }, 'Invalid `fetch`: expected a function, got "x".'],
    [{ budget, subject: { user: "ada" } }, "Unknown option `subject.user`. Did you mean `userId`?"],
  ])("are checked (%#)", (options, message) => {
    expect(() => guardFetch(options as never)).toThrow(message)
  })

  it("uses the fetch that was global when the guard was created, so that it can replace it", async () => {
    const calls: string[] = []
    vi.stubGlobal("fetch", async (url: string) => {
      calls.push(url)
      return json(COMPLETION)
    })
    try {
      globalThis.fetch = guardFetch({ budget })
      expect((await post(globalThis.fetch)).status).toBe(200)
      expect(calls).toEqual([CHAT_URL])
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it("ignores an exception of `onAttempt`", async () => {
    const onAttempt = () => {
      throw new Error("no")
    }
    expect((await post(guardOver(() => json(COMPLETION), { onAttempt }).fetch)).status).toBe(200)
  })
})

describe("budgetErrorFrom", () => {
  it("finds the original error in a response's body and headers", async () => {
    const guard = guardOver(() => json({}), { limit: "0.00001" })
    const response = await post(guard.fetch)
    const body = await response.json()
    const found = budgetErrorFrom({ error: body })
    expect(found?.code).toBe("budget-exceeded")
    expect(budgetErrorFrom({ headers: response.headers })).toBe(found)
    expect(
      budgetErrorFrom(new Error("wrapped", { cause: { responseHeaders: Object.fromEntries(response.headers) } })),
    ).toBe(found)
  })
})
