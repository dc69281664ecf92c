// From which input on a dearer context tier holds.
import { THRESHOLDS } from "./overrides.mjs"

/** The first number of input tokens of a tier that a source says to begin above `above`. */
export function thresholdOf(name, above) {
  const rule = THRESHOLDS.find((each) => each.above.includes(above) && each.names.test(name))
  return rule?.from ?? above + 1
}
