import { type BudgetStore, createBudget, memoryStore, StoreError } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest"
import { z } from "zod"
import { LLMClient, type LLMClientOptions, type MapProgress, tool } from "../src/index"
import { instantClock } from "./open-client"
import { overrideStore } from "./override-store"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  provider.faults.clear()
  provider.received.length = 0
})
afterAll(() => provider.close())

const Label = z.object({ label: z.string() })
const TEXTS = Array.from({ length: 20 }, (_, index) => `document ${index}.`)
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)

function openClassifier(options: LLMClientOptions = {}, request: object = {}) {
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", answerModel: Label, maxTokens: 60, ...request },
    {
      baseURL: provider.baseURL,
      apiKey: "local",
      logger: {},
      clock: instantClock,
      ...(options.budget === undefined ? { store: memoryStore() } : {}),
      ...options,
    },
  )
  client.msg.addMessageSystem("Classify the document.")
  return client
}

/** Answers each document with its own number. */
function answerWithNumber() {
  for (const index of TEXTS.keys()) {
    const marker = `document ${index}.`
    const matches = ({ body }: { body: Record<string, unknown> }) => JSON.stringify(body.messages).includes(marker)
    provider.faults.always({ answer: JSON.stringify({ label: `${index}` }) }, matches)
  }
}

async function boundOf(request: object = {}): Promise<number> {
  const client = openClassifier({}, request)
  client.msg.addMessageUser(TEXTS[19]!)
  return (await client.getBudgetInfo()).upperBoundCostNanoUsd
}

test("map answers every item in order, with progress, and leaves the conversation as it is", async () => {
  answerWithNumber()
  const client = openClassifier()
  const progress: MapProgress[] = []
  const results = await client.map(TEXTS, { concurrency: 4, onProgress: (each) => progress.push(each) })
  expect(results.map((result) => (result.status === "answered" ? result.answer.label : result.status))).toEqual(
    TEXTS.map((_, index) => `${index}`),
  )
  expect(client.msg.getMessages()).toHaveLength(1)
  const last = progress.at(-1)!
  const costNanoUsd = sum(results.map((result) => (result.status === "answered" ? result.receipt.costNanoUsd : 0)))
  expect(last).toMatchObject({ total: 20, done: 20, answered: 20, running: 0, costNanoUsd })
  // One of the four has just ended.
  expect(Math.max(...progress.map(({ running }) => running))).toBe(3)
  expect(progress.map(({ done }) => done)).toEqual([...Array(21).keys()])
  expect(costNanoUsd).toBe(sum(provider.ledger.calls.slice(-20).map(({ nanoUsd }) => nanoUsd)))
})

test("map takes any items with `prompt`, and turns objects into YAML without it", async () => {
  const client = openClassifier()
  await client.map([{ id: 7 }], { prompt: ({ id }, index) => `Number ${id} at ${index}` })
  await client.map([{ id: 7 }])
  await client.map(new Set(["one"]), { prompt: (item) => [{ role: "user", content: `The ${item}` }] })
  const contents = provider.received.map(({ body }) => (body.messages as { content: string }[]).at(-1)!.content)
  expect(contents).toEqual(["Number 7 at 0", "id: 7", "The one"])
})

test("one maxBudget covers all items; map stops at the first denial that waiting cannot resolve", async () => {
  answerWithNumber()
  const bound = await boundOf()
  const budget = createBudget({ store: memoryStore(), limits: [] })
  const client = openClassifier({ budget })
  const results = await client.map(TEXTS, { concurrency: 4, maxBudget: (bound * 1.5) / 1e9 })
  const statuses = results.map(({ status }) => status)
  const answered = results.flatMap((result) => (result.status === "answered" ? [result.receipt] : []))
  expect(answered.length).toBeGreaterThan(1)
  expect(sum(answered.map(({ costNanoUsd }) => costNanoUsd))).toBeLessThanOrEqual(bound * 1.5)
  const failed = results.filter((result) => result.status === "failed")
  expect(failed.length).toBeGreaterThan(0)
  for (const { error } of failed)
    expect(error).toMatchObject({ code: "budget-exceeded", scope: { child: expect.any(String) } })
  expect(statuses.at(-1)).toBe("skipped")
  expect(results.at(-1)).toEqual({ index: 19, status: "skipped", reason: "denied" })
  expect(provider.received).toHaveLength(answered.length)
})

