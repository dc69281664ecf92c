import type { OpenAI } from "openai"
import { fetchWithErrorLimit } from "../fetch-with-error-limit"
import type { Choice } from "./choose-provider"
import { keepNewest } from "./keep-newest"
import { notLoaded } from "./not-loaded"

/** Most instances that are kept, oldest out first: one per base URL and key. */
const CAPACITY = 100

const instances = new Map<string, OpenAI>()

/** An OpenAI instance for an endpoint, shared by the clients of this process. Loads the package on first use. */
export async function openaiFor(choice: Choice): Promise<OpenAI> {
  const key = JSON.stringify([choice.baseURL, choice.apiKey, choice.provider.name])
  const known = instances.get(key)
  if (known !== undefined) return known
  const { OpenAI: Constructor } = await import("openai").catch((cause) =>
    notLoaded("openai", "A call to a provider", cause),
  )
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
  keepNewest(instances, key, made, CAPACITY)
  return made
}
