// The model limits that @p2/tokens reads, from the same rows.

/** The TypeScript text of the file. */
export function limitsFile({ rows, aliases, day, header }) {
  const lines = rows
    .filter((row) => row.context !== undefined)
    .map((row) => [row.key, row.context, row.maxInput ?? "", statedOutput(row) ?? "", ""].join("\t"))
  const names = Object.entries(aliases).map((pair) => pair.join("\t"))
  return [
    header,
    `export const limitsAsOf: string = ${JSON.stringify(day)}`,
    "",
    "/** key, context window, most input tokens, most output tokens, encoding; empty where unknown */",
    `export const limitsTable: string = ${templateText(lines)}`,
    "",
    "/** alias, key */",
    `export const limitsAliases: string = ${templateText(names)}`,
    "",
  ].join("\n")
}

/** The window says nothing that it does not say already. */
function statedOutput({ maxOutput, maxOutputBasis }) {
  return maxOutputBasis === "context window" ? undefined : maxOutput
}

/** A template literal with one line per entry, so that a diff shows which model changed. */
export function templateText(lines) {
  return `\`${lines.join("\n").replace(/[\\`]|\$\{/g, (match) => `\\${match}`)}\``
}
