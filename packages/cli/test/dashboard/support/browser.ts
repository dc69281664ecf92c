import chromium from "@sparticuz/chromium"
import { type Browser, chromium as playwright } from "playwright-core"

/**
 * A real Chromium, from its npm package: it unpacks itself into the temporary folder. Not with the arguments of that package, which
 * turn the browser's own protection of origins off.
 */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = await chromium.executablePath()
  return playwright.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"], headless: true })
}
