import { createBudget, memoryStore } from "@p2/budget"
import { withBudget } from "@p2/guard"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { type Run, type RunReceipt, tool } from "../src/index"
import { openClient, Person } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  provider.faults.clear()
  provider.received.length = 0
  provider.ledger.clear()
})
afterAll(() => provider.close())

const billed = () => provider.ledger.calls.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0)

/** The receipt counts every call of the provider once. */
function expectExact(receipt: RunReceipt) {
  expect(receipt.costNanoUsd).toBe(billed())
  expect(receipt.remainingNanoUsd).toBe(receipt.maxBudgetNanoUsd - billed())
  const ids = receipt.requests.map(({ requestId }) => requestId)
  expect(new Set(ids).size).toBe(ids.length)
}

describe("a run", () => {
  test("sums its calls, streams and forks in one receipt", async () => {
    const client = openClient(provider, { maxTokens: 300 })
    const run = client.run({ maxBudget: "0.50" })
    const draft = await run.generateResponse()
    const stream = run.stream()
    for await (const _ of stream);
    const fork = run.fork({ model: "openai/gpt-4.1-nano", messages: [{ role: "user", content: draft }] })
    const review = await fork.generate()
    expect(review.receipt.attempts).toMatchObject([{ model: "openai/gpt-4.1-nano" }])
    provider.faults.next({ status: 400 })
    expect((await run.generate()).ok).toBe(false)
    const receipt = run.receipt()
    expect(receipt.requests).toHaveLength(4)
    expect(receipt).toMatchObject({
      runId: run.id,
      maxBudgetNanoUsd: 500_000_000,
      costSource: "table",
      settlement: "settled",
    })
    expect(receipt.usage.inputTokens).toBe(provider.ledger.calls.reduce((sum, each) => sum + each.promptTokens, 0))
    expectExact(receipt)
    expect(fork.receipt()).toEqual(receipt)
    // Calls of the client itself are not part of the run.
    await client.generate()
    expect(run.receipt().requests).toHaveLength(4)
  })

  test("continues the conversation of the client; a fork begins with a copy, or with other messages", async () => {
    const client = openClient(provider)
    const run = client.run({ maxBudget: 1 })
    await run.generate()
    expect(client.msg.getMessages().map(({ role }) => role)).toEqual(["user", "assistant"])
    const copy = run.fork()
    copy.msg.addMessageUser("And his aunt?")
    await copy.generate()
    expect(copy.msg.getMessages()).toHaveLength(4)
    const other = run.fork({ messages: [{ role: "user", content: "Hi" }] })
    expect(other.msg.getMessages()).toEqual([{ role: "user", content: "Hi" }])
    expect(client.msg.getMessages()).toHaveLength(2)
  })

  test("a fork of a fork keeps its model and its schema", async () => {
    const run = openClient(provider).run({ maxBudget: 1 })
    const fork = run.fork({ model: "openai/gpt-4.1-nano", answerModel: Person }).fork({ maxTokens: 400 })
    const person = await fork.generateResponse()
    expect(person.name).toEqual(expect.any(String))
    expect(provider.received[0]!.body).toMatchObject({ model: "gpt-4.1-nano", max_completion_tokens: 400 })
  })

  test("denies a call that its budget does not cover, in addition to the limits of the user", async () => {
    const client = openClient(provider, { maxTokens: 500, userId: "ada", userBudget: "0.01" })
    const run = client.run({ maxBudget: "0.0006" })
    const results = [await run.generate(), await run.generate(), await run.generate()]
    for (let round = 0; round < 20 && results.at(-1)!.ok; round++) results.push(await run.generate())
    const denied = results.at(-1)!
    expect(denied).toMatchObject({
      ok: false,
      error: { code: "budget-exceeded", scope: { child: run.id }, limit: 0.0006 },
    })
    expect(run.receipt().costNanoUsd).toBeLessThanOrEqual(600_000)
    expect((await client.generate()).ok).toBe(true)
    const small = client.run({ maxBudget: 5 })
    for (let round = 0; round < 200; round++) if (!(await small.generate()).ok) break
    expect(await small.generate()).toMatchObject({ ok: false, error: { scope: "user" } })
  })

  test("shows its limit among the scopes of getBudgetInfo()", async () => {
    const run = openClient(provider, { maxTokens: 500, userId: "ada" }).run({ maxBudget: "0.50" })
    await run.generate()
    const { scopes } = await run.getBudgetInfo()
    expect(scopes).toMatchObject([
      { scope: "user", limit: null },
      { scope: "child", limit: 0.5, spentNanoUsd: billed() },
    ])
  })

  test("64 forks at the same time cannot overspend it", async () => {
    const run = openClient(provider, { maxTokens: 500 }).run({ maxBudget: "0.003" })
    const forks = Array.from({ length: 64 }, () => run.fork({ messages: [{ role: "user", content: "Hi" }] }))
    const results = await Promise.all(forks.map((fork) => fork.generate()))
    expect(results.filter(({ ok }) => ok).length).toBeGreaterThan(3)
    expect(results.filter(({ ok }) => !ok).length).toBeGreaterThan(3)
    const receipt = await run.finish()
    expect(receipt.requests).toHaveLength(64)
    expect(receipt.costNanoUsd).toBeLessThanOrEqual(3_000_000)
    expectExact(receipt)
  })

  test("pays for tools too", async () => {
    const search = tool({ execute: () => "result", cost: "0.01" })
    const client = openClient(provider)
    const fork = client.run({ maxBudget: "0.015" }).fork({}, { tools: { search }, maxSteps: 3 })
    const first = await fork.generate()
    if (!first.ok) throw first.error
    expect(first.toolResults).toMatchObject([{ status: "succeeded" }])
    fork.msg.addMessageUser("Again.")
    const second = await fork.generate()
    if (!second.ok) throw second.error
    expect(second.toolResults).toMatchObject([{ status: "denied", error: { scope: { child: fork.id } } }])
    expect(fork.receipt().costNanoUsd).toBe(billed() + 10_000_000)
  })

  test("limits a batch, which stops at the denial", async () => {
    const run = openClient(provider, { maxTokens: 500 }).run({ maxBudget: "0.001" })
    const results = await run.map(Array(30).fill("Hi"), { concurrency: 2 })
    expect(results.filter(({ status }) => status === "answered").length).toBeGreaterThan(3)
    expect(results.at(-1)).toMatchObject({ status: "skipped", reason: "denied" })
    const receipt = await run.finish()
    expect(receipt.costNanoUsd).toBeLessThanOrEqual(1_000_000)
    expectExact(receipt)
  })

  test("that is finished rejects further calls, and waits for those that are running", async () => {
    const run = openClient(provider).run({ maxBudget: 1 })
    const child = run.child({ maxBudget: "0.10" })
    provider.faults.next({ delayMs: 30 })
    const running = run.generate()
    const receipt = await run.finish()
    expect(receipt.requests).toHaveLength(1)
    expectExact(receipt)
    expect((await running).ok).toBe(true)
    const finished = { code: "run-finished", kind: "usage" }
    child.msg.addMessageUser("Hi")
    await expect(run.generate()).rejects.toMatchObject(finished)
    await expect(child.generate()).rejects.toMatchObject(finished)
    expect(() => run.stream()).toThrow(expect.objectContaining(finished))
    expect(() => run.fork()).toThrow(expect.objectContaining(finished))
    expect(() => run.child({ maxBudget: 1 })).toThrow(expect.objectContaining(finished))
    expect(provider.received).toHaveLength(1)
    await run[Symbol.asyncDispose]()
  })

  test("ends with its client", async () => {
    const client = openClient(provider)
    const run = client.run({ maxBudget: 1 })
    provider.faults.next({ delayMs: 30 })
    const running = run.fork().generate()
    await client.close()
    expect(run.receipt().requests).toHaveLength(1)
    expect((await running).ok).toBe(true)
    await expect(run.generate()).rejects.toMatchObject({ code: "client-closed" })
    expect(() => client.run({ maxBudget: 1 })).toThrow(expect.objectContaining({ code: "client-closed" }))
  })
})

