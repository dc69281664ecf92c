import { ModelTable, openaiLimits } from "@p2/core/model-limits"
import { table } from "./generated/openai"
import { ModelLookup } from "./table/model-lookup"
import type { PriceTable } from "./table/price-table"
import { RowTable } from "./table/row-table"

/** Only OpenAI's published prices, for bundles that need no others. */
export const prices: PriceTable = /* @__PURE__ */ new RowTable(
  /* @__PURE__ */ new ModelLookup([table], /* @__PURE__ */ new ModelTable([openaiLimits])),
)
