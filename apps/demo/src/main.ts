import { P2Error } from "@p2/core"
import { runCrowd } from "./crowd"
import { runGuide } from "./guide"
import { HELP, readOptions } from "./options"
import { openProvider } from "./provider"

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (options === "help") return console.log(HELP)
  const provider = await openProvider(options)
  console.log("p2: structured LLM calls that cannot cost more than you said they may.")
  console.log(`Provider: ${provider.description}. Model: ${options.model}. Store: ${storeName(options.store)}.`)
  try {
    await runGuide(options, provider)
    await runCrowd(options, provider)
  } finally {
    await provider.close()
  }
}

/** The store without a password that its URL may hold. */
function storeName(store: string | undefined): string {
  return store === undefined ? "memory" : store.replace(/\/\/[^@/]*@/, "//…@")
}

main().catch((error: unknown) => {
  const message = error instanceof Error || P2Error.isInstance(error) ? error.message : String(error)
  console.error(`\nError: ${message}\n\nnpm start -- --help lists the options.`)
  process.exitCode = 1
})
