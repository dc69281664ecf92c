import { type BudgetStore, memoryStore } from "@p2/budget"
import type { Request, RequestOptions } from "@p2/core"
import { z } from "zod"
import { LLMClient, type LLMClientOptions } from "../src/index"
import { overrideStore } from "./override-store"

export const Person = z.object({ name: z.string(), age: z.number().int(), interests: z.array(z.string()) })

/** A clock whose waits end immediately. */
export const instantClock = { now: () => Date.now(), random: () => 0.5, sleep: async () => {} }

/** A client of a server with OpenAI's API, with its own memory store and one message. */
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

/** A memory store that records which members are called, except for the counters of the circuit breaker. */
export function recordingStore(): { store: BudgetStore; calls: string[] } {
  const inner = memoryStore()
  const calls: string[] = []
  const record = <Request, Reply>(name: string, member: (request: Request) => Promise<Reply>) => {
    return (request: Request) => {
      const { partition } = request as { partition?: string }
      if (!partition?.startsWith("circuits.")) calls.push(name)
      return member(request)
    }
  }
  const store = overrideStore(inner, {
    reserve: record("reserve", (request) => inner.reserve(request)),
    settle: record("settle", (request) => inner.settle(request)),
    extend: record("extend", (request) => inner.extend(request)),
    read: record("read", (request) => inner.read(request)),
    adjust: record("adjust", (request) => inner.adjust(request)),
    expire: record("expire", (request) => inner.expire(request)),
    listDue: record("listDue", (request) => inner.listDue(request)),
  })
  return { store, calls }
}
