import { P2Error } from "@p2/core"
import { runBatch } from "./batch"
import { runConcurrentCallers } from "./concurrent-callers"
import { runGuide } from "./guide"
import { HELP, readOptions } from "./options"
import { openProvider } from "./provider"

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (options === "help") return console.log(HELP)
  const provider = await openProvider(options)
  console.log("p2: typed LLM calls under a hard spending cap.")
  console.log(`Provider: ${provider.description}. Model: ${options.model}. Store: ${storeName(options.store)}.`)
  try {
    await runGuide(options, provider)
    await runConcurrentCallers(options, provider)
    await runBatch(options, provider)
  } finally {
    await provider.close()
  }
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
