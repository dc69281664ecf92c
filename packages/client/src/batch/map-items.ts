import { callObserver, toUsdNumber } from "@p2/core"
import type { ErrorWithReceipt } from "../errors"
import type { Receipt } from "../receipt"
import type { MapOptions, MapProgress, MapResult } from "./map-options"

/** How many items ended in each way. */
type Counts = Record<MapResult<unknown>["status"], number>

/**
 * Calls the items that have no result yet, in order, at most `concurrency` concurrently. Stops at the first denial that waiting
 * cannot resolve. Never rejects.
 *
 * @param results those of the items that were answered in an earlier run
 */
export async function mapItems<Answer>(
  results: (MapResult<Answer> | undefined)[],
  call: (index: number) => Promise<Exclude<MapResult<Answer>, { status: "skipped" }>>,
  { concurrency = 8, signal, onProgress }: Pick<MapOptions<never>, "concurrency" | "signal" | "onProgress">,
): Promise<MapResult<Answer>[]> {
  const counts: Counts = { answered: 0, resumed: 0, failed: 0, skipped: 0 }
  let [running, costNanoUsd, isDenied] = [0, 0, false]
  const report = () => {
    const done = counts.answered + counts.resumed + counts.failed + counts.skipped
    const progress: MapProgress = {
      total: results.length,
      done,
      ...counts,
      running,
      cost: toUsdNumber(costNanoUsd),
      costNanoUsd,
    }
    callObserver(() => onProgress?.(progress))
  }
  for (const result of results) if (result !== undefined) counts[result.status]++
  report()

  const waiting = [...results.keys()].filter((index) => results[index] === undefined)
  const end = (result: MapResult<Answer>) => {
    results[result.index] = result
    counts[result.status]++
    if (result.status !== "skipped") running--
    report()
  }
  const worker = async () => {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
      if (signal?.aborted || isDenied) {
        end({ index, status: "skipped", reason: isDenied ? "denied" : "aborted" })
        continue
      }
      running++
      const result = await call(index)
      if ("receipt" in result) costNanoUsd += result.receipt.costNanoUsd
      const denial = result.status === "failed" ? denialIn(result) : undefined
      if (denial === "busy" && running > 1 && !signal?.aborted) {
        // Calls of this batch hold room: call it again when one of them has ended.
        running--
        waiting.unshift(index)
        await ended()
        continue
      }
      isDenied ||= denial === "final"
      end(result)
      wake()
    }
  }
  // Workers whose item was denied wait here until another item ends.
  let wakers: (() => void)[] = []
  const ended = () => new Promise<void>((resolve) => wakers.push(resolve))
  const wake = () => {
    for (const resolve of wakers) resolve()
    wakers = []
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, waiting.length) }, worker))
  return results as MapResult<Answer>[]
}

/**
 * `final`: a limit over several calls denies it, and waiting does not help. The limit of one call does not affect the others.
 * `busy`: nothing was sent, and the call fits once other calls settle.
 */
function denialIn({ error, receipt }: { error: ErrorWithReceipt; receipt: Receipt }): "busy" | "final" | undefined {
  if (error.code !== "budget-exceeded" || error.scope === "request") return undefined
  if (!error.busy) return "final"
  return receipt.attempts.every(({ status }) => status === "denied") ? "busy" : undefined
}
