import { memoryStore } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { openClient, Person } from "./open-client"
import { readPieces } from "./read-pieces"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => provider.faults.clear())
afterAll(() => provider.close())

test("partial answers grow into the validated answer, which has a receipt", async () => {
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

test("a text answer grows as text, and `result` can be awaited without a loop", async () => {
  const client = openClient(provider)
  const stream = client.stream()
  const texts: string[] = []
  for await (const text of stream) texts.push(text)
  expect((await stream.result).answer).toBe(texts.at(-1))
  expect((await client.stream().result).answer.length).toBeGreaterThan(0)
})

test("leaving the loop aborts the call, which is settled at its upper bound", async () => {
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
    reservedNanoUsd: 0,
    spentNanoUsd: (error as { receipt: { costNanoUsd: number } }).receipt.costNanoUsd,
  })
})

test("the loop throws the error of the call", async () => {
  provider.faults.always({ status: 401 })
  const client = openClient(provider)
  const read = async () => {
    for await (const text of client.stream()) expect(text).toBeDefined()
  }
  await expect(read()).rejects.toMatchObject({ code: "provider-auth" })
})

test("a slow reader skips partial answers, not the last one", async () => {
  const client = openClient(provider, { answerModel: Person })
  const stream = client.stream()
  const { answer } = await stream.result
  const partials = []
  for await (const partial of stream) partials.push(partial)
  expect(partials).toEqual([answer])
})

test("a usage error is thrown at once", () => {
  const client = openClient(provider)
  client.msg.clear()
  expect(() => client.stream()).toThrow("There are no messages to send.")
})

test("a stream can be iterated once; leaving before the first partial answer aborts the call", async () => {
  const iterated = openClient(provider).stream()
  const first = iterated[Symbol.asyncIterator]()
  expect(() => iterated[Symbol.asyncIterator]()).toThrow("A stream can be iterated only once.")
  await first.next()
  await first.return?.()
  const unread = openClient(provider).stream()
  await unread[Symbol.asyncIterator]().return?.()
  await expect(unread.result).rejects.toMatchObject({ code: "aborted" })
})

test("cancel() aborts the call with its reason", async () => {
  provider.faults.next({ chunkDelayMs: 20 })
  const stream = openClient(provider).stream()
  stream.cancel(new Error("The tab was closed."))
  await expect(stream.result).rejects.toMatchObject({ code: "aborted", cause: { message: "The tab was closed." } })
})

test("the last partial answer is the answer", async () => {
  const answer = JSON.stringify({ name: "Ada Lovelace", age: 36, interests: ["mathematics"] })
  const { partials } = await readPieces([...answer], { answerModel: Person })
  expect(partials.at(-1)).toEqual(JSON.parse(answer))
})

test("partial answers contain no reasoning", async () => {
  for (const text of [
    "<think>Charles?</think>Ada",
    "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>Ada",
  ])
    for (const partial of (await readPieces([...text])).partials) expect("Ada".startsWith(String(partial))).toBe(true)
  const { partials } = await readPieces(
    [...`<think>{"name":"Charles"}</think>{"name":"Ada","age":36,"interests":[]}`],
    {
      answerModel: Person,
    },
  )
  expect(JSON.stringify(partials)).not.toContain("Charles")
})
