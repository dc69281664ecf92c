// Finds the input from which a context tier applies.
import { THRESHOLDS } from "./overrides.mjs"

/** The first number of input tokens of a tier that begins above `above` in a source. */
export function thresholdOf(name, above) {
  const rule = THRESHOLDS.find((each) => each.above.includes(above) && each.names.test(name))
  return rule?.from ?? above + 1
}
