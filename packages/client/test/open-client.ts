import { type BudgetStore, memoryStore } from "@p2/budget"
import type { Request, RequestOptions } from "@p2/core"
import { z } from "zod"
import { LLMClient, type LLMClientOptions } from "../src/index"

export const Person = z.object({ name: z.string(), age: z.number().int(), interests: z.array(z.string()) })

/** A clock whose waits end at once. */
export const instantClock = { now: () => Date.now(), random: () => 0.5, sleep: async () => {} }

/** A client of a server in the shape of OpenAI, with its own memory store and one message. */
export function openClient<Answer = string>(
  server: { baseURL: string },
  request: Partial<RequestOptions<Answer>> | Request<Answer> = {},
  options: LLMClientOptions = {},
): LLMClient<Answer> {
  const client = new LLMClient<Answer>({ model: "openai/gpt-4o-mini", ...request } as RequestOptions<Answer>, {
    baseURL: server.baseURL,
    apiKey: "local",
    ...(options.budget === undefined ? { store: memoryStore() } : {}),
    logger: {},
    clock: instantClock,
    ...options,
  })
  client.msg.addMessageUser("Describe who is David Copperfield")
  return client
}

/** A store that records its round trips. */
export function recordingStore(inner: BudgetStore = memoryStore()): BudgetStore & { calls: string[] } {
  const calls: string[] = []
  const recorded =
    <Args extends unknown[], Result>(name: string, call: (...args: Args) => Result) =>
    (...args: Args) => {
      calls.push(name)
      return call(...args)
    }
  return {
    ...inner,
    calls,
    reserve: recorded("reserve", (request) => inner.reserve(request)),
    settle: recorded("settle", (request) => inner.settle(request)),
    extend: recorded("extend", (request) => inner.extend(request)),
    read: recorded("read", (request) => inner.read(request)),
    adjust: recorded("adjust", (request) => inner.adjust(request)),
    sweep: recorded("sweep", (request) => inner.sweep(request)),
  }
}
