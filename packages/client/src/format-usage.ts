import { formatUsd, type NanoUsd, type Request } from "@p2/core"
import type { Route } from "./providers/route"
import type { AttemptReceipt, Receipt } from "./receipt"

/** The last call as aligned lines, colored only on a terminal. Contains no key and no content. */
export function formatUsage(request: Request<unknown>, route: Route, receipt: Receipt | undefined): string {
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
        ["from the cache", usage.cacheReadTokens],
        ["written to the cache", usage.cacheWriteTokens],
      ]),
    ],
    ["Output tokens", tokensText(usage.outputTokens, [["reasoning", usage.reasoningTokens]])],
    ["Price per million", priceText(route)],
    ["Cost", `${dollars(receipt.costNanoUsd)} (${SOURCES[receipt.costSource]})`],
    ["Reserved", dollars(receipt.reservedNanoUsd)],
  ]
  if (request.maxBudgetNanoUsd !== undefined) {
    const remaining = Math.max(0, request.maxBudgetNanoUsd - receipt.costNanoUsd)
    rows.push(["Budget", `${dollars(request.maxBudgetNanoUsd)} per call, ${dollars(remaining)} not spent`])
  }
  if (receipt.settlement === "pending") rows.push(["Settlement", "pending: the store has not confirmed the cost"])
  const lines = [styleText(BOLD, "Usage"), ...alignRows(rows, (label) => styleText(DIM, label))]
  if (receipt.attempts.length > 1 || last?.status !== "succeeded")
    lines.push("Attempts", ...alignRows(receipt.attempts.map(attemptRow)))
  return lines.join("\n")
}

const SOURCES = {
  provider: "reported by the provider",
  table: "reported usage at the published price",
  custom: "reported usage at your price",
  bound: "usage unknown: the upper bound",
  none: "nothing was billed",
} as const

function modelText(route: Route, last: AttemptReceipt | undefined): string {
  const model = last?.model ?? route.model
  // A server could report a name with control characters, which a terminal would interpret.
  const used = last?.modelUsed?.replace(/\p{C}/gu, "")
  return used === undefined || model.endsWith(used) ? model : `${model} (answered by ${used})`
}

function tokensText(total: number, parts: [string, number | undefined][]): string {
  const named = parts.filter(([, count]) => count).map(([name, count]) => `${count} ${name}`)
  return named.length === 0 ? String(total) : `${total} (${named.join(", ")})`
}

/** One pico-USD per token equals one micro-USD, or 1,000 nano-USD, per million tokens. */
function priceText(route: Route): string {
  const { input, output } = route.rates()
  return `${dollars(input * 1000)} in, ${dollars(output * 1000)} out`
}

function dollars(nanoUsd: NanoUsd): string {
  return formatUsd(nanoUsd)
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

/** One line per row, with aligned columns. */
function alignRows(rows: string[][], styleFirst = (value: string) => value): string[] {
  const padded = (value: string, column: number) => value.padEnd(Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => {
    const [first, ...others] = row.map(padded)
    return [styleFirst(first!), ...others].join("  ").trimEnd()
  })
}

const BOLD = 1
const DIM = 2

function styleText(code: number, text: string): string {
  // Only a terminal's stream has the method; it respects NO_COLOR and TERM.
  return process.stdout.hasColors?.() ? `\x1b[${code}m${text}\x1b[0m` : text
}
