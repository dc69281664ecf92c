import { randomUUID } from "node:crypto"
import { LLMClient, type MapProgress, type MapResult } from "@p2/client"
import cliProgress from "cli-progress"
import { z } from "zod"
import type { DemoOptions, DemoStore } from "./options"
import { compare, dollars, heading, table } from "./print"
import type { Provider } from "./provider"

const Label = z.object({ label: z.enum(["novel", "poem", "play"]), title: z.string() })

/**
 * Labels documents in a batch with one budget, which covers the batch only because calls wait until others settle.
 * Then the same batch again: its answers come from the ledger, and nothing is sent.
 */
export async function runBatch(options: DemoOptions, provider: Provider, store: DemoStore): Promise<void> {
  const { documents: count } = options
  heading(`A batch of ${count} documents on one budget`)
  const documents = Array.from({ length: count }, (_, index) => `Document ${index + 1}: a work of Charles Dickens.`)
  const request = { model: options.model, answerModel: Label, maxTokens: 100, clientId: "demo-batch" }
  await using client = new LLMClient(request, { ...provider.connection, store })
  client.msg.addMessageSystem("Label the document.")
  const idempotencyKey = `demo-${randomUUID()}`
  const before = provider.local?.ledger.calls.length ?? 0
  const run = async (label: string) => {
    const bar = progressBar(label, count)
    let progress: MapProgress | undefined
    const results = await client.map(documents, {
      concurrency: 20,
      maxBudget: options.budget,
      idempotencyKey,
      onProgress: (now) => {
        progress = now
        bar?.update(now.done, { cost: dollars(now.costNanoUsd) })
      },
    })
    bar?.stop()
    return { results, costNanoUsd: progress?.costNanoUsd ?? 0 }
  }
  const first = await run("First run ")
  const calls = provider.local?.ledger.calls.slice(before)
  const second = await run("Second run")
  table({
    "First run": `${summary(first.results)}, ${dollars(first.costNanoUsd)}`,
    "Second run": `${summary(second.results)}, ${dollars(second.costNanoUsd)}`,
  })
  if (calls === undefined) return
  const billed = calls.reduce((sum, call) => sum + call.nanoUsd, 0)
  table({ "Receipts and ledger": compare(first.costNanoUsd, billed) })
}

function summary(results: readonly MapResult<unknown>[]): string {
  const counts = new Map<string, number>()
  for (const { status } of results) counts.set(status, (counts.get(status) ?? 0) + 1)
  return [...counts].map(([status, count]) => `${count} ${status}`).join(", ")
}

/** A progress bar on a terminal; none when the output goes to a file. */
function progressBar(label: string, total: number): cliProgress.SingleBar | undefined {
  if (process.stdout.isTTY !== true) return undefined
  const format = `  ${label} {bar} {value}/{total}  {cost}`
  const bar = new cliProgress.SingleBar({ format, hideCursor: true }, cliProgress.Presets.shades_classic)
  bar.start(total, 0, { cost: "$0.00" })
  return bar
}
