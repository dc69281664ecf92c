// biome-ignore-all lint/performance/useDomNodeTextContent: the tests read what the user sees

import { createBudget, memoryStore } from "@p2/budget"
import { formatUsd } from "@p2/core"
import { describe, expect, it } from "vitest"
import { noonZone } from "../support/noon-zone"
import { soon } from "../support/soon"
import { call, figure, useBrowser } from "./support/pages"
import { seed } from "./support/seed"
import { serveDashboard } from "./support/served-dashboard"

const { openPage } = useBrowser()

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
})
