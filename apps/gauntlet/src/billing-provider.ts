import { type Fault, type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { ATTEMPTS, type AttemptKind, type Call } from "./workload"

/** One attempt that reached the provider. */
interface Received {
  at: number
  callId: number
  isBilled: boolean
}

/** The provider of a workload, which knows what each call costs. */
export interface BillingProvider {
  baseURL: string
  /** Number of attempts that have arrived so far. */
  readonly received: number
  /** Tokens that it has billed. */
  billedTokens(): number
  /** Tokens of the attempts that had arrived at this time, in epoch milliseconds, and are billed sooner or later. */
  billedTokensOfAttemptsBefore(at: number): number
  /** Tokens of one attempt of this call. */
  tokensOf(callId: number): number
  close(): Promise<void>
}

export const MODEL = "gpt-4o-mini"

const FAULTS: Record<AttemptKind, Fault> = {
  answered: {},
  billedError: { status: 500, billed: true, headers: { "retry-after-ms": "5" } },
  overloaded: { status: 503, headers: { "retry-after-ms": "5" } },
  rateLimited: { status: 429, headers: { "retry-after-ms": "5" } },
  cut: { cut: "body" },
  stalled: { stall: "headers" },
}

export async function startBillingProvider(calls: readonly Call[]): Promise<BillingProvider> {
  const tokens = await surveyTokens(calls)
  const server = await startLocalProvider()
  const received: Received[] = []
  const attempts = new Map<number, number>()
  let current: { call: Call; kind: AttemptKind } | undefined
  // Faults are matched in order, so this rule sees every attempt first.
  server.faults.always({}, ({ body }) => {
    const call = callOf(body, calls)
    const attempt = attempts.get(call.id) ?? 0
    attempts.set(call.id, attempt + 1)
    const kind = call.attempts[attempt] ?? "answered"
    current = { call, kind }
    received.push({ at: epochMs(), callId: call.id, isBilled: ATTEMPTS[kind].billed })
    return false
  })
  for (const call of calls)
    for (const kind of new Set<AttemptKind>([...call.attempts, "answered"]))
      server.faults.always(
        {
          ...FAULTS[kind],
          answer: call.answer,
          ...(kind !== "stalled" && { delayMs: call.delayMs }),
          ...(call.leaveAfterChunks !== undefined && { chunkDelayMs: 2 }),
        },
        () => current?.call === call && current.kind === kind,
      )
  return {
    baseURL: server.baseURL,
    get received() {
      return received.length
    },
    billedTokens: () => totalTokens(server),
    billedTokensOfAttemptsBefore: (at) =>
      received
        .filter((each) => each.isBilled && each.at <= at)
        .reduce((sum, each) => sum + tokens.get(each.callId)!, 0),
    tokensOf: (callId) => tokens.get(callId)!,
    close: () => server.close(),
  }
}

/** What the provider bills for each call, read from its own ledger. */
async function surveyTokens(calls: readonly Call[]): Promise<Map<number, number>> {
  await using server = await startLocalProvider()
  for (const call of calls) server.faults.always({ answer: call.answer }, ({ body }) => callOf(body, calls) === call)
  const tokens = new Map<number, number>()
  for (const call of calls) {
    const before = totalTokens(server)
    const response = await fetch(`${server.baseURL}/chat/completions`, {
      method: "POST",
      headers: { authorization: "Bearer local", "content-type": "application/json" },
      body: JSON.stringify({ model: MODEL, max_tokens: call.maxTokens, messages: messagesOf(call) }),
    })
    if (!response.ok) throw new Error(`The provider answered call ${call.id} with status ${response.status}.`)
    await response.arrayBuffer()
    tokens.set(call.id, totalTokens(server) - before)
  }
  return tokens
}

export function messagesOf(call: Call) {
  return [{ role: "user" as const, content: call.prompt }]
}

export function epochMs(): number {
  return performance.timeOrigin + performance.now()
}

function totalTokens({ ledger }: LocalProvider): number {
  return ledger.calls.reduce((sum, call) => sum + call.promptTokens + call.completionTokens, 0)
}

function callOf(body: Record<string, unknown>, calls: readonly Call[]): Call {
  const id = Number(/\[call (\d+)\]/.exec(JSON.stringify(body.messages))?.[1])
  const call = calls.find((candidate) => candidate.id === id)
  if (call === undefined) throw new Error("The request belongs to no call of the workload.")
  return call
}
