import type { ServerResponse } from "node:http"
import { eventText, type MockServer, startMockServer, startSilentServer } from "@p2/local-provider"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { Deadlines } from "../../src/index"
import { openClient } from "../open-client"

let server: MockServer
beforeAll(async () => {
  server = await startMockServer()
})
afterAll(() => server.close())

async function failure(request: object, deadlines: Deadlines, baseURL = server.baseURL) {
  const result = await openClient({ baseURL }, { retries: 0, ...request }, { deadlines }).generate()
  expect(result.ok).toBe(false)
  return result
}

const chunk = (content: string) => eventText({ choices: [{ index: 0, delta: { content } }] })
const json = { "content-type": "application/json" }
const events = { "content-type": "text/event-stream" }

/** Writes `first`, then `more` every few milliseconds until the client closes the connection. */
function writeForever(response: ServerResponse, first: string, more: string): void {
  response.writeHead(200, events).write(first)
  const timer = setInterval(() => response.write(more), 10)
  response.on("close", () => clearInterval(timer))
}

test("a JSON body that stops half-way exceeds the idle deadline", async () => {
  server.answer(({ response }) => response.writeHead(200, json).write('{"choices": ['))
  expect(await failure({}, { idleMs: 100 })).toMatchObject({
    error: { code: "deadline-exceeded", deadline: "idle" },
    receipt: { costSource: "bound" },
  })
})

test("an error status whose body never ends exceeds the total deadline", async () => {
  server.answer(({ response }) => response.writeHead(500, json).write("{"))
  expect(await failure({ timeoutMs: 150 }, {})).toMatchObject({
    error: { code: "deadline-exceeded", deadline: "total" },
  })
})

test("comments and empty chunks are not content, neither before the first content nor after it", async () => {
  const noContent = `: still here\n\n${chunk("")}`
  server.answer(({ response }) => writeForever(response, ": hello\n\n", noContent))
  expect(await failure({ stream: true }, { firstContentMs: 120 })).toMatchObject({
    error: { deadline: "first-content" },
  })
  server.answer(({ response }) => writeForever(response, chunk("Hel"), noContent))
  expect(await failure({ stream: true }, { firstContentMs: 5_000, idleMs: 120 })).toMatchObject({
    error: { deadline: "idle" },
  })
})

test("an endless stream exceeds the total deadline", async () => {
  server.answer(({ response }) => writeForever(response, "", chunk("word ")))
  expect(await failure({ stream: true, timeoutMs: 250 }, { idleMs: 200 })).toMatchObject({
    error: { deadline: "total" },
  })
})

test("white space is not content, and a body that is not a completion is a provider error", async () => {
  server.answer(({ response }) => {
    response.writeHead(200, json).write("   \n")
    setTimeout(() => response.end("<html>gateway</html>"), 200)
  })
  expect(await failure({}, { idleMs: 100 })).toMatchObject({
    error: { code: "provider-error", providerCode: "not-a-completion" },
  })
})

test("a call that exceeds the connect deadline was not sent and costs nothing", async () => {
  await using silent = await startSilentServer()
  expect(await failure({}, { connectMs: 100 }, silent.baseURL)).toMatchObject({
    error: { code: "deadline-exceeded", deadline: "connect" },
    receipt: { costNanoUsd: 0, costSource: "none", attempts: [{ status: "released" }] },
  })
})
