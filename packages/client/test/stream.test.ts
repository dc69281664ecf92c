import { memoryStore } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { openClient, Person } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => provider.faults.clear())
afterAll(() => provider.close())

test("partials grow into the answer, which is validated and has the receipt", async () => {
  provider.faults.next({ chunkDelayMs: 2 })
  const client = openClient(provider, { answerModel: Person })
  const stream = client.stream()
  const partials: { name?: string | undefined; interests?: unknown[] | undefined }[] = []
  for await (const partial of stream) partials.push(partial)
  const { answer, receipt } = await stream.result
  expect(partials.length).toBeGreaterThan(2)
  for (const { name } of partials) if (name !== undefined) expect(answer.name.startsWith(name)).toBe(true)
  expect(partials.at(-1)).toEqual(answer)
  expect(receipt).toMatchObject({ costSource: "table", attempts: [{ streamed: true, status: "succeeded" }] })
  expect(receipt.attempts[0]?.timings.firstContentMs).toEqual(expect.any(Number))
  expect(provider.received.at(-1)?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } })
})

test("a text grows as text, and the result alone may be awaited", async () => {
  const client = openClient(provider)
  const stream = client.stream()
  const texts: string[] = []
  for await (const text of stream) texts.push(text)
  expect((await stream.result).answer).toBe(texts.at(-1))
  expect((await client.stream().result).answer.length).toBeGreaterThan(0)
})

test("a reader that leaves ends the call, which is settled at its bound", async () => {
  provider.faults.next({ chunkDelayMs: 20 })
  const store = memoryStore()
  const client = openClient(provider, { answerModel: Person, userId: "u", userBudget: "1" }, { store })
  const stream = client.stream()
  for await (const partial of stream) {
    expect(partial).toBeDefined()
    break
  }
  const error = await stream.result.catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: "aborted", receipt: { costSource: "bound", settlement: "settled" } })
  const [scope] = (await client.getBudgetInfo()).scopes
  expect(scope).toMatchObject({
    reserved: 0,
    spent: (error as { receipt: { costNanoUsd: number } }).receipt.costNanoUsd,
  })
})

test("the loop throws what ended the call", async () => {
  provider.faults.always({ status: 401 })
  const client = openClient(provider)
  const read = async () => {
    for await (const text of client.stream()) expect(text).toBeDefined()
  }
  await expect(read()).rejects.toMatchObject({ code: "provider-auth" })
})

test("a slow reader misses partials, not the answer, and holds nobody up", async () => {
  const client = openClient(provider, { answerModel: Person })
  const stream = client.stream()
  const { answer } = await stream.result
  const partials = []
  for await (const partial of stream) partials.push(partial)
  expect(partials).toEqual([answer])
})

test("a mistake is thrown at once, before anything is awaited", () => {
  const client = openClient(provider)
  client.msg.clear()
  expect(() => client.stream()).toThrow(/Expected a message/)
})
