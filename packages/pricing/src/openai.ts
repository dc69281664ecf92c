import { table } from "./generated/openai"
import { ModelLookup } from "./internal/model-lookup"
import { RowTable } from "./internal/row-table"
import type { PriceTable } from "./price-table"

/** The published prices of OpenAI alone, for bundles that need no other. */
export const prices: PriceTable = /* @__PURE__ */ new RowTable(/* @__PURE__ */ new ModelLookup([table]))
