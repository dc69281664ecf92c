import { formatUsd, type Request } from "@p2/core"
import type { AttemptReceipt, Receipt } from "../receipt"
import type { Route } from "./route"

/** The last call for people: aligned lines, colours only on a terminal. No key, no content. */
export function usageText(request: Request<unknown>, route: Route, receipt: Receipt | undefined): string {
  if (receipt === undefined) return "No call has been made yet."
  const paint = painter()
  const last = receipt.attempts.at(-1)
  const { usage } = receipt
  const rows: [string, string][] = [
    ["Request", receipt.requestId],
    ["Model", modelText(route, last)],
    ["Time", `${(receipt.timings.totalMs / 1000).toFixed(3)} s`],
    [
      "Input tokens",
      tokensText(usage.inputTokens, [
        ["cached", usage.cacheReadTokens],
        ["written to the cache", usage.cacheWriteTokens],
      ]),
    ],
    ["Output tokens", tokensText(usage.outputTokens, [["reasoning", usage.reasoningTokens]])],
    ["Price per million", priceText(route)],
    ["Cost", `$${formatUsd(receipt.costNanoUsd)} (${SOURCES[receipt.costSource]})`],
    ["Set aside", `$${formatUsd(receipt.reservedNanoUsd)}`],
  ]
  if (request.maxBudgetNanoUsd !== undefined) {
    const left = Math.max(0, request.maxBudgetNanoUsd - receipt.costNanoUsd)
    rows.push(["Budget", `$${formatUsd(request.maxBudgetNanoUsd)}, $${formatUsd(left)} left after the call`])
  }
  if (receipt.settlement === "pending") rows.push(["Settlement", "pending: the store has not confirmed yet"])
  const width = Math.max(...rows.map(([label]) => label.length))
  const lines = rows.map(([label, value]) => `${paint.dim(label.padEnd(width))}  ${value}`)
  const attempts = receipt.attempts.length > 1 || last?.status !== "succeeded" ? attemptLines(receipt.attempts) : []
  return [paint.bold("Usage"), ...lines, ...attempts].join("\n")
}

const SOURCES = {
  provider: "as the provider says",
  table: "reported usage at the published price",
  custom: "reported usage at your price",
  bound: "usage unknown: the most it can have cost",
  none: "nothing was billed",
} as const

function modelText(route: Route, last: AttemptReceipt | undefined): string {
  const model = last?.model ?? route.model
  // What a server calls itself may steer a terminal.
  const used = last?.modelUsed?.replace(/\p{C}/gu, "")
  return used === undefined || model.endsWith(used) ? model : `${model} (answered by ${used})`
}

function tokensText(total: number, parts: [string, number | undefined][]): string {
  const named = parts.filter(([, count]) => count !== undefined && count > 0).map(([name, count]) => `${count} ${name}`)
  return named.length === 0 ? String(total) : `${total} (${named.join(", ")})`
}

/** Pico-USD per token is micro-USD per million: a thousandth of nano-USD per million. */
function priceText(route: Route): string {
  const { input, output } = route.rates()
  return `$${formatUsd(input * 1000)} in, $${formatUsd(output * 1000)} out`
}

function attemptLines(attempts: readonly AttemptReceipt[]): string[] {
  const rows = attempts.map((each) => [
    `  ${each.attempt}.`,
    each.reason,
    each.model,
    each.mode,
    each.errorCode ?? each.status,
    `$${formatUsd(each.costNanoUsd)}`,
    each.costSource,
  ])
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? []
  return [
    "Attempts",
    ...rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    ),
  ]
}

function painter() {
  // Only a terminal's stream has the method, which looks at NO_COLOR, TERM and their like.
  const colours = process.stdout.hasColors?.()
  const wrap = (code: number) => (text: string) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text)
  return { bold: wrap(1), dim: wrap(2) }
}
