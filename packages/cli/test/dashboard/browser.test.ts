// biome-ignore-all lint/performance/useDomNodeTextContent: the tests read what the user sees

import { type Budget, createBudget, memoryStore } from "@p2/budget"
import { formatUsd } from "@p2/core"
import axe from "axe-core"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { noonZone } from "../support/noon-zone"
import { soon } from "../support/soon"
import { launchBrowser } from "./support/browser"
import { seed } from "./support/seed"
import { type ServedDashboard, serveDashboard } from "./support/served-dashboard"

/** A machine that is busy shows a page slowly. */
const PAGE_TIMEOUT_MS = 60_000

let browser: Browser

beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser?.close())

interface OpenPage extends AsyncDisposable {
  page: Page
  /** Errors and warnings of the console, exceptions, and requests to other hosts. */
  problems: string[]
}

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

function figure(page: Page, name: string): Promise<string> {
  return page.locator(`[data-figure="${name}"]`).innerText()
}

async function call(budget: Budget, subject: { userId: string; model: string }, cost: number): Promise<void> {
  const result = await budget.reserve({ subject, amount: { nanoUsd: cost } })
  if (!result.ok) throw result.error
  await result.reservation.settle({ nanoUsd: cost }, { tokens: { inputTokens: 10, outputTokens: 2 } })
}

