import {
  anthropicLimits,
  googleLimits,
  limitsDate,
  openaiLimits,
  openrouterLimits,
  othersLimits,
} from "./generated/model-limits"
import { ModelTable } from "./models/model-table"

export {
  type ListedModel,
  type MaxOutputBasis,
  type ModelMatch,
  ModelTable,
  type ModelWithWindow,
} from "./models/model-table"
/** Limits of models in text form, by provider. For packages that look up only some providers. */
export { anthropicLimits, googleLimits, openaiLimits, openrouterLimits, othersLimits }

/** The limits of all models that this package lists. The text is read on first use. */
export const modelLimits: ModelTable = /* @__PURE__ */ new ModelTable([
  openaiLimits,
  anthropicLimits,
  googleLimits,
  openrouterLimits,
  othersLimits,
])

/** Day on which the source of the limits was published, as YYYY-MM-DD. */
export const modelLimitsDate: string = limitsDate
