import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import chromium from "@sparticuz/chromium"
import { type Browser, chromium as playwright } from "playwright-core"

/** A busy machine starts browsers slowly. */
const START_TIMEOUT_MS = 110_000

/** A real Chromium, without the arguments of its npm package, which disable the browser's same-origin protection. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = await unpackBrowser()
  const args = ["--no-sandbox", "--disable-gpu"]
  return playwright.launch({ executablePath, args, headless: true, timeout: START_TIMEOUT_MS })
}

/**
 * Unpacks the browser once, into the folder of its npm package. The package itself unpacks into the temporary folder,
 * and mistakes a file that another process is still writing for a complete one.
 */
async function unpackBrowser(): Promise<string> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")), "..", "unpacked")
  if (!existsSync(folder)) {
    const own = mkdtempSync(`${folder}-`)
    const { TMPDIR } = process.env
    try {
      process.env.TMPDIR = own
      await chromium.executablePath()
      renameSync(own, folder)
    } catch (error) {
      rmSync(own, { recursive: true, force: true })
      // Another process may have been first.
      if (!existsSync(folder)) throw error
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = TMPDIR
    }
  }
  return join(folder, "chromium")
}
