// Writes disagreements.md, where the sources state different first-party prices, and derived-maximums.md.
import { decimalText } from "./decimal.mjs"

const usd = (rate, kind) => {
  const text = decimalText(rate, kind === "request" ? 12 : 6)
  return text.startsWith(".") ? `0${text}` : text
}

function order(a, b) {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** The text of the report. */
export function reportFile({ report, command, older }) {
  const rows = report
    .sort((a, b) => order(a.key, b.key) || order(a.kind, b.kind) || a.fromInputTokens - b.fromInputTokens)
    .map(({ key, source, kind, fromInputTokens, newerRate, olderRate }) => [
      `\`${key}\``,
      kind,
      String(fromInputTokens),
      usd(newerRate, kind),
      usd(olderRate, kind),
      source.split(",")[0],
    ])
  return `# Disagreements between the sources

Written by \`${command}\`. Where two sources state different standard prices of a provider for its own models, a cost uses the
newer one and an upper bound uses the higher one. USD per million tokens, or per request; "from" is the number of input tokens at which the rate
begins. The other source is ${older}. A cache rate that one of the two does not list counts as its input rate.

${table([["model", "kind", "from", "used", "other", "source of what is used"], ...rows])}
`
}

/** Lists the rows that take their maximum output from another seller of the same model, with that seller. */
export function derivedFile({ rows, command }) {
  const derived = rows
    .filter((row) => row.maxOutputBasis === "same model")
    .map((row) => [`\`${row.key}\``, String(row.maxOutput), `\`${row.maxOutputFrom}\``])
  return `# Maximum output taken from another seller of the same model

Written by \`${command}\`. No source states a maximum output for these rows. The table uses the maximum that a provider lists for its own
models, otherwise the highest that any seller lists, and never more than the row's own context window. A bound does not rely on it.

${table([["model", "maximum", "listed for"], ...derived])}
`
}

/** A Markdown table with columns of one width, as the formatter of this repository writes it. */
function table([head, ...rows]) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)))
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n")
}
