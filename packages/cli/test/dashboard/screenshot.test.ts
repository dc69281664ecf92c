import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { launchBrowser } from "./support/browser"
import { seed } from "./support/seed"
import { serveDashboard } from "./support/served-dashboard"

const docs = fileURLToPath(new URL("../../docs/", import.meta.url))
const MAX_BYTES = 200_000

// `UPDATE_SCREENSHOT=1 npx vitest run test/dashboard/screenshot.test.ts` takes the picture of the documentation.
it("takes a screenshot for the documentation", async () => {
  const browser = await launchBrowser()
  try {
    const budget = await seed.budget()
    await using served = await serveDashboard([], { budget, title: `claude -p "Fix the failing test"` })
    const page = await browser.newPage({ locale: "en-GB", viewport: { width: 1280, height: 1230 } })
    await page.goto(served.dashboard.createLink())
    await page.locator("[data-call]").first().waitFor()
    await page.locator("canvas").waitFor()
    const picture = await page.screenshot()
    expect(picture.subarray(1, 4).toString()).toBe("PNG")
    expect(picture.length).toBeLessThan(MAX_BYTES)
    if (process.env.UPDATE_SCREENSHOT === "1") {
      mkdirSync(docs, { recursive: true })
      writeFileSync(`${docs}dashboard.png`, picture)
    }
  } finally {
    await browser.close()
  }
})

it("shows a real screenshot in the documentation, with alternative text", () => {
  const picture = readFileSync(`${docs}dashboard.png`)
  expect(picture.subarray(1, 4).toString()).toBe("PNG")
  expect(picture.length).toBeLessThan(MAX_BYTES)
  expect(readFileSync(`${docs}dashboard.md`, "utf8")).toMatch(/!\[[^\]]{40,}\]\(dashboard\.png\)/)
})
