// Writes the model limits that @p2/core publishes, in the text form that packages/core/src/models/model-table.ts reads.

/** The TypeScript text of the file: one constant per table of prices, so that bundlers can leave out the others. */
export function limitsFile({ tables, firstParties, day, header }) {
  const constants = Object.entries(tables).map(
    ([name, rows]) => `export const ${name}Limits: string = ${templateText(linesOf(rows, firstParties))}\n`,
  )
  return [header, `export const limitsDate: string = ${JSON.stringify(day)}\n`, ...constants].join("\n")
}

function linesOf(rows, firstParties) {
  const lines = []
  let provider
  for (const row of rows) {
    if (row.provider !== provider) {
      provider = row.provider
      lines.push(firstParties.includes(provider) ? `${provider} 1` : provider)
    }
    const fields = [row.name, row.context ?? "", row.maxInput ?? "", maxOutputText(row), row.noBareName ? "X" : ""]
    lines.push(`\t${fields.join("\t").replace(/\t+$/, "")}`)
  }
  return lines
}

/** The most output tokens with the basis of the figure. */
function maxOutputText({ maxOutput, maxOutputBasis }) {
  if (maxOutputBasis === "context window") return "="
  return maxOutputBasis === "same model" ? `~${maxOutput}` : (maxOutput ?? "")
}

/** A template literal with one line per entry, so that a diff shows which model changed. */
export function templateText(lines) {
  return `\`${lines.join("\n").replace(/[\\`]|\$\{/g, (match) => `\\${match}`)}\``
}
