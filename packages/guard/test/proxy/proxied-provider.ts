import { createBudget, type Limit, memoryStore } from "@p2/budget"
import type { LocalProvider } from "@p2/local-provider"
import type { GuardAttempt } from "../../src/index"
import { createProxy, type ProxyOptions } from "../../src/proxy"
import { type ProxyServer, serveProxy } from "../../src/proxy/node"

/** What SDKs send as their key. */
export const TOKEN = "local"
/** What the upstream gets. */
export const KEY = "sk-upstream-0123456789abcdef"

/** A proxy on real HTTP in front of the local provider. */
export interface ProxiedProvider {
  server: ProxyServer
  attempts: GuardAttempt[]
  balance(): Promise<{ spent: number; reserved: number }>
  /** The provider as SDKs see it: its base URLs are those of the proxy. */
  provider: LocalProvider
}

export async function proxyTo(
  provider: LocalProvider,
  limit: Limit["limit"] = "1.00",
  options: Partial<ProxyOptions> = {},
): Promise<ProxiedProvider> {
  const budget = options.budget ?? createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
  const attempts: GuardAttempt[] = []
  const proxy = createProxy({
    budget,
    upstreams: {
      openai: { baseURL: provider.baseURL, apiKey: KEY },
      openrouter: { baseURL: provider.openRouterBaseURL, apiKey: KEY },
      anthropic: { baseURL: provider.anthropicBaseURL, apiKey: KEY },
      gemini: { baseURL: provider.geminiBaseURL, apiKey: KEY },
    },
    authenticate: (token) => (token === TOKEN ? {} : undefined),
    onAttempt: (attempt) => attempts.push(attempt),
    ...options,
  })
  const server = await serveProxy(proxy)
  return {
    server,
    attempts,
    balance: async () => {
      const [status] = await budget.status()
      return { spent: status!.spentNanoUsd!, reserved: status!.reservedNanoUsd! }
    },
    provider: {
      ...provider,
      baseURL: `${server.url}/openai/v1`,
      openRouterBaseURL: `${server.url}/openrouter/api/v1`,
      anthropicBaseURL: `${server.url}/anthropic`,
      geminiBaseURL: `${server.url}/gemini`,
    },
  }
}
