import { isRecord } from "@p2/core"
import { sumParts } from "../prompt-parts"
import type { PricedCall, Rejection } from "../protocol"
import { invalidBody, unbounded } from "../rejection"
import { type BodyFields, checkFields, words } from "../variants/body-fields"
import type { CalledModel } from "../variants/called-model"
import { pricedCall } from "../variants/priced-call"
import { camelKeys } from "./camel-keys"
import { contentParts, type GeminiPart } from "./content"
import { ContentMeter } from "./meter"

type Body = Readonly<Record<string, unknown>>

const FIELDS: BodyFields = {
  free: words("model taskType outputDimensionality autoTruncate embedContentConfig"),
  read: words("content title requests"),
}

/** Describes `embedContent` and `batchEmbedContents`. Only text has a listed price. */
export function describeEmbedding(original: Body, model: CalledModel): PricedCall | Rejection {
  const body = camelKeys(original)
  const requests = body.requests ?? [body]
  if (!Array.isArray(requests) || !requests.every(isRecord)) return invalidBody("requests", "an array of requests")
  const each = requests.map(camelKeys)
  const wrong = [body, ...each].map((request) => checkFields(request, [FIELDS])).find((found) => found !== undefined)
  if (wrong !== undefined) return wrong
  const parts = each.flatMap(requestParts)
  if (parts.some(({ kind }) => kind === "media" || kind === "unseen"))
    return unbounded("an embedding of media", "no price is listed for it", "Embed text.")
  const prompt = sumParts(parts, model)
  if (prompt.status === "rejected") return prompt
  return pricedCall(model, {
    input: { estimate: prompt.estimate, upperBound: prompt.upperBound },
    maxOutputTokens: 0,
    minOutputTokens: 0,
    boundOptions: { serviceTier: "standard", inputModalities: ["text"] },
    streamed: false,
    bodyToSend: () => ({ ...original }),
    createMeter: () => new ContentMeter({ model: model.countedAs, candidates: 0 }),
  })
}

function requestParts({ content, title }: Body): GeminiPart[] {
  return [...contentParts(content, "content"), ...contentParts(title, "title")]
}
