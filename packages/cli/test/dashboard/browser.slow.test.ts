// biome-ignore-all lint/performance/useDomNodeTextContent: the tests read what the user sees

import { createBudget, memoryStore } from "@p2/budget"
import { describe, expect, it } from "vitest"
import { soon } from "../support/soon"
import { call, figure, useBrowser, violations } from "./support/pages"
import { seed } from "./support/seed"
import { serveDashboard } from "./support/served-dashboard"

const { openPage, openContext } = useBrowser()

describe("the page", () => {
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
