import { formatUsd, type NanoUsd, type Request } from "@p2/core"
import type { AttemptReceipt, Receipt } from "../receipt"
import type { Route } from "./route"

/** The last call for people: aligned lines, colours only on a terminal. No key, no content. */
export function usageText(request: Request<unknown>, route: Route, receipt: Receipt | undefined): string {
  if (receipt === undefined) return "No call has been made yet."
  const last = receipt.attempts.at(-1)
  const { usage } = receipt
  const rows = [
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
    ["Cost", `${dollars(receipt.costNanoUsd)} (${SOURCES[receipt.costSource]})`],
    ["Set aside", dollars(receipt.reservedNanoUsd)],
  ]
  if (request.maxBudgetNanoUsd !== undefined) {
    const left = Math.max(0, request.maxBudgetNanoUsd - receipt.costNanoUsd)
    rows.push(["Budget", `${dollars(request.maxBudgetNanoUsd)}, ${dollars(left)} left after the call`])
  }
  if (receipt.settlement === "pending") rows.push(["Settlement", "pending at the store"])
  const lines = [painted(BOLD, "Usage"), ...aligned(rows, (label) => painted(DIM, label))]
  if (receipt.attempts.length > 1 || last?.status !== "succeeded")
    lines.push("Attempts", ...aligned(receipt.attempts.map(attemptRow)))
  return lines.join("\n")
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
  const named = parts.filter(([, count]) => count).map(([name, count]) => `${count} ${name}`)
  return named.length === 0 ? String(total) : `${total} (${named.join(", ")})`
}

/** Pico-USD per token is micro-USD per million: a thousandth of nano-USD per million. */
function priceText(route: Route): string {
  const { input, output } = route.rates()
  return `${dollars(input * 1000)} in, ${dollars(output * 1000)} out`
}

function dollars(nanoUsd: NanoUsd): string {
  return `$${formatUsd(nanoUsd)}`
}

function attemptRow(each: AttemptReceipt): string[] {
  return [
    `  ${each.attempt}.`,
    each.reason,
    each.model,
    each.mode,
    each.errorCode ?? each.status,
    dollars(each.costNanoUsd),
    each.costSource,
  ]
}

/** One line for each row, its cells below one another. */
function aligned(rows: string[][], paintFirst = (cell: string) => cell): string[] {
  const padded = (cell: string, column: number) => cell.padEnd(Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => {
    const [first, ...others] = row.map(padded)
    return [paintFirst(first!), ...others].join("  ").trimEnd()
  })
}

const BOLD = 1
const DIM = 2

function painted(code: number, text: string): string {
  // Only a terminal's stream has the method, which looks at NO_COLOR, TERM and their like.
  return process.stdout.hasColors?.() ? `\x1b[${code}m${text}\x1b[0m` : text
}