test("a denial of one item by its own maxBudget, or by the context window, does not stop the others", async () => {
  const client = openClassifier({}, { maxBudget: (await boundOf()) / 1e9, model: "openai/gpt-4o-mini" })
  const results = await client.map(["short", "long ".repeat(2_000), "short", "x ".repeat(300_000)])
  expect(results.map((result) => (result.status === "failed" ? result.error.code : result.status))).toEqual([
    "answered",
    "budget-exceeded",
    "answered",
    "context-exceeded",
  ])
})

test("map waits by default for budget that its own calls have reserved", async () => {
  answerWithNumber()
  const bound = await boundOf()
  const limits = [{ scope: "total", limit: { nanoUsd: bound * 30 } }] as const
  const budget = createBudget({ store: memoryStore(), limits })
  provider.faults.always({ delayMs: 5 })
  const results = await openClassifier({ budget }, { maxTokens: 1_000 }).map(TEXTS, { concurrency: 20 })
  expect(results.map(({ status }) => status)).not.toContain("failed")
  // Without a wait, the batch also repeats calls that were denied while others had reserved the budget.
  const again = await openClassifier(
    { budget: createBudget({ store: memoryStore(), limits }) },
    { maxTokens: 1_000 },
  ).map(TEXTS, { concurrency: 20, wait: { timeoutMs: 0 } })
  expect(again.map(({ status }) => status)).not.toContain("failed")
})

test("map resumes from the ledger by its idempotency key: what was answered is not paid again", async () => {
  answerWithNumber()
  const store = memoryStore()
  const idempotencyKey = "labels-1"
  const controller = new AbortController()
  const first = await openClassifier({ store }).map(TEXTS, {
    idempotencyKey,
    concurrency: 3,
    signal: controller.signal,
    onProgress: ({ answered }) => {
      if (answered === 7) controller.abort()
    },
  })
  const paid = first.filter(({ status }) => status === "answered")
  expect(paid.length).toBeGreaterThanOrEqual(7)
  expect(first.at(-1)).toEqual({ index: 19, status: "skipped", reason: "aborted" })
  provider.received.length = 0
  const progress: MapProgress[] = []
  // The order and the number of the items may differ.
  const items = [...TEXTS].reverse()
  const second = await openClassifier({ store }).map(items, {
    idempotencyKey,
    onProgress: (each) => progress.push(each),
  })
  expect(
    second.map((result) => (result.status === "resumed" || result.status === "answered" ? result.answer.label : "")),
  ).toEqual([...TEXTS.keys()].reverse().map(String))
  expect(second.filter(({ status }) => status === "resumed")).toHaveLength(paid.length)
  expect(provider.received).toHaveLength(20 - paid.length)
  expect(progress[0]).toMatchObject({ resumed: paid.length, done: paid.length })
  provider.received.length = 0
  // An item with other content, or of another model, user or key, is another call.
  await openClassifier({ store }).map(["document 3, changed."], { idempotencyKey })
  await openClassifier({ store }).map([TEXTS[3]!], { idempotencyKey: "labels-2" })
  await openClassifier({ store }, { model: "openai/gpt-4.1-nano" }).map([TEXTS[3]!], { idempotencyKey })
  await openClassifier({ store }, { userId: "eve" }).map([TEXTS[3]!], { idempotencyKey })
  await openClassifier({ store }, { system: "Be strict." }).map([TEXTS[3]!], { idempotencyKey })
  expect(provider.received).toHaveLength(5)
})