describe("the page", () => {
  it("shows the numbers of the ledger, to the nano-dollar", async () => {
    const budget = await seed.budget()
    await using served = await serveDashboard([], { budget })
    await using open = await openPage(served)
    const { page, problems } = open
    const [sums] = await budget.usage.totals()
    const byUser = await budget.usage.totals({ groupBy: ["userId"], orderBy: "costNanoUsd" })
    const { entries } = await budget.usage.list({ order: "newest", limit: 25 })

    await soon(() => figure(page, "spent")).toContain(formatUsd(sums!.costNanoUsd))
    expect(await figure(page, "calls-made")).toContain(`${sums!.attempts - sums!.denied}`)
    expect(await figure(page, "denied")).toMatch(new RegExp(`^${sums!.denied}\\b`))
    expect(await figure(page, "in-doubt")).toContain(`${sums!.inDoubt}`)
    expect(await figure(page, "in-doubt")).toContain(formatUsd(sums!.inDoubtNanoUsd))

    await page.getByRole("tab", { name: "User" }).click()
    await page.getByRole("tab", { name: "User", selected: true }).waitFor()
    await soon(() => page.locator("[data-group]").count()).toBe(byUser.length)
    const rows = await page.locator("[data-group]").evaluateAll((all) => all.map((row) => row.textContent))
    for (const [index, { group, costNanoUsd }] of byUser.entries()) {
      expect(rows[index]).toContain(group[0])
      expect(rows[index]).toContain(formatUsd(costNanoUsd))
    }
    const legend = await page.locator(".legend li").allInnerTexts()
    const byModel = await budget.usage.totals({ groupBy: ["model"], orderBy: "costNanoUsd" })
    for (const [index, { group, costNanoUsd }] of byModel.entries())
      expect(legend[index]!.replace(/\s/g, "")).toBe(`${group[0]}${formatUsd(costNanoUsd)}`)

    await soon(() => page.locator("[data-call]").count()).toBe(25)
    const shown = await page.locator("[data-call]").evaluateAll((all) => all.map((row) => row.textContent))
    for (const [index, entry] of entries.entries())
      expect(shown[index]).toContain(entry.status === "denied" ? "Over budget" : formatUsd(entry.costNanoUsd))

    for (const { userId } of [{ userId: "ada" }, { userId: "linus" }]) {
      const limit = (await budget.status({ userId })).find(({ scope }) => scope === "user")!
      const card = await page.locator(".limit", { hasText: userId }).innerText()
      expect(card).toContain(formatUsd(limit.spentNanoUsd!))
      expect(card).toContain(`${formatUsd(limit.reservedNanoUsd!)} reserved`)
      expect(card).toContain(`${formatUsd(limit.remainingNanoUsd!)} remaining`)
    }
    expect(problems).toEqual([])
  })

  it("shows a call's receipt", async () => {
    const budget = await seed.budget()
    await using served = await serveDashboard([], { budget })
    await using open = await openPage(served)
    const [entry] = (await budget.usage.list({ order: "newest", filter: { status: "succeeded" } })).entries
    const row = open.page.locator(`[data-call="${entry!.idempotencyKey}"]`)
    await row.getByRole("button").click()
    const receipt = await open.page.locator(".receipt").innerText()
    for (const text of [
      ...[entry!.requestId, entry!.userId!, entry!.tags!.team!, entry!.provider!, entry!.generationId!],
      ...[formatUsd(entry!.reservedNanoUsd), formatUsd(entry!.costNanoUsd), formatUsd(entry!.costs!.outputTokens!)],
      entry!.tokens.outputTokens!.toLocaleString("en-US"),
    ])
      expect(receipt).toContain(text)
    await row.getByRole("button").click()
    await soon(() => open.page.locator(".receipt").count()).toBe(0)
    expect(open.problems).toEqual([])
  })

  it("shows calls, reservations and denials as they happen, without a reload", async () => {
    await using served = await serveDashboard([
      { scope: "user", limit: "1.00", per: "day", timeZone: noonZone(), optional: true },
    ])
    const { budget } = served
    await using open = await openPage(served)
    const { page, problems } = open
    await page.getByText("No calls yet").waitFor()
    await call(budget, { userId: "ada", model: "gpt-5" }, 123_456_789)
    await soon(() => figure(page, "spent")).toContain("$0.123456789")
    await soon(() => page.locator(".limit").innerText()).toContain("$0.876543211 remaining")
    const subject = { userId: "ada", model: "gpt-5" }
    const result = await budget.reserve({ subject, amount: "0.50" })
    await soon(() => figure(page, "reserved")).toContain("$0.50")
    await budget.reserve({ subject, amount: "0.60" })
    await soon(() => figure(page, "denied")).toMatch(/^1\b/)
    await page.locator("button.figure", { hasText: "Denied" }).click()
    await soon(() => page.locator("[data-call]").allInnerTexts()).toEqual([expect.stringContaining("Over budget")])
    if (result.ok) await result.reservation.release()
    await soon(() => figure(page, "reserved")).toContain("$0.00")
    expect(problems).toEqual([])
  })

  it("loads older calls", async () => {
    await using served = await serveDashboard([{ scope: "total", limit: 5 }])
    for (let index = 0; index < 260; index++) await call(served.budget, { userId: `user-${index}`, model: "m" }, index)
    await using open = await openPage(served)
    const more = open.page.getByRole("button", { name: "Show older calls" })
    const count = () => open.page.locator("[data-call]").count()
    await soon(count).toBe(25)
    for (let clicks = 0; (await count()) < 260 && clicks < 10; clicks++) {
      const before = await count()
      await more.click()
      await soon(count).toBeGreaterThan(before)
    }
    expect(await count()).toBe(260)
    await soon(() => more.count()).toBe(0)
    expect(open.problems).toEqual([])
  })

  it("shows hostile names as text", async () => {
    const budget = createBudget({
      store: memoryStore(),
      limits: [
        { scope: "user", limit: 1, optional: true },
        { scope: { tag: "team" }, limit: 1, optional: true },
      ],
    })
    const attack = `<img src=x onerror="alert(1)"><script>alert(2)</script>`
    const names = [
      attack,
      `"><svg onload=alert(3)>`,
      "javascript:alert(4)",
      "\u202Eevil\u0000",
      `${"x".repeat(400)}`,
      "=1+1",
    ]
    for (const name of names) {
      const subject = { userId: name, clientId: name, model: name, tags: { team: name, [name]: name } }
      const result = await budget.reserve({ subject, amount: "0.01" })
      if (result.ok) await result.reservation.settle("0.01", { errorCode: name, modelUsed: name, generationId: name })
    }
    await using served = await serveDashboard([], { budget, title: attack })
    await using open = await openPage(served, { viewport: { width: 360, height: 740 } })
    const { page, problems } = open
    expect(await page.title()).toBe(`p2 · ${attack}`)
    await soon(() => page.locator("[data-call]").count()).toBe(names.length)
    for (const button of await page.locator("[data-call] button").all()) await button.click()
    for (const tab of await page.getByRole("tab").all()) await tab.click()
    expect(await page.locator("body").innerText()).toContain(attack)
    expect(await page.locator("#app img, #app script, #app a[href^=javascript]").count()).toBe(0)
    expect(await page.evaluate<boolean>("document.documentElement.scrollWidth <= innerWidth")).toBe(true)
    expect(problems).toEqual([])
  })

  it.each([
    { name: "light", options: { colorScheme: "light", viewport: { width: 1280, height: 900 } } },
    { name: "dark", options: { colorScheme: "dark", viewport: { width: 1280, height: 900 } } },
    { name: "phone", options: { colorScheme: "dark", viewport: { width: 360, height: 740 }, hasTouch: true } },
  ] as const)("is accessible, and has no horizontal scroll: $name", async ({ options }) => {
    const budget = await seed.budget()
    await using served = await serveDashboard([], { budget, title: `claude -p "Fix the failing test"` })
    await using open = await openPage(served, options)
    const { page } = open
    await page.locator("[data-call]").first().waitFor()
    await page.locator("[data-call] button").nth(0).click()
    await page.locator("[data-call] button").nth(1).click()
    await page.getByRole("button", { name: /^Show all/ }).click()
    await page.getByText("Show as table").click()
    for (const isTable of [true, false]) {
      if (!isTable) await page.getByText("Show as chart").click()
      expect(await violations(page)).toEqual([])
      expect(await page.evaluate<boolean>("document.documentElement.scrollWidth <= innerWidth")).toBe(true)
    }
    expect(open.problems).toEqual([])
    // The check works: a button without a name is found.
    await page.evaluate("document.querySelector('.call-open button').removeAttribute('aria-label')")
    expect(await violations(page)).toEqual([expect.stringMatching(/^critical: button-name/)])
  })

  it("can be used with the keyboard alone", async () => {
    const budget = await seed.budget()
    await using served = await serveDashboard([], { budget })
    await using open = await openPage(served)
    const { page } = open
    await page.locator("[data-call]").first().waitFor()
    const reached = new Set<string>()
    const focused = "document.activeElement.textContent.trim() || document.activeElement.getAttribute('aria-label')"
    for (let index = 0; index < 80; index++) {
      await page.keyboard.press("Tab")
      const isVisible = "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
      const name = await page.evaluate<string>(focused)
      if (name !== null && (await page.evaluate<string>("document.activeElement.tagName")) !== "BODY") {
        reached.add(name)
        expect(await page.evaluate<boolean>(isVisible), name).toBe(true)
      }
    }
    const controls = await page.evaluate<string[]>(
      "[...document.querySelectorAll('button:not([tabindex=\"-1\"]), a[href]')].map((each) => each.textContent.trim() || each.getAttribute('aria-label'))",
    )
    expect(controls.filter((name) => !reached.has(name))).toEqual([])

    const row = page.locator("[data-call] button").first()
    await row.focus()
    await page.keyboard.press("Enter")
    await page.locator(".receipt").waitFor()
    await page.getByRole("tab", { name: "Model" }).focus()
    await page.keyboard.press("ArrowRight")
    await soon(() => page.getByRole("tab", { selected: true }).innerText()).toBe("User")
    await soon(() => page.evaluate<string>("document.activeElement.textContent")).toBe("User")
    expect(open.problems).toEqual([])
  })

  it("changes its colors by the system's setting and by the switch, and remembers the choice", async () => {
    await using served = await serveDashboard([{ scope: "total", limit: 1 }])
    await using open = await openPage(served, { colorScheme: "light" })
    const { page } = open
    const color = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor")
    const light = await color()
    await page.emulateMedia({ colorScheme: "dark" })
    await soon(color).not.toBe(light)
    const dark = await color()
    const change = page.getByRole("button", { name: /^Colors/ })
    await change.click()
    await soon(color).toBe(light)
    await page.reload()
    await soon(color).toBe(light)
    await page.emulateMedia({ colorScheme: "light" })
    await change.click()
    await soon(color).toBe(dark)
    await change.click()
    await soon(color).toBe(light)
    expect(open.problems).toEqual([])
  })

  it("shows other ranges", async () => {
    const clock = { now: Date.now() - 3 * 3_600_000 }
    const budget = createBudget({
      store: memoryStore({ now: () => clock.now }),
      limits: [{ scope: "total", limit: null }],
    })
    await call(budget, { userId: "ada", model: "m" }, 300_000_000)
    clock.now += 3 * 3_600_000
    await call(budget, { userId: "ada", model: "m" }, 20_000_000)
    await using served = await serveDashboard([], { budget })
    await using open = await openPage(served)
    const { page } = open
    await soon(() => figure(page, "spent")).toContain("$0.32")
    for (const [range, spent] of [
      ["1h", "$0.02"],
      ["30d", "$0.32"],
      ["1h", "$0.02"],
      ["7d", "$0.32"],
    ] as const) {
      await page.getByRole("button", { name: range, exact: true }).click()
      await soon(() => figure(page, "spent")).toContain(spent)
    }
    expect(open.problems).toEqual([])
  })

  it("says when its program has ended, and keeps what it showed", async () => {
    await using served = await serveDashboard([{ scope: "total", limit: 1 }])
    await call(served.budget, { userId: "ada", model: "m" }, 7_000_000)
    await using open = await openPage(served)
    await soon(() => figure(open.page, "spent")).toContain("$0.007")
    await served.server.close()
    await open.page.getByText("Connection lost.").waitFor()
    expect(await open.page.getByRole("status").innerText()).toBe("Reconnecting")
    expect(await figure(open.page, "spent")).toContain("$0.007")
  })

  it("says when it is signed out, and that a link was used", async () => {
    await using served = await serveDashboard([{ scope: "total", limit: 1 }])
    await using open = await openPage(served)
    const link = served.dashboard.createLink()
    await using first = await openContext()
    await first.page.goto(link)
    await using stranger = await openContext()
    await stranger.page.goto(link)
    expect(await stranger.page.innerText("h1")).toContain("has been used")
    expect(await violations(stranger.page)).toEqual([])
    await stranger.page.goto(`${served.url}/dashboard/`)
    expect(await stranger.page.innerText("h1")).toBe("Not signed in")
    served.dashboard.close()
    await open.page.getByText("Signed out. Open the dashboard with a new link").waitFor()
  })
})

async function openContext(): Promise<{ page: Page } & AsyncDisposable> {
  const context = await browser.newContext()
  context.setDefaultTimeout(PAGE_TIMEOUT_MS)
  return { page: await context.newPage(), [Symbol.asyncDispose]: () => context.close() }
}

/** What axe finds, of every impact. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  return page.evaluate<string[]>(
    "axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) => impact + ': ' + id + ' ' + nodes.map(({ html }) => html.slice(0, 160)).join(' | ')))",
  )
}
