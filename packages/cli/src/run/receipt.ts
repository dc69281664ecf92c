import type { LimitStatus } from "@p2/budget"
import { formatUsd, plural } from "@p2/core"
import { formatCount, printable, renderTable } from "../output/table"
import type { ChildEnd } from "./child-process"
import type { RunOptions } from "./run-options"
import type { RunTotals } from "./run-totals"

/** Everything that a receipt shows. */
export interface ReceiptData {
  options: Pick<RunOptions, "runId" | "program" | "userId" | "per" | "clamp" | "inputBound">
  totals: RunTotals
  /** The limit after the last call; undefined: the store no longer responded. */
  limit: LimitStatus | undefined
  end: ChildEnd
  startedAt: Date
  endedAt: Date
  /** Settlements that the store has not confirmed. */
  pending: number
}

const COLUMNS = [
  { title: "model" },
  { title: "calls", align: "right" },
  { title: "input", align: "right" },
  { title: "output", align: "right" },
  { title: "cost", align: "right" },
] as const

/** The receipt as lines for a terminal. */
export function describeReceipt({ options, totals, limit, pending }: ReceiptData): string {
  const lines = [`p2: ${printable(options.program)}, run ${options.runId}: ${spent(totals)}`]
  if (totals.models.length > 0) {
    const rows = totals.models.map(({ provider, model, calls, inputTokens, outputTokens, costNanoUsd }) => [
      `${provider}/${model}`,
      ...[calls, inputTokens, outputTokens].map(formatCount),
      formatUsd(costNanoUsd),
    ])
    lines.push(indent(renderTable(COLUMNS, rows)))
  }
  lines.push(indent(describeLimit(options, limit)))
  if (totals.inDoubtCalls > 0)
    lines.push(
      indent(
        `in doubt: ${formatUsd(totals.inDoubtNanoUsd)} for ${plural(totals.inDoubtCalls, "call")} whose cost is unknown`,
      ),
    )
  if (totals.denied > 0) lines.push(indent(describeDenials(totals, options)))
  for (const { message, calls } of totals.rejected)
    lines.push(indent(`${plural(calls, "call")}: ${printable(message)}`))
  if (pending > 0) lines.push(indent(`not confirmed by the store: ${plural(pending, "settlement")}`))
  return lines.join("\n")
}

/** Their tokenizers are not public, so the hard bound of a prompt is several times its tokens; both count tokens for free. */
const COUNTING_PROVIDERS = ["anthropic", "gemini"]

function describeDenials(totals: RunTotals, { clamp, inputBound }: ReceiptData["options"]): string {
  const { denied, deniedProviders, lastDenial } = totals
  const lines = [`denied: ${plural(denied, "call")}, not sent`]
  if (lastDenial !== undefined) lines.push(printable(lastDenial))
  if (!clamp) lines.push("--clamp lowers the output limits of calls to what the budget can pay")
  if (inputBound === undefined && COUNTING_PROVIDERS.some((name) => deniedProviders.has(name)))
    lines.push("--input-bound provider bounds the input by the provider's own count plus 5 %")
  return lines.join("\n")
}

function spent({ calls, costNanoUsd }: RunTotals): string {
  return calls === 0 ? "no calls" : `${plural(calls, "call")}, ${formatUsd(costNanoUsd)}`
}

function describeLimit({ userId, per }: ReceiptData["options"], limit: LimitStatus | undefined): string {
  if (limit === undefined) return "remaining: unknown, because the store did not respond"
  const whose =
    per === undefined ? "of the run" : `of ${printable(userId)} ${per === "total" ? "in all" : `per ${per}`}`
  return `remaining: ${formatUsd(limit.remainingNanoUsd!)} of ${formatUsd(limit.limitNanoUsd! + limit.grantedNanoUsd!)} ${whose}`
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ")
}

/** The receipt as JSON. Amounts are integers of nano-USD. */
export function receiptJson(data: ReceiptData): string {
  const { options, totals, limit, end, startedAt, endedAt, pending } = data
  const { calls, costNanoUsd, denied, rejected, models } = totals
  const receipt = {
    ...{ run: options.runId, program: options.program, user: options.userId },
    ...{ startedAt: startedAt.toISOString(), endedAt: endedAt.toISOString() },
    exit: end,
    ...{ calls, costNanoUsd, models },
    inDoubt: { calls: totals.inDoubtCalls, costNanoUsd: totals.inDoubtNanoUsd },
    ...{ denied, lastDenial: totals.lastDenial ?? null, rejected, pending },
    limit: limit ?? null,
  }
  return `${JSON.stringify(receipt, null, 2)}\n`
}