test("a resumed map counts what it spent before against its maxBudget", async () => {
  answerWithNumber()
  const store = memoryStore()
  const budget = createBudget({ store, limits: [] })
  const bound = await boundOf()
  const options = { idempotencyKey: "labels", maxBudget: (bound * 3) / 1e9, concurrency: 2 }
  const first = await openClassifier({ budget }).map(TEXTS, options)
  const received = provider.received.length
  const second = await openClassifier({ budget: createBudget({ store, limits: [] }) }).map(TEXTS, options)
  expect(provider.received).toHaveLength(received)
  expect(second.filter(({ status }) => status === "resumed")).toHaveLength(
    first.filter(({ status }) => status === "answered").length,
  )
})

test("equal items are separate calls, and each is resumed", async () => {
  const store = memoryStore()
  const options = { idempotencyKey: "same" }
  expect((await openClassifier({ store }).map(["a", "a"], options)).map(({ status }) => status)).toEqual([
    "answered",
    "answered",
  ])
  const again = await openClassifier({ store }).map(["a", "a", "a"], options)
  expect(again.map(({ status }) => status)).toEqual(["resumed", "resumed", "answered"])
})

test("items that failed are called again, under new attempts", async () => {
  const store = memoryStore()
  const options = { idempotencyKey: "failing" }
  provider.faults.next({ status: 500, billed: true })
  const failed = await openClassifier({ store }, { retries: 0 }).map(["a"], options)
  expect(failed).toMatchObject([{ status: "failed", receipt: { attempts: [{ attempt: 1 }] } }])
  const again = await openClassifier({ store }).map(["a"], options)
  expect(again).toMatchObject([{ status: "answered", receipt: { attempts: [{ attempt: 2 }] } }])
  const [first, second] = [failed[0], again[0]]
  if (first?.status !== "failed" || second?.status !== "answered") throw new Error("expected both")
  expect(second.receipt.requestId).toBe(first.receipt.requestId)
})

test("an item whose process ended is called again as soon as its lease is over", async () => {
  let now = Date.now()
  const inner = memoryStore({ now: () => now })
  const options = { idempotencyKey: "killed" }
  // The process ends while the answer is on its way: its reservation is never settled.
  const killed = overrideStore(inner, { settle: () => new Promise(() => {}) })
  void openClassifier({ store: killed }).map(["a"], options)
  await vi.waitFor(() => expect(provider.received).toHaveLength(1), 60_000)
  const early = await openClassifier({ store: inner }).map(["a"], options)
  expect(early).toMatchObject([{ status: "failed", error: { code: "reservation-held" } }])
  now += 60_000
  const resumed = await openClassifier({ store: inner }).map(["a"], options)
  expect(resumed).toMatchObject([{ status: "answered", receipt: { attempts: [{ attempt: 2 }] } }])
  expect(provider.received).toHaveLength(2)
})

test("a signal that many calls or many tools share causes no warning of a leak", async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on("warning", onWarning)
  const { signal } = new AbortController()
  const client = openClassifier({ clock: undefined })
  provider.faults.next({ status: 503 }, 20)
  await client.map(TEXTS, { concurrency: 20, signal })
  client.msg.addMessageUser(TEXTS[0]!)
  await Promise.all(TEXTS.map(() => client.generate({ signal })))
  const wait = tool({ execute: () => new Promise((resolve) => setTimeout(resolve, 20)) })
  provider.faults.next({ toolCalls: TEXTS.map(() => ({ name: "wait", arguments: {} })) })
  const run = client.run({ maxBudget: "0.10" }).fork({}, { tools: { wait }, maxSteps: 2 })
  const { receipt } = await run.generate({ signal })
  expect(receipt.toolCalls).toHaveLength(20)
  await new Promise((resolve) => setImmediate(resolve))
  process.off("warning", onWarning)
  expect(warnings).toEqual([])
})

test("an item that another process is calling is not called a second time", async () => {
  const store = memoryStore()
  const options = { idempotencyKey: "both" }
  let answer = () => {}
  provider.faults.next({ until: new Promise<void>((resolve) => (answer = resolve)) })
  const one = openClassifier({ budget: createBudget({ store, limits: [] }) }).map(["a"], options)
  await vi.waitFor(() => expect(provider.received).toHaveLength(1), 60_000)
  const other = await openClassifier({ budget: createBudget({ store, limits: [] }) }).map(["a"], options)
  answer()
  expect(other).toMatchObject([{ status: "failed", error: { code: "reservation-held" } }])
  expect(await one).toMatchObject([{ status: "answered" }])
  expect(provider.received).toHaveLength(1)
})

