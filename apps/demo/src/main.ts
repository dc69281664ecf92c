import { P2Error } from "@p2/core"
import { runBatch } from "./batch"
import { runConcurrentCallers } from "./concurrent-callers"
import { openDashboard } from "./dashboard"
import { runGuide } from "./guide"
import { HELP, readOptions } from "./options"
import { openProvider } from "./provider"

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (options === "help") return console.log(HELP)
  const provider = await openProvider(options)
  console.log("p2: typed LLM calls under a hard spending cap.")
  console.log(`Provider: ${provider.description}. Model: ${options.model}. Store: ${storeName(options.store)}.`)
  const dashboard = options.dashboard ? await openDashboard(options.store) : undefined
  const store = dashboard?.store ?? options.store
  try {
    if (dashboard !== undefined) console.log(`Dashboard: ${dashboard.link} (opens once)`)
    await runGuide(options, provider, store)
    if (dashboard !== undefined) console.log("\nThe callers start when you open the dashboard, or after a minute.")
    await dashboard?.opened
    await runConcurrentCallers(options, provider, store, dashboard)
    await runBatch(options, provider, store)
    if (dashboard !== undefined) await ended("\nThe dashboard stays open until you press Ctrl+C.")
  } finally {
    await dashboard?.close()
    await provider.close()
  }
}

/** Resolves when the user ends the program. */
function ended(message: string): Promise<void> {
  console.log(message)
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve())
  })
}

/** The store without the credentials and the query of its URL: both may hold a password. */
function storeName(store: string | undefined): string {
  return store === undefined ? "memory" : store.replace(/\/\/.*@/, "//…@").replace(/\?.*/, "")
}

main().catch((error: unknown) => {
  const message = error instanceof Error || P2Error.isInstance(error) ? error.message : String(error)
  console.error(`\nError: ${message}\n\nOptions: npm start -- --help`)
  process.exitCode = 1
})
