// Completes the maximum output tokens if no source states one.
import { FIRST_PARTIES } from "./merge.mjs"
import { identityOf, withoutVersionDay } from "./model-identity.mjs"

/**
 * Gives rows without a maximum the one that is listed for the same model elsewhere: that of a first party, otherwise the highest of all sellers,
 * because a smaller one would truncate answers that this seller may allow. The result never exceeds the row's own
 * context window. A bound does not rely on it: see `maxOutputBasis` in src/table/price-row.ts.
 *
 * @param rows all rows, changed in place
 * @param others more rows that state limits, such as those at price 0
 */
export function addMaxOutputs(rows, others) {
  const listed = listedByModel([...rows, ...others])
  for (const row of rows) {
    if (row.maxOutput !== undefined) {
      row.maxOutputBasis = "listed"
      continue
    }
    const identity = identityOf(row)
    const twins = listed.get(identity) ?? listed.get(withoutVersionDay(identity))
    if (twins !== undefined) {
      const twin = leading(twins)
      row.maxOutput = Math.min(twin.maxOutput, row.context ?? Number.POSITIVE_INFINITY)
      row.maxOutputBasis = "same model"
      row.maxOutputFrom = twin.key
    } else if (row.context !== undefined) {
      // Input and output share the window, so no answer exceeds it.
      row.maxOutput = row.context
      row.maxOutputBasis = "context window"
    }
  }
}

function listedByModel(rows) {
  const listed = new Map()
  for (const row of rows) {
    if (row.maxOutput === undefined) continue
    const identity = identityOf(row)
    listed.set(identity, [...(listed.get(identity) ?? []), row])
  }
  return listed
}

/** The row that states the maximum: the highest of first parties, which know their models, else of all. */
function leading(rows) {
  const own = rows.filter((row) => FIRST_PARTIES.includes(row.provider))
  return (own.length > 0 ? own : rows).reduce((best, row) => (row.maxOutput > best.maxOutput ? row : best))
}
