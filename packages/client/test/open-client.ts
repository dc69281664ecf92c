import { type BudgetStore, memoryStore } from "@p2/budget"
import type { Request, RequestOptions } from "@p2/core"
import type { LocalProvider } from "@p2/local-provider"
import { z } from "zod"
import { LLMClient, type LLMClientOptions } from "../src/index"

export const Person = z.object({ name: z.string(), age: z.number().int(), interests: z.array(z.string()) })

/** A clock that does not wait. */
export const impatient = { now: () => Date.now(), random: () => 0.5, sleep: async () => {} }

/** A client of the local provider, in OpenAI's shape, with a store of its own and something to say. */
export function openClient<Answer = string>(
  provider: LocalProvider,
  request: Partial<RequestOptions<Answer>> | Request<Answer> = {},
  options: LLMClientOptions = {},
): LLMClient<Answer> {
  const client = new LLMClient<Answer>({ model: "openai/gpt-4o-mini", ...request } as RequestOptions<Answer>, {
    baseURL: provider.baseURL,
    apiKey: "local",
    ...(options.budget === undefined ? { store: memoryStore() } : {}),
    logger: {},
    clock: impatient,
    ...options,
  })
  client.msg.addMessageUser("Describe who is David Copperfield")
  return client
}

/** A store that counts its round trips. */
export function countedStore(inner: BudgetStore = memoryStore()): BudgetStore & { calls: string[] } {
  const calls: string[] = []
  const counted =
    <Args extends unknown[], Result>(name: string, call: (...args: Args) => Result) =>
    (...args: Args) => {
      calls.push(name)
      return call(...args)
    }
  return {
    ...inner,
    calls,
    reserve: counted("reserve", (request) => inner.reserve(request)),
    settle: counted("settle", (request) => inner.settle(request)),
    extend: counted("extend", (request) => inner.extend(request)),
    read: counted("read", (request) => inner.read(request)),
    adjust: counted("adjust", (request) => inner.adjust(request)),
    sweep: counted("sweep", (request) => inner.sweep(request)),
  }
}
