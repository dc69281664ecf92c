import { InvalidArgumentError, type NanoUsd, type Request } from "@p2/core"
import { describeCall, type PricedCall } from "@p2/guard/protocols"
import type { BoundOptions, PriceTable } from "@p2/pricing"

/** What `extraBody` and `extraHeaders` can add to the cost of an attempt. */
export interface ExtraFields {
  /** Input tokens in addition to the messages. */
  inputTokens: number
  /** What the user states in `extraCost`, in nano-USD. */
  costNanoUsd: NanoUsd
  bound: Partial<Pick<BoundOptions, "webSearches" | "cacheWrites" | "outputModalities">>
}

const NONE = { inputTokens: 0, bound: {} }

/**
 * Reads what the extra fields can cost by the rules of `@p2/guard`, as the difference to the same call without them.
 * @throws InvalidArgumentError for a field whose cost is not understood, if `extraCost` is not stated
 */
export function readExtraFields(
  request: Request<unknown>,
  route: { model: string; sentModel: string; provider: string; url: string; native: boolean; prices: PriceTable },
): ExtraFields {
  const { extraBody, extraHeaders, extraCostNanoUsd } = request
  const stated = { ...NONE, costNanoUsd: extraCostNanoUsd ?? 0 }
  const hasFields = Object.keys(extraBody).length > 0
  if (!hasFields && Object.keys(extraHeaders).length === 0) return stated
  const describe = (fields: object, headers: Readonly<Record<string, string>>) =>
    describeCall(
      {
        method: "POST",
        url: new URL(`${route.url.replace(/\/$/, "")}${route.native ? "/messages" : "/chat/completions"}`),
        headers: new Headers(headers),
        body: {
          kind: "json",
          value: { ...fields, model: route.sentModel, messages: MESSAGES, max_tokens: MAX_TOKENS },
        },
      },
      { prices: route.prices, deployments: { [route.sentModel]: route.sentModel }, provider: route.provider },
    )
  const extended = describe(extraBody, extraHeaders)
  const plain = describe({}, {})
  if (extended.status === "priced" && plain.status === "priced") return { ...stated, ...differenceOf(extended, plain) }
  // Guard may not know a model that has the user's own price. Headers alone add no field to the body.
  if (extraCostNanoUsd !== undefined || (!hasFields && plain.status !== "priced")) return stated
  const reason =
    extended.status === "rejected" && plain.status === "priced"
      ? extended.message
      : "The cost of extra fields is unknown for this model."
  throw new InvalidArgumentError(
    "extraBody",
    "fields whose cost is understood",
    extraBody,
    `Invalid \`extraBody\` for "${route.model}": ${reason} Or state the most that the field can cost in \`extraCost\`.`,
  )
}

const MESSAGES = [{ role: "user", content: "" }]
/** Above the smallest thinking budget. */
const MAX_TOKENS = 1_000_000

function differenceOf(call: PricedCall, plain: PricedCall): Pick<ExtraFields, "inputTokens" | "bound"> {
  const { webSearches = 0, cacheWrites, outputModalities } = call.boundOptions
  const isSame = String(outputModalities) === String(plain.boundOptions.outputModalities)
  return {
    inputTokens: call.input.upperBound - plain.input.upperBound,
    bound: {
      webSearches,
      ...(cacheWrites === plain.boundOptions.cacheWrites ? {} : { cacheWrites }),
      ...(isSame ? {} : { outputModalities }),
    },
  }
}
