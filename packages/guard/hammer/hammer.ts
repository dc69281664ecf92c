import { createBudget, memoryStore } from "@p2/budget"
import { startLocalProvider } from "@p2/local-provider"
import { budgetErrorFrom, type GuardAttempt } from "../src/index"
import { connect, INTEGRATIONS, type Integration } from "../test/sdks/integrations"

export interface HammerOptions {
  seed: number
  requests: number
  limitTokens: number
  /** Concurrent requests. */
  concurrency: number
}

/** What the provider billed, what the budget counted, and how the requests ended. */
export interface HammerResult {
  billedNanoUsd: number
  billedTokens: number
  billedCalls: number
  spentNanoUsd: number
  spentTokens: number
  /** In both units; must be 0 at the end. */
  reserved: number
  attempts: number
  answered: number
  denied: number
  failed: number
}

/** One SDK for each wire format, and one with its own retry rules. */
const NAMES = ["openai 6, chat", "openai 7, responses", "@anthropic-ai/sdk", "@google/genai", "ai 7, @ai-sdk/openai"]

/**
 * Sends mixed requests (calls, steps, streams, abandoned streams, aborts) through real SDKs with their retries to a
 * provider that bills, and answers 45 % with status 500, some with a truncated body.
 */
export async function hammer({ seed, requests, limitTokens, concurrency }: HammerOptions): Promise<HammerResult> {
  const random = generator(seed)
  const server = await startLocalProvider()
  const faults = [
    { share: 0.45, fault: { status: 500, billed: true, headers: { "retry-after-ms": "1" } } },
    { share: 0.03, fault: { status: 429, headers: { "retry-after-ms": "1" } } },
    { share: 0.03, fault: { cut: "body" } },
    { share: 0.03, fault: { cut: "stream" } },
  ] as const
  for (const { share, fault } of faults) server.faults.always(fault, () => random() < share)
  // The limit in dollars is so large that the circuit breaker, which protects it, never opens: the tokens run out.
  const limits = [{ scope: "total", limit: { usd: 100, tokens: limitTokens } }] as const
  const budget = createBudget({ store: memoryStore(), limits })
  const attempts: GuardAttempt[] = []
  const asked = { count: 0 }
  const result = { answered: 0, denied: 0, failed: 0 }
  const integrations = INTEGRATIONS.filter(({ name }) => NAMES.includes(name))
  const connections = new Map(
    integrations.map((integration) => {
      const options = { budget, provider: integration.provider, onAttempt: (each: GuardAttempt) => attempts.push(each) }
      return [integration, connect(server, options, () => asked.count++)] as const
    }),
  )
  let remaining = requests
  const work = async () => {
    while (remaining-- > 0) {
      const integration = integrations[Math.floor(random() * integrations.length)]!
      try {
        await request(integration, connections.get(integration)!, random())
        result.answered++
      } catch (error) {
        if (budgetErrorFrom(error) === undefined) result.failed++
        else result.denied++
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  // An abandoned stream is settled a moment later.
  for (let tries = 0; tries < 500 && (await statusOf(budget)).reserved > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  const { totalNanoUsd: billedNanoUsd, calls } = server.ledger
  const billedTokens = calls.reduce((sum, call) => sum + call.promptTokens + call.completionTokens, 0)
  await server.close()
  return {
    billedNanoUsd,
    billedTokens,
    billedCalls: calls.length,
    ...(await statusOf(budget)),
    attempts: attempts.length,
    ...result,
  }
}

type Connection = Parameters<Integration["call"]>[0]

async function request(integration: Integration, connection: Connection, kind: number): Promise<unknown> {
  if (kind < 0.5) return integration.call(connection)
  if (kind < 0.65) return integration.steps(connection)
  if (kind < 0.8) return integration.stream(connection, () => true)
  if (kind < 0.9) return integration.stream(connection, () => false)
  const signal = AbortSignal.timeout(1 + (Math.floor(kind * 1000) % 20))
  return integration.call({ ...connection, signal })
}

async function statusOf(budget: ReturnType<typeof createBudget>) {
  const [usd, tokens] = await budget.status()
  const reserved = usd!.reservedNanoUsd! + tokens!.reserved
  return { spentNanoUsd: usd!.spentNanoUsd!, spentTokens: tokens!.spent, reserved }
}

/** Mulberry32: numbers in [0, 1) from a seed. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