test("a store that fails while the batch runs fails its items, and nothing is sent for them", async () => {
  const inner = memoryStore()
  let isDown = false
  const store = overrideStore(inner, {
    reserve: (request) => (isDown ? Promise.reject(new Error("connection lost")) : inner.reserve(request)),
  })
  const results = await openClassifier({ store }).map(TEXTS, {
    concurrency: 1,
    onProgress: ({ answered }) => {
      isDown = answered === 5
    },
  })
  expect(results.filter(({ status }) => status === "answered")).toHaveLength(5)
  expect(provider.received).toHaveLength(5)
})

test("an answer that the store has not recorded yet is not paid again, and is resumed once it is recorded", async () => {
  const inner = memoryStore()
  const name = { idempotencyKey: "unrecorded" }
  let isDown = true
  const settle: BudgetStore["settle"] = (request) =>
    isDown
      ? Promise.reject(new StoreError("no connection", { code: "store-unavailable", applied: "no" }))
      : inner.settle(request)
  const own = { budget: createBudget({ store: overrideStore(inner, { settle }), limits: [] }) }
  const other = { budget: createBudget({ store: inner, limits: [] }) }
  const answered = await openClassifier(own).map(["a"], name)
  expect(answered).toMatchObject([{ status: "answered", receipt: { attempts: [{ settlement: "pending" }] } }])

  const unsent = { costNanoUsd: 0, attempts: [{ status: "released", reservedNanoUsd: 0, settlement: "none" }] }
  const again = await openClassifier(own).map(["a"], name)
  const unconfirmed = { code: "store-unavailable", applied: "no", message: expect.stringContaining("not confirmed") }
  expect(again).toMatchObject([{ status: "failed", error: unconfirmed, receipt: unsent }])
  const elsewhere = await openClassifier(other).map(["a"], name)
  expect(elsewhere).toMatchObject([{ status: "failed", error: { code: "reservation-held" }, receipt: unsent }])

  isDown = false
  expect(await own.budget.flush()).toBe(true)
  const { answer } = answered[0] as { answer: unknown }
  for (const options of [own, other])
    expect(await openClassifier(options).map(["a"], name)).toMatchObject([{ status: "resumed", answer }])
  expect(provider.received).toHaveLength(1)
})

test("usage errors of map are thrown before anything is sent", async () => {
  const client = openClassifier()
  const map = (items: unknown, options: unknown) => client.map(items as string[], options as object)
  await expect(map(7, {})).rejects.toThrow(/Invalid `items`/)
  await expect(map(["a"], (item: string) => item)).rejects.toThrow("such as { prompt: (item) => item.text }")
  await expect(map(["a"], { concurrency: 0 })).rejects.toThrow(/Invalid `options\.concurrency`/)
  await expect(map(["a"], { idempotencyKey: "" })).rejects.toThrow(/Invalid `options\.idempotencyKey`/)
  await expect(map(["a"], { maxBudget: "5$" })).rejects.toThrow(/maxBudget/)
  await expect(map(["a"], { parallel: 3 })).rejects.toThrow(/Unknown option `parallel`/)
  await expect(map(["a"], { prompt: () => [{ role: "robot", content: "" }] })).rejects.toMatchObject({
    code: "invalid-request",
  })
  expect(await client.map([])).toEqual([])
  await client.close()
  await expect(map(["a"], {})).rejects.toMatchObject({ code: "client-closed" })
  expect(provider.received).toHaveLength(0)
})

test("a callback that throws does not lose the answers", async () => {
  const throwing = () => {
    throw new Error("of the progress bar")
  }
  // A rejection that nobody handles would fail the test run.
  for (const onProgress of [throwing, async () => throwing()]) {
    const results = await openClassifier().map(["a", "b"], { onProgress })
    expect(results.map(({ status }) => status)).toEqual(["answered", "answered"])
  }
})
