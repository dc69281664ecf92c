import type { BudgetStore, Subject } from "@p2/budget"
import { createDashboard, openInBrowser, openStore } from "@p2/cli/dashboard"
import { serveProxy } from "@p2/guard/proxy/node"

/** How long the callers wait for somebody to open the page. */
const OPEN_WITHIN_MS = 60_000

/** The dashboard of `p2`, over the store of the demo. */
export interface DemoDashboard {
  /** The store that the clients use. */
  store: BudgetStore
  /** A link that opens the page once. */
  link: string
  /** Shows a user's limit. */
  showLimit(userId: string, limit: string): void
  /** Resolves when a browser shows the page, or after a minute. */
  opened: Promise<"opened" | "timeout">
  close(): Promise<void>
}

/** @param address of the store; undefined: memory */
export async function openDashboard(address = "memory:"): Promise<DemoDashboard> {
  const userLimits = new Map<string, string>()
  const limitsOf = ({ userId = "" }: Subject) => [
    { scope: "client", limit: null, optional: true } as const,
    { scope: "user", limit: userLimits.get(userId) ?? null, optional: true } as const,
  ]
  const { store, budget, close } = await openStore(address, { limits: limitsOf })
  let url = ""
  const subjects = () => [...userLimits.keys()].map((userId) => ({ userId }))
  const dashboard = createDashboard({ budget, origin: () => url, title: "npm start -- --dashboard", subjects })
  let onOpened = () => {}
  const shown = new Promise<"opened">((resolve) => {
    onOpened = () => resolve("opened")
  })
  const server = await serveProxy(async (request) => {
    const response = dashboard.owns(request) ? await dashboard.handle(request) : new Response(null, { status: 404 })
    if (response.headers.get("content-type")?.startsWith("text/event-stream")) onOpened()
    return response
  })
  url = server.url
  const link = dashboard.createLink()
  const removeFile = openInBrowser(link)
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<"timeout">((resolve) => {
    timer = setTimeout(() => resolve("timeout"), OPEN_WITHIN_MS)
  })
  return {
    store,
    link,
    showLimit: (userId, limit) => userLimits.set(userId, limit),
    opened: Promise.race([shown, timeout]),
    close: async () => {
      clearTimeout(timer)
      removeFile?.()
      dashboard.close()
      await server.close()
      await close()
    },
  }
}
