import { type Budget, createBudget, type Limit, memoryStore } from "@p2/budget"
import { type ProxyServer, serveProxy } from "@p2/guard/proxy/node"
import { createDashboard } from "../../../src/dashboard/create-dashboard"
import type { Dashboard, DashboardOptions } from "../../../src/dashboard/dashboard"

export interface ServedDashboard extends AsyncDisposable {
  budget: Budget
  dashboard: Dashboard
  server: ProxyServer
  url: string
}

/** A dashboard that listens on a free port of loopback. */
export async function serveDashboard(
  limits: readonly Limit[],
  options: Partial<DashboardOptions> = {},
): Promise<ServedDashboard> {
  const budget = options.budget ?? createBudget({ store: memoryStore(), limits })
  let url = ""
  const dashboard = createDashboard({ budget, origin: () => url, ...options })
  const server = await serveProxy((request) => dashboard.handle(request))
  url = server.url
  return {
    budget,
    dashboard,
    server,
    url,
    async [Symbol.asyncDispose]() {
      dashboard.close()
      await server.close()
      await budget.close()
    },
  }
}

/** Signs in as a browser does, and returns the cookie. */
export async function signIn(dashboard: Dashboard): Promise<string> {
  const response = await fetch(dashboard.createLink())
  const cookie = response.headers.get("set-cookie")?.split(";")[0]
  if (cookie === undefined) throw new Error(`The link was rejected with status ${response.status}.`)
  return cookie
}
