import OpenAI from "openai"
import { expect, test } from "vitest"
import { DONE, eventText, refusedURL, startMockServer, startSilentServer } from "../src/index"

const model = "gpt-4o-mini"
const messages = [{ role: "user" as const, content: "Hello" }]

test("a mock server answers as the test says and keeps the bodies", async () => {
  await using server = await startMockServer()
  const openai = new OpenAI({ baseURL: server.baseURL, apiKey: "k", maxRetries: 0 })
  const create = (content: string) => openai.chat.completions.create({ model, messages: [{ role: "user", content }] })
  await expect(create("a")).rejects.toMatchObject({ status: 501 })
  server.answer(({ sendJson }) => sendJson(200, { choices: [{ message: { content: "Hi" } }] }))
  expect((await create("b")).choices[0]?.message.content).toBe("Hi")
  expect(server.bodies).toEqual([{ model, messages: [{ role: "user", content: "b" }] }])
  expect(() => server.answer({ choices: [] } as never)).toThrow("expected a function, such as ({ sendJson }) =>")
})

test("a mock server sends events", async () => {
  await using server = await startMockServer()
  server.answer(({ sendEvents }) =>
    sendEvents({ choices: [{ index: 0, delta: { content: "H" } }] }, eventText({ choices: [] }), DONE),
  )
  const openai = new OpenAI({ baseURL: server.baseURL, apiKey: "k", maxRetries: 0 })
  const chunks = []
  for await (const { choices } of await openai.chat.completions.create({ model, messages, stream: true }))
    chunks.push(choices[0]?.delta.content)
  expect(chunks).toEqual(["H", undefined])
})

test("a silent server accepts a connection and never answers", async () => {
  await using silent = await startSilentServer()
  const answered = fetch(silent.baseURL, { signal: AbortSignal.timeout(100) })
  await expect(answered).rejects.toMatchObject({ name: "TimeoutError" })
})

test("connections to a refused URL are refused", async () => {
  await expect(fetch(await refusedURL())).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } })
})
