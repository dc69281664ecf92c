// biome-ignore-all lint/performance/useDomNodeTextContent: the tests read what the user sees

import type { Budget } from "@p2/budget"
import axe from "axe-core"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { afterAll, beforeAll } from "vitest"
import { launchBrowser } from "./browser"
import type { ServedDashboard } from "./served-dashboard"

/** A busy machine renders pages slowly. */
const PAGE_TIMEOUT_MS = 60_000

export interface OpenPage extends AsyncDisposable {
  page: Page
  /** Errors and warnings of the console, exceptions, and requests to other hosts. */
  problems: string[]
}

/** Starts a browser for the calling test file. */
export function useBrowser() {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(() => browser?.close())

  /** Opens a dashboard by a link, as a user does. */
  async function openPage(served: ServedDashboard, options: BrowserContextOptions = {}): Promise<OpenPage> {
    const context = await browser.newContext({ locale: "en-US", ...options })
    context.setDefaultTimeout(PAGE_TIMEOUT_MS)
    const page = await context.newPage()
    const problems: string[] = []
    page.on("console", (message) => {
      if (message.type() !== "log") problems.push(`${message.type()}: ${message.text()}`)
    })
    page.on("pageerror", (error) => problems.push(`exception: ${error.message}`))
    page.on("request", (request) => {
      if (!request.url().startsWith(`${served.url}/dashboard`)) problems.push(`request: ${request.url()}`)
    })
    page.on("dialog", (dialog) => {
      problems.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    await page.goto(served.dashboard.createLink())
    await page.waitForURL(`${served.url}/dashboard/`)
    await page.getByText("Live", { exact: true }).waitFor()
    return { page, problems, [Symbol.asyncDispose]: () => context.close() }
  }

  /** A page of a browser that has not signed in. */
  async function openContext(): Promise<{ page: Page } & AsyncDisposable> {
    const context = await browser.newContext()
    context.setDefaultTimeout(PAGE_TIMEOUT_MS)
    return { page: await context.newPage(), [Symbol.asyncDispose]: () => context.close() }
  }

  return { openPage, openContext }
}

export function figure(page: Page, name: string): Promise<string> {
  return page.locator(`[data-figure="${name}"]`).innerText()
}

/** A call that ends. */
export async function call(budget: Budget, subject: { userId: string; model: string }, cost: number): Promise<void> {
  const result = await budget.reserve({ subject, amount: { nanoUsd: cost } })
  if (!result.ok) throw result.error
  await result.reservation.settle({ nanoUsd: cost }, { tokens: { inputTokens: 10, outputTokens: 2 } })
}

/** Everything that axe finds, whatever its impact. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  return page.evaluate<string[]>(
    "axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) => impact + ': ' + id + ' ' + nodes.map(({ html }) => html.slice(0, 160)).join(' | ')))",
  )
}
