import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import type { DemoOptions } from "./options"

/** The provider that the demo calls: the local one with its ledger, or a real one. */
export interface Provider {
  description: string
  /** Options for the client; empty for a real provider, whose key is in the environment. */
  connection: { baseURL?: string; apiKey?: string }
  local: LocalProvider | undefined
  close(): Promise<void>
}

export async function openProvider(options: DemoOptions): Promise<Provider> {
  if (options.live) {
    if (process.env.OPENROUTER_API_KEY === undefined && process.env.OPENAI_API_KEY === undefined)
      throw new Error(
        "--live needs OPENROUTER_API_KEY or OPENAI_API_KEY in the environment. Omit --live to run without a key.",
      )
    return { description: "real (--live)", connection: {}, local: undefined, close: async () => {} }
  }
  const local = await startLocalProvider({ latencyMs: 20 })
  const baseURL = options.model.startsWith("openrouter/") ? local.openRouterBaseURL : local.baseURL
  return {
    description: `local, at ${local.url}`,
    connection: { baseURL, apiKey: "local" },
    local,
    close: () => local.close(),
  }
}
