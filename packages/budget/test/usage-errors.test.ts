import { expect, it } from "vitest"
import { createBudget, memoryStore } from "../src"
import { redisStore } from "../src/redis"
import { createStore } from "../src/store"
import { reserved } from "./budget-world"

const subject = { userId: "ada" }
const createUserBudget = () =>
  createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: "1.00", per: "day" }] })

it.each([
  [
    "wait as milliseconds",
    { amount: 1, wait: 5_000 },
    "Invalid `wait`: expected an object such as { timeoutMs: 5000 }",
  ],
  ["wait as a switch", { amount: 1, wait: true }, "Invalid `wait`: expected an object such as { timeoutMs: 5000 }"],
  ["nano-USD as a number", { amount: 50_000_000 }, "(nano-USD are written { nanoUsd }), got 50000000."],
  ["an amount without await", { amount: Promise.resolve(1) }, "got a promise (is an `await` missing?)"],
  ["tokens by direction", { amount: { inputTokens: 9 } }, "`costOf` and `upperBound` of @p2/pricing return amounts"],
])("reserve: %s", async (_what, options, message) => {
  await expect(createUserBudget().reserve({ subject, ...options } as never)).rejects.toThrow(message)
})

it("a store without await", () => {
  expect(() => createBudget({ store: Promise.resolve(memoryStore()), limits: [] } as never)).toThrow(
    "Invalid `store`: expected a budget store, such as memoryStore(), got a promise (is an `await` missing?).",
  )
})

it("settle with a usage names the function that prices it", async () => {
  const reservation = await reserved(createUserBudget(), { subject, amount: "0.50" })
  await expect(reservation.settle({ inputTokens: 9, outputTokens: 1 } as never)).rejects.toThrow("`costOf`")
})

it("run without options, and with a function that returns no cost", async () => {
  const budget = createUserBudget()
  await expect(budget.run((() => {}) as never, undefined as never)).rejects.toThrow(
    "Invalid `call`: expected a function that makes the call, after the options",
  )
  await expect(budget.run({ subject, amount: "0.25" }, (async () => "answer") as never)).rejects.toThrow(
    'Invalid `cost`: expected that `call` resolves to { value, cost }, got "answer".',
  )
  expect((await budget.status(subject))[0]).toMatchObject({ spent: 0.25, reserved: 0 })
})

it("fields of the filter next to it", async () => {
  const { usage } = createUserBudget()
  await expect(usage.list({ since: new Date() } as never)).rejects.toThrow("Did you mean `filter: { from }`?")
  await expect(usage.totals({ userId: "ada" } as never)).rejects.toThrow("`filter: { from, to, userId, … }`")
})

it("an address in place of a client, and a storage without members", () => {
  for (const name of ["url", "host", "connectionString"])
    expect(() => redisStore({ [name]: "redis://localhost" } as never)).toThrow("`client: new Redis(url)`")
  expect(() => redisStore("redis://localhost" as never)).toThrow(
    "expected an object such as { client: new Redis(url) }",
  )
  expect(() => createStore({} as never)).toThrow("Invalid `storage`: expected an object with the members of `Storage`")
})
