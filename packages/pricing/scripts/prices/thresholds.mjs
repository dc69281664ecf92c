// From which input on a dearer context tier holds. Sources write "above 272,000" for OpenAI's "272,000 and more", or not,
// so the published rule of the vendor decides, whoever resells the model.

/**
 * OpenAI moves at 272,000 and xAI at 200,000 input tokens, both inclusive; Google moves above 200,000. Others are taken as written.
 * Sources: overrides.mjs, `thresholds`.
 */
export function thresholdOf(name, above) {
  if (above === 272_000 || above === 271_999) return 272_000
  if (/(^|[/.])grok-/.test(name) && (above === 200_000 || above === 199_999)) return 200_000
  return above + 1
}
