// disagreements.md: where the sources state different first-party prices.
import { decimalText } from "./decimal.mjs"

const usd = (rate) => {
  const text = decimalText(rate, 6)
  return text.startsWith(".") ? `0${text}` : text
}

export function reportFile({ report, command, newer, older }) {
  const lines = report
    .sort((a, b) => (a.key + a.kind < b.key + b.kind ? -1 : 1))
    .map(({ key, kind, fromInputTokens, newerRate, olderRate, override }) => {
      const used = Math.max(newerRate, olderRate)
      return `| \`${key}\` | ${kind} | ${fromInputTokens} | ${override ? "override" : newer} ${usd(newerRate)} | ${usd(olderRate)} | ${usd(used)} |`
    })
  return `# Disagreements between the sources

Written by \`${command}\`. Where two sources state different prices of a provider for its own models, a cost uses the newer
one and an upper bound counts the higher one. USD per million tokens; "from" is the number of input tokens at which the rate begins.
The other source is ${older}, or, beside an override, whichever of the two packages differs.

| model | kind | from | newer source says | other source says | the bound counts |
|---|---|---|---|---|---|
${lines.join("\n")}
`
}
