import { type BudgetStore, createBudget } from "@p2/budget"
import { redisStore } from "@p2/budget/redis"
import { sqliteStore } from "@p2/budget-sqlite"
import { decideCharge, reserveAttempt, settleAttempt } from "@p2/guard/charge"
import { Redis } from "ioredis"

/**
 * A process that sends calls to a server through the circuit breaker when its parent sends a message, reports their
 * outcomes, and exits.
 */
const [address, prefix, serverURL, calls, order] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  "at-once" | "in-turn",
]
const BOUND = 20_000_000
const client = address.startsWith("redis:") ? new Redis(address) : undefined
const store: BudgetStore =
  client === undefined ? sqliteStore(address, { timeoutMs: 30_000 }) : redisStore({ client, prefix, timeoutMs: 30_000 })
const budget = createBudget({ store, limits: [{ scope: "user", limit: 1, per: "day" }], onWarning: () => {} })

const reserved = {
  nanoUsd: BOUND,
  tokens: 10,
  inputTokens: 5,
  boundOf: () => BOUND,
  costOf: () => undefined,
}

async function call(): Promise<string> {
  const request = { budget, provider: "openai", model: "m", subject: { userId: "ada" }, amount: { nanoUsd: BOUND } }
  const outcome = await reserveAttempt(request)
  if (outcome.status !== "reserved") return outcome.status
  let httpStatus: number | undefined
  try {
    const response = await fetch(serverURL, { method: "POST", body: "{}" })
    httpStatus = response.status
    await response.text()
  } catch {
    // The body was truncated.
  }
  const evidence = { provider: "openai", sent: "maybe-sent", reading: undefined, endedBy: undefined } as const
  await settleAttempt(outcome.attempt, decideCharge({ ...evidence, httpStatus, hasHostedTools: false }, reserved))
  return "sent"
}

async function callAll(): Promise<string[]> {
  const each = Array.from({ length: Number(calls) }, () => call)
  if (order === "at-once") return Promise.all(each.map((one) => one()))
  const outcomes: string[] = []
  for (const one of each) outcomes.push(await one())
  return outcomes
}

process.on("message", async () => {
  const outcomes = await callAll()
  await budget.close()
  client?.disconnect()
  process.send?.({ outcomes }, () => process.disconnect())
})
process.send?.("ready")
