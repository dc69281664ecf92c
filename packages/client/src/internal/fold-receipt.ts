import { addUsage, type CostSource, type Usage } from "@p2/core"
import type { AttemptReceipt, Receipt, Settlement } from "../receipt"

/** From the least certain to the most. */
const COSTS: readonly CostSource[] = ["bound", "table", "custom", "provider", "none"]
const SETTLEMENTS: readonly Settlement[] = ["pending", "settled", "none"]

/** The receipt of a request as the sum of its attempts. */
export function foldReceipt(
  known: Pick<Receipt, "requestId" | "metadata">,
  attempts: readonly AttemptReceipt[],
  startedAt: number,
  totalMs: number,
): Receipt {
  const usages: Usage[] = []
  const receipt: Receipt = {
    requestId: known.requestId,
    metadata: known.metadata,
    attempts,
    usage: { inputTokens: 0, outputTokens: 0 },
    costNanoUsd: 0,
    costSource: "none",
    reservedNanoUsd: 0,
    settlement: "none",
    timings: { startedAt, totalMs, storeMs: 0 },
  }
  for (const attempt of attempts) {
    if (attempt.usage !== undefined) usages.push(attempt.usage)
    receipt.costNanoUsd += attempt.costNanoUsd
    receipt.reservedNanoUsd += attempt.reservedNanoUsd
    receipt.costSource = lessCertain(COSTS, receipt.costSource, attempt.costSource)
    receipt.settlement = lessCertain(SETTLEMENTS, receipt.settlement, attempt.settlement)
    receipt.timings.storeMs += attempt.timings.reserveMs + (attempt.timings.settleMs ?? 0)
    receipt.timings.firstContentMs = attempt.timings.firstContentMs
  }
  if (usages.length === 1) receipt.usage = usages[0]!
  else if (usages.length > 1) receipt.usage = addUsage(...usages)
  return receipt
}

function lessCertain<T>(order: readonly T[], a: T, b: T): T {
  return order.indexOf(a) <= order.indexOf(b) ? a : b
}
