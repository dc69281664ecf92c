import { randomUUID } from "node:crypto"
import { LLMClient } from "@p2/client"
import { formatUsd } from "@p2/core"
import cliProgress from "cli-progress"
import type { DemoOptions } from "./options"
import { compare, dollars, heading, table } from "./print"
import type { Provider } from "./provider"

interface Tally {
  admitted: number
  refused: number
  failed: number
  costNanoUsd: number
}

/**
 * Many callers at once on a budget for a few. The user's budget is so many times the most that one call can cost; every
 * caller has a client of its own and they share nothing but the store.
 */
export async function runCrowd(options: DemoOptions, provider: Provider): Promise<void> {
  heading(`${options.callers} callers at once on a budget for ${options.affordable}`)
  const userId = randomUUID()
  const request = { model: options.model, maxTokens: 300, userId, clientId: "demo" }
  const bound = await boundOf(request, options, provider)
  const userBudget = formatUsd(bound * options.affordable)
  table({ "Most one call can cost": dollars(bound), "Budget of the user": `$${userBudget}` })
  // Answers take long enough that every caller has asked before the first one is done.
  provider.local?.faults.always({ delayMs: 500 })
  const before = provider.local?.ledger.calls.length ?? 0
  const tally = await callAll({ ...request, userBudget }, options, provider)
  provider.local?.faults.clear()
  table({
    Admitted: tally.admitted,
    Refused: tally.refused,
    Failed: tally.failed,
    "Our receipts": dollars(tally.costNanoUsd),
  })
  const calls = provider.local?.ledger.calls.slice(before)
  if (calls === undefined) return
  const billed = calls.reduce((sum, call) => sum + call.nanoUsd, 0)
  table({ "Calls the provider billed": calls.length, "Receipts and its ledger": compare(tally.costNanoUsd, billed) })
}

type CrowdRequest = { model: string; maxTokens: number; userId: string; clientId: string; userBudget?: string }

async function boundOf(request: CrowdRequest, options: DemoOptions, provider: Provider): Promise<number> {
  await using client = new LLMClient(request, provider.connection)
  client.msg.addMessageUser(options.prompt)
  return (await client.getBudgetInfo()).upperBoundCostNanoUsd
}

async function callAll(request: CrowdRequest, options: DemoOptions, provider: Provider): Promise<Tally> {
  const tally: Tally = { admitted: 0, refused: 0, failed: 0, costNanoUsd: 0 }
  const bar = progressBar(options.callers)
  await Promise.all(
    Array.from({ length: options.callers }, async () => {
      await using client = new LLMClient(request, { ...provider.connection, store: options.store })
      client.msg.addMessageUser(options.prompt)
      const result = await client.generate()
      if (result.ok) tally.admitted += 1
      else if (result.error.kind === "denied") tally.refused += 1
      else tally.failed += 1
      tally.costNanoUsd += result.receipt.costNanoUsd
      bar?.increment({ admitted: tally.admitted, refused: tally.refused })
    }),
  )
  bar?.stop()
  return tally
}

/** A bar on a terminal; nothing when the output goes to a file. */
function progressBar(total: number): cliProgress.SingleBar | undefined {
  if (process.stdout.isTTY !== true) return undefined
  const format = "  {bar} {value}/{total}  admitted {admitted}  refused {refused}"
  const bar = new cliProgress.SingleBar({ format, hideCursor: true }, cliProgress.Presets.shades_classic)
  bar.start(total, 0, { admitted: 0, refused: 0 })
  return bar
}
