import type { OpenAI } from "openai"
import { MissingPackageError } from "../client-errors"
import { fetchWithErrorLimit } from "../fetch-with-error-limit"
import type { Choice } from "./choose-provider"

/** Most instances that are kept, oldest out first: one per base URL and key. */
const CAPACITY = 100

let instances: Map<string, OpenAI> | undefined

/** An OpenAI instance for an endpoint, shared by the clients of this process. Loads the package on first use. */
export async function openaiFor(choice: Choice): Promise<OpenAI> {
  instances ??= new Map()
  const key = JSON.stringify([choice.baseURL, choice.apiKey, choice.provider.name])
  const known = instances.get(key)
  if (known !== undefined) return known
  const { OpenAI: Constructor } = await import("openai").catch((cause: unknown) => {
    throw new MissingPackageError("openai", "A call to a provider", cause)
  })
  const isOpenAI = choice.provider.name === "openai"
  const made = new Constructor({
    baseURL: choice.baseURL ?? null,
    // The SDK wants a key where the provider wants none.
    apiKey: choice.apiKey ?? "none",
    maxRetries: 0,
    fetch: fetchWithErrorLimit,
    // Other providers need not learn whose organization calls them.
    ...(isOpenAI ? {} : { organization: null, project: null }),
  })
  instances.set(key, made)
  const [oldest] = instances.keys()
  if (instances.size > CAPACITY && oldest !== undefined) instances.delete(oldest)
  return made
}