describe("a child", () => {
  test("spends its own budget inside those of its parents, to any depth", async () => {
    const run = openClient(provider, { maxTokens: 100 }).run({ maxBudget: "0.01" })
    const work = async (parent: Run, depth: number): Promise<void> => {
      const child = parent.child({ maxBudget: "0.005" })
      child.msg.addMessageUser(`Depth ${depth}`)
      await child.generate()
      if (depth < 3) await Promise.all([work(child, depth + 1), work(child, depth + 1)])
      expect(child.receipt().requests).toHaveLength(2 ** (4 - depth) - 1)
    }
    await work(run, 1)
    const receipt = await run.finish()
    expect(receipt.requests).toHaveLength(7)
    expectExact(receipt)
  })

  test("is denied by its own limit and by that of its parent", async () => {
    const run = openClient(provider, { maxTokens: 500 }).run({ maxBudget: "0.0004" })
    const child = run.child({ maxBudget: "0.0001" })
    child.msg.addMessageUser("Hi")
    expect(await child.generate()).toMatchObject({ ok: false, error: { scope: { child: child.id } } })
    const large = run.child({ maxBudget: 1 })
    large.msg.addMessageUser("Hi")
    for (let round = 0; round < 20; round++) if (!(await large.generate()).ok) break
    expect(await large.generate()).toMatchObject({ ok: false, error: { scope: { child: run.id } } })
    expect(large.id).not.toBe(run.id)
  })
})

describe("across clients", () => {
  test("withBudget limits the calls of several clients and runs together", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [] })
    const one = openClient(provider, { maxTokens: 500 }, { budget })
    const two = openClient(provider, { maxTokens: 500, model: "openai/gpt-4.1-nano" }, { budget })
    const results = await withBudget({ limit: { requests: 2 } }, async () => [
      await one.run({ maxBudget: 1 }).generate(),
      await two.generate(),
      await one.generate(),
    ])
    expect(results.map(({ ok }) => ok)).toEqual([true, true, false])
    expect((await one.generate()).ok).toBe(true)
  })
})

test("invalid arguments are usage errors", () => {
  const client = openClient(provider)
  for (const maxBudget of [undefined, null, "", "much", -1, Number.NaN, {}])
    expect(() => client.run({ maxBudget: maxBudget as number })).toThrow(
      /Invalid `maxBudget`: expected a dollar amount/,
    )
  for (const options of [undefined, "0.50"])
    expect(() => client.run(options as never)).toThrow('expected an object such as { maxBudget: "0.50" }, got')
  expect(() => client.run({ maxBudgets: 1 } as never)).toThrow("Unknown option `maxBudgets`. Did you mean `maxBudget`?")
  const run = client.run({ maxBudget: 1 })
  expect(() => run.fork({ userId: "eve" } as never)).toThrow("A fork cannot change `userId`")
  expect(() => run.fork({ model: "openai/none" })).toThrow(expect.objectContaining({ code: "unknown-model" }))
})
