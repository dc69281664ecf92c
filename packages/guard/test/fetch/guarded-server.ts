import { type Budget, type BudgetStore, createBudget, type Limit, memoryStore } from "@p2/budget"
import { type GuardAttempt, type GuardOptions, guardFetch } from "../../src/index"

export const CHAT_URL = "https://api.openai.com/v1/chat/completions"

/** A cheap chat call: gpt-4o-mini, $0.15 and $0.60 per million tokens. */
export const CALL = {
  model: "gpt-4o-mini",
  messages: [{ role: "user", content: "Hi" }],
  max_completion_tokens: 100,
  service_tier: "default",
}

/** 20 input and 10 output tokens: 3,000 + 6,000 nano-USD. */
export const COST = 9_000

export const COMPLETION = {
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "gpt-4o-mini-2024-07-18",
  service_tier: "default",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 },
}

export function json(body: unknown, init: ResponseInit = {}): Response {
  return new Response(JSON.stringify(body), {
    ...init,
    headers: { "content-type": "application/json", ...init.headers },
  })
}

const chunk = (fields: object) =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", model: "gpt-4o-mini", choices: [], ...fields })}\n\n`

/** The events of a streamed answer, with the usage before the last one. */
export const EVENTS: readonly string[] = [
  chunk({ choices: [{ index: 0, delta: { role: "assistant", content: "Hel" }, finish_reason: null }] }),
  chunk({ choices: [{ index: 0, delta: { content: "lo" }, finish_reason: null }] }),
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
  chunk({ usage: COMPLETION.usage, service_tier: "default" }),
  "data: [DONE]\n\n",
]

export function events(texts: readonly string[] = EVENTS): Response {
  return new Response(texts.join(""), { headers: { "content-type": "text/event-stream" } })
}

/** A request as the inner fetch received it. */
export interface Sent {
  url: string
  headers: Headers
  body: Record<string, unknown>
  init: RequestInit
}

/** A guard over an inner fetch that the test defines. */
export function guardOver(
  answer: (sent: Sent) => Response | Promise<Response>,
  options: Partial<GuardOptions> & { limit?: Limit["limit"] } = {},
) {
  const { limit = "1.00", ...others } = options
  const budget =
    others.budget ?? createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: limit as string }] })
  const attempts: GuardAttempt[] = []
  const sent: Sent[] = []
  const inner = async (input: unknown, init: RequestInit = {}) => {
    const request = new Request(input as string, init)
    const text = await request.text()
    sent.push({ url: request.url, headers: request.headers, body: text.startsWith("{") ? JSON.parse(text) : {}, init })
    return answer(sent.at(-1)!)
  }
  const onAttempt = (attempt: GuardAttempt) => attempts.push(attempt)
  const fetch = guardFetch({ budget, fetch: inner as typeof globalThis.fetch, onAttempt, ...others })
  return { budget, attempts, sent, fetch }
}

export function post(fetch: typeof globalThis.fetch, body: object = CALL, init: RequestInit = {}): Promise<Response> {
  const headers = { "content-type": "application/json", authorization: "Bearer sk-test", ...(init.headers as object) }
  return fetch(CHAT_URL, { method: "POST", body: JSON.stringify(body), ...init, headers })
}

export async function balance(budget: Budget): Promise<{ spent: number; reserved: number }> {
  const [status] = await budget.status()
  return { spent: status!.spentNanoUsd!, reserved: status!.reservedNanoUsd! }
}

/** A promise that a test resolves. */
export function deferred<T>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** The memory store with other members. */
export function overriddenStore(override: (store: BudgetStore) => Partial<BudgetStore>): BudgetStore {
  const store = memoryStore()
  const overrides: Record<PropertyKey, unknown> = { ...override(store) }
  return new Proxy<BudgetStore>(store, {
    get(target, name) {
      const value = overrides[name] ?? Reflect.get(target, name)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
}
