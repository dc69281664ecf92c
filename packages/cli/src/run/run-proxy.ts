import { randomBytes } from "node:crypto"
import { acceptToken, createProxy, type ProxyHandler } from "@p2/guard/proxy"
import { type ProxyServer, serveProxy } from "@p2/guard/proxy/node"
import type { Dashboard } from "../dashboard/dashboard"
import type { RunBudget } from "./run-budget"
import { runHints } from "./run-hints"
import type { RunOptions } from "./run-options"
import type { RunTotals } from "./run-totals"
import type { RunUpstream } from "./run-upstreams"

/** The proxy of one run. */
export interface RunProxy {
  server: ProxyServer
  /** The token that opens the proxy's paths. Only the program gets it. */
  token: string
  dashboard: Dashboard | undefined
  /** Waits this long for open calls, then ends and settles them. */
  close(options: { graceMs: number }): Promise<void>
}

export interface RunProxyOptions {
  options: RunOptions
  budget: RunBudget
  upstreams: readonly RunUpstream[]
  totals: RunTotals
  onWarning: (message: string) => void
}

/** Starts the proxy on a free port of the loopback interface. */
export async function startRunProxy(given: RunProxyOptions): Promise<RunProxy> {
  const token = `p2-${randomBytes(32).toString("base64url")}`
  let proxy: ProxyHandler | undefined
  let dashboard: Dashboard | undefined
  const server = await serveProxy(async (request) =>
    dashboard?.owns(request) ? dashboard.handle(request) : proxy!(request),
  )
  try {
    // The port is known now. No request is read before this function yields.
    proxy = proxyOf(given, token, server.host)
    if (given.options.dashboard) dashboard = await dashboardOf(given, server.url)
  } catch (error) {
    await server.close()
    throw error
  }
  return {
    ...{ server, token, dashboard },
    close: async (options) => {
      dashboard?.close()
      await server.close(options)
    },
  }
}

async function dashboardOf({ options, budget, onWarning }: RunProxyOptions, origin: string): Promise<Dashboard> {
  const { createDashboard } = await import("../dashboard/create-dashboard")
  return createDashboard({
    ...{ budget: budget.budget, origin, onWarning },
    title: `${options.program}, run ${options.runId}`,
    subjects: () => [budget.subject],
    // The store also has calls of other runs, which have other limits.
    onlySubjects: true,
  })
}

function proxyOf({ options, budget, upstreams, totals, onWarning }: RunProxyOptions, token: string, host: string) {
  const { maxOutputTokens, clamp, waitMs, inputBound, serviceTier, maxToolCalls } = options
  const proxy = createProxy({
    budget: budget.budget,
    upstreams: Object.fromEntries(upstreams.map(({ provider, options }) => [provider.name, options])),
    authenticate: acceptToken(token, { subject: budget.subject }),
    // A page in a browser can send requests here, but with another `Host` or an `Origin`.
    allowedHosts: [host, host.replace("127.0.0.1", "localhost")],
    allowedOrigins: [],
    ...{ maxOutputTokens, inputBound, serviceTier, maxToolCalls, onWarning },
    clampTo: clamp ? "budget" : undefined,
    wait: waitMs === undefined ? undefined : { timeoutMs: waitMs },
    onAttempt: (attempt) => totals.add(attempt),
    hints: runHints(options),
  })
  return observingRejections(proxy, totals)
}

/** Statuses with which the proxy answers calls that it does not send; providers use them too. */
const REJECTED: readonly number[] = [400, 401, 402, 403, 404, 413, 503]

/** Counts the calls that the proxy answered itself, for the receipt. Denials are counted as attempts. */
function observingRejections(proxy: ProxyHandler, totals: RunTotals): ProxyHandler {
  return async (request) => {
    const response = await proxy(request)
    if (response.headers.get("x-should-retry") !== "false" || !REJECTED.includes(response.status)) return response
    const isDenial = response.headers.has("x-p2-denial")
    // An answer from the provider.
    if (!isDenial && response.headers.has("x-p2-cost-usd")) return response
    const message = await messageOf(response.clone())
    if (isDenial) totals.lastDenial = message
    else totals.reject(message)
    return response
  }
}

/** The message of an error in any provider's format. */
async function messageOf(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as { error?: { message?: unknown } }
    return typeof error?.message === "string" ? error.message : `status ${response.status}`
  } catch {
    return `status ${response.status}`
  }
}
