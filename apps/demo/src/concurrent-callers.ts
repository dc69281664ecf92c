import { randomUUID } from "node:crypto"
import { setTimeout } from "node:timers/promises"
import { LLMClient } from "@p2/client"
import { formatUsd } from "@p2/core"
import cliProgress from "cli-progress"
import type { DemoDashboard } from "./dashboard"
import type { DemoOptions, DemoStore } from "./options"
import { compare, dollars, heading, table } from "./print"
import type { Provider } from "./provider"

/** For the dashboard: how long it takes until all callers have arrived. */
const SHOWN_FOR_MS = 5_000
/** How long the first answer waits for the last caller. */
const LONGEST_WAIT_MS = 60_000

interface Tally {
  admitted: number
  denied: number
  failed: number
  costNanoUsd: number
}

/**
 * Runs many concurrent callers on a budget that covers only a few: `affordable` times the upper bound of one call. Each caller
 * has its own client; the clients share only the store.
 */
export async function runConcurrentCallers(
  options: DemoOptions,
  provider: Provider,
  store: DemoStore,
  dashboard: DemoDashboard | undefined,
): Promise<void> {
  heading(`${options.callers} concurrent callers on a budget that covers ${options.affordable}`)
  const userId = randomUUID()
  const request = { model: options.model, maxTokens: 300, userId, clientId: "demo" }
  const upperBound = await upperBoundOf(request, options, provider)
  const userBudget = formatUsd(upperBound * options.affordable)
  table({ "Upper bound of one call": dollars(upperBound), "Budget of the user": userBudget })
  dashboard?.showLimit(userId, userBudget)
  // For the dashboard, the callers arrive one after another.
  const pauseMs = dashboard === undefined ? 0 : SHOWN_FOR_MS / options.callers
  const before = provider.local?.ledger.calls.length ?? 0
  const running = callAll({ ...request, userBudget }, { options, provider, store, pauseMs })
  // Every caller starts its call before the first answer.
  provider.local?.faults.always({
    until: Promise.race([running.restDenied, setTimeout(LONGEST_WAIT_MS, undefined, { ref: false })]),
  })
  const tally = await running.tally
  provider.local?.faults.clear()
  table({
    Admitted: tally.admitted,
    Denied: tally.denied,
    Failed: tally.failed,
    "Sum of the receipts": dollars(tally.costNanoUsd),
  })
  const calls = provider.local?.ledger.calls.slice(before)
  if (calls === undefined) return
  const billed = calls.reduce((sum, call) => sum + call.nanoUsd, 0)
  table({ "Calls that the provider billed": calls.length, "Receipts and ledger": compare(tally.costNanoUsd, billed) })
}

type CallerRequest = { model: string; maxTokens: number; userId: string; clientId: string; userBudget?: string }

async function upperBoundOf(request: CallerRequest, options: DemoOptions, provider: Provider): Promise<number> {
  await using client = new LLMClient(request, provider.connection)
  client.msg.addMessageUser(options.prompt)
  return (await client.getBudgetInfo()).upperBoundCostNanoUsd
}

interface Call {
  options: DemoOptions
  provider: Provider
  store: DemoStore
  /** Between the starts of two callers. */
  pauseMs: number
}

/** `restDenied` resolves when only as many callers are left as the budget covers. */
function callAll(
  request: CallerRequest,
  { options, provider, store, pauseMs }: Call,
): { tally: Promise<Tally>; restDenied: Promise<void> } {
  const tally: Tally = { admitted: 0, denied: 0, failed: 0, costNanoUsd: 0 }
  const bar = progressBar(options.callers)
  let onRestDenied = () => {}
  const restDenied = new Promise<void>((resolve) => {
    onRestDenied = resolve
  })
  const checkRest = () => {
    if (tally.denied + tally.failed >= options.callers - options.affordable) onRestDenied()
  }
  checkRest()
  const callers = Promise.all(
    Array.from({ length: options.callers }, async (_, index) => {
      if (pauseMs > 0) await setTimeout(index * pauseMs)
      await using client = new LLMClient(request, { ...provider.connection, store })
      client.msg.addMessageUser(options.prompt)
      const result = await client.generate()
      if (result.ok) tally.admitted += 1
      else if (result.error.kind === "denied") tally.denied += 1
      else tally.failed += 1
      tally.costNanoUsd += result.receipt.costNanoUsd
      checkRest()
      bar?.increment({ admitted: tally.admitted, denied: tally.denied })
    }),
  )
  return {
    restDenied,
    tally: callers.then(() => {
      bar?.stop()
      return tally
    }),
  }
}

/** A progress bar on a terminal; none when the output goes to a file. */
function progressBar(total: number): cliProgress.SingleBar | undefined {
  if (process.stdout.isTTY !== true) return undefined
  const format = "  {bar} {value}/{total}  admitted {admitted}  denied {denied}"
  const bar = new cliProgress.SingleBar({ format, hideCursor: true }, cliProgress.Presets.shades_classic)
  bar.start(total, 0, { admitted: 0, denied: 0 })
  return bar
}
