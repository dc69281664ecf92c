import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createBudget, memoryStore, StoreError } from "@p2/budget"
import type { ReserveRequest } from "@p2/budget/store"
import { formatUsd } from "@p2/core"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest"
import { LLMClient } from "../src/index"
import { openClient, Person } from "./open-client"
import { overrideStore } from "./override-store"

let provider: LocalProvider
const folder = mkdtempSync(join(tmpdir(), "p2-client-"))
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => provider.faults.clear())
afterAll(async () => {
  await provider.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A client with these options, and defaults for all others. */
function plainClient(request: object, options: object = {}) {
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", ...request },
    { baseURL: provider.baseURL, apiKey: "local", ...options },
  )
  client.msg.addMessageUser("Hello")
  return client
}

test("a file keeps the statistics of one client for the next", async () => {
  const store = `file:${join(folder, "p2.db")}`
  const first = plainClient({ userId: "u", userBudget: "1" }, { store })
  const { receipt } = await first.generate()
  expect(receipt).toMatchObject({ settlement: "settled" })
  await first.close()
  const second = plainClient({ userId: "u", userBudget: "1" }, { store })
  expect(await second.usageTracker.getUsageStats()).toMatchObject({
    totalRequests: 1,
    totalCostNanoUsd: receipt.costNanoUsd,
  })
  expect((await second.getBudgetInfo()).scopes).toMatchObject([{ scope: "user", spentNanoUsd: receipt.costNanoUsd }])
  await second.close()
})

test("clients share a store by its address, and the last one closes it", async () => {
  const store = `file:${join(folder, "shared.db")}`
  const clients = Array.from({ length: 10 }, () => plainClient({ userId: "u" }, { store }))
  await Promise.all(clients.map((client) => client.generate()))
  await Promise.all(clients.slice(1).map((client) => client.close()))
  expect(await clients[0]?.usageTracker.getUsageStats()).toMatchObject({ totalRequests: 10 })
  await clients[0]?.close()
})

/** Holds a SQLite file's lock for some time in another process. Resolves when the lock is held. */
async function lockFile(path: string, ms: number): Promise<{ ended: Promise<unknown> }> {
  const program = `
    const { createRequire } = require("node:module")
    const open = () => {
      try {
        return new (require("node:sqlite").DatabaseSync)(${JSON.stringify(path)})
      } catch {
        return new (createRequire(${JSON.stringify(join(import.meta.dirname, "../../budget-sqlite/package.json"))})("libsql"))(${JSON.stringify(path)})
      }
    }
    const database = open()
    database.exec("BEGIN IMMEDIATE")
    console.log("locked")
    setTimeout(() => { database.exec("COMMIT"); database.close() }, ${ms})`
  const child = spawn(process.execPath, ["--no-warnings", "-e", program], { stdio: ["ignore", "pipe", "inherit"] })
  const ended = once(child, "exit")
  await once(child.stdout, "data")
  return { ended }
}

test("another process that locks the file for 700 ms fails no call", async () => {
  const path = join(folder, "locked.db")
  const store = `file:${path}`
  const client = plainClient({ userId: "u", userBudget: "1", retries: 0, repairs: 0 }, { store })
  expect((await client.generate()).ok).toBe(true)
  for (const calls of [1, 10]) {
    const { ended } = await lockFile(path, 700)
    const results = await Promise.all(Array.from({ length: calls }, () => client.generate()))
    expect(results.filter(({ ok }) => !ok)).toEqual([])
    expect(results.every(({ receipt }) => receipt.settlement === "settled")).toBe(true)
    await ended
  }
  expect(await client.usageTracker.getUsageStats()).toMatchObject({ totalRequests: 12, successfulRequests: 12 })
  await client.close()
})

test("without a store the clients of a process share one, so a user's limit holds over all of them", async () => {
  // Other test files in this process may have been warned.
  Reflect.deleteProperty(globalThis, Symbol.for("@p2/client/warned-stores"))
  const userId = crypto.randomUUID()
  const logger = { warn: vi.fn() }
  const request = { userId, maxTokens: 100 }
  const probe = plainClient(request)
  const bound = (await probe.getBudgetInfo()).upperBoundCostNanoUsd
  let answer = () => {}
  provider.faults.always({ until: new Promise<void>((resolve) => (answer = resolve)) })
  const calls = Array.from({ length: 8 }, () =>
    plainClient({ ...request, userBudget: formatUsd(bound * 3) }, { logger }).generate(),
  )
  // The first ones end when the last ones have been denied.
  let denied = 0
  for (const call of calls) void call.then(({ ok }) => !ok && denied++)
  await vi.waitFor(() => expect(denied).toBe(5), 60_000)
  answer()
  const results = await Promise.all(calls)
  expect(results.filter(({ ok }) => ok)).toHaveLength(3)
  expect(results.filter((result) => !result.ok && result.error.code === "budget-exceeded")).toHaveLength(5)
  const warnings = logger.warn.mock.calls.filter(([message]) => /store "memory"/.test(message))
  expect(warnings).toHaveLength(1)
})

test("a call does not wait for the check of the store's durability", async () => {
  const memory = memoryStore()
  const store = overrideStore(memory, { name: "silent", capabilities: { ...memory.capabilities, shared: true } })
  const check = vi.fn(() => new Promise<never>(() => {}))
  const budget = { ...createBudget({ store, limits: [] }), check }
  const client = openClient(provider, { userId: "u", userBudget: "1" }, { budget })
  expect((await client.generate()).ok).toBe(true)
  expect(check).toHaveBeenCalledTimes(1)
  await client.close()
})

test("printed usage lists the attempts, without a key or content", async () => {
  const client = openClient(provider, { answerModel: Person, maxBudget: "0.05" })
  const print = vi.spyOn(console, "log").mockImplementation(() => {})
  client.printUsageInfo()
  provider.faults.next({ wrongShape: true })
  await client.generate()
  client.printUsageInfo()
  const [before, after] = print.mock.calls.map(([text]) => String(text))
  print.mockRestore()
  expect(before).toBe("No call has been made yet.")
  const columns = after!.split("\n").filter((line) => /^(Model|Time|Input tokens|Cost) /.test(line))
  expect(new Set(columns.map((line) => /^\S.*? {2,}(?=\S)/.exec(line)?.[0].length)).size).toBe(1)
  expect(after).toMatch(/1\. {2}first .*invalid-answer/)
  expect(after).toMatch(/2\. {2}repair .*succeeded/)
  expect(after).not.toMatch(/Copperfield|local/)
  expect(after).not.toContain("\x1b")
})

test("`await using` closes a client, which waits for running calls", async () => {
  provider.faults.next({ delayMs: 50 })
  let ended = false
  {
    await using client = plainClient({})
    client.generate().then(() => {
      ended = true
    })
  }
  expect(ended).toBe(true)
})

/** A store whose reserves wait for `proceed`. */
function slowStore(after: () => void = () => {}) {
  const inner = memoryStore()
  const requests: ReserveRequest[] = []
  let proceed = () => {}
  const gate = new Promise<void>((resolve) => {
    proceed = resolve
  })
  const reserve = async (request: ReserveRequest) => {
    requests.push(request)
    await gate
    const reply = await inner.reserve(request)
    after()
    return reply
  }
  const reserved = async () => {
    const [{ partition, counters }] = requests as [ReserveRequest]
    const read = await inner.read({ partition, counters: counters.map(({ name }) => name) })
    return read.counters.map((counter) => counter.reserved)
  }
  return { store: overrideStore(inner, { reserve }), proceed, reserved }
}

test("close() waits until a reservation that arrived after its call ended is released", async () => {
  const { store, proceed, reserved } = slowStore()
  const client = plainClient({ userId: "u", timeoutMs: 1 }, { store })
  const { receipt } = await client.generate()
  expect(receipt.attempts).toMatchObject([{ status: "released", errorCode: "deadline-exceeded" }])
  const closing = client.close()
  proceed()
  await closing
  expect(await reserved()).toEqual([0])
  const entries = await store.ledger!.get({ partition: "main", requestId: receipt.requestId })
  expect(entries).toMatchObject([{ status: "released", costNanoUsd: 0 }])
})

test("close() during a call that waits for the store leaves nothing reserved", async () => {
  const { store, proceed, reserved } = slowStore()
  const client = plainClient({ userId: "u", timeoutMs: 1 }, { store })
  const generating = client.generate()
  const closing = client.close()
  expect((await generating).ok).toBe(false)
  proceed()
  await closing
  expect(await reserved()).toEqual([0])
})

test("close() releases a late reservation whose reply was lost", async () => {
  const { store, proceed, reserved } = slowStore(() => {
    throw new StoreError("The reply was lost.", { code: "store-unavailable", applied: "maybe" })
  })
  const client = plainClient({ userId: "u", timeoutMs: 1 }, { store })
  await client.generate()
  const closing = client.close()
  proceed()
  await closing
  expect(await reserved()).toEqual([0])
})

test.each(["memory", "file"])("a request that the store denies is counted in the ledger (%s store)", async (kind) => {
  const store = kind === "memory" ? memoryStore() : `file:${join(folder, "denied.db")}`
  const request = { userId: "u", maxTokens: 100, retries: 0 }
  const bound = (await plainClient(request).getBudgetInfo()).upperBoundCostNanoUsd
  const client = plainClient({ ...request, userBudget: formatUsd(bound) }, { store, logger: {} })
  expect((await client.generate()).ok).toBe(true)
  const denial = { ok: false, error: { code: "budget-exceeded", scope: "user" } }
  expect(await client.generate()).toMatchObject(denial)
  const counts = { totalRequests: 2, successfulRequests: 1, attempts: 2, deniedRequests: 1, expiredAttempts: 0 }
  expect(await client.usageTracker.getUsageStats()).toMatchObject(counts)
  await expect(client.stream().result).rejects.toMatchObject(denial.error)
  // Further denials in the same minute are counted in the same entry, which `close` writes.
  await client.close()
  const reader = plainClient({ userId: "u" }, { store })
  const stats = await reader.usageTracker.getUsageStats()
  expect(stats).toMatchObject({ ...counts, totalRequests: 3, attempts: 3, deniedRequests: 2 })
  expect(stats.totalCostNanoUsd).toBe((await reader.getBudgetInfo()).scopes[0]?.spentNanoUsd)
  await reader.close()
})
