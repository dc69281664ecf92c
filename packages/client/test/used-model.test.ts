import { type MockServer, startMockServer } from "@p2/local-provider"
import { afterAll, beforeAll, expect, test } from "vitest"
import { openClient } from "./open-client"

let server: MockServer
beforeAll(async () => {
  server = await startMockServer()
})
afterAll(() => server.close())

// 1,000 input and 100 output tokens: $0.15 and $0.60 per million for the mini model, $2.50 and $10 for the large one.
test.each([
  ["gpt-4o-mini-2024-07-18", 1_000 * 150 + 100 * 600],
  ["gpt-4o-2024-08-06", 1_000 * 2_500 + 100 * 10_000],
  ["a-model-without-a-price", 1_000 * 150 + 100 * 600],
])("an answer of %s is charged at the higher of its price and that of the called model", async (model, costNanoUsd) => {
  server.answer(({ sendJson }) =>
    sendJson(200, {
      model,
      choices: [{ index: 0, message: { content: "Hello" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 1_000, completion_tokens: 100 },
    }),
  )
  const request = { model: "openai/gpt-4o-mini", maxTokens: 100, retries: 0, repairs: 0 }
  const result = await openClient<unknown>(server, request as object).generate()
  expect(result.receipt.attempts).toMatchObject([{ costNanoUsd, costSource: "table" }])
})
