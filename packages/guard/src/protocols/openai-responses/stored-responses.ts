import { regionOfURL } from "@p2/pricing"
import type { CallDescription, ProtocolContext, ProviderCall, ResumedCall } from "../protocol"
import { rejected } from "../rejection"
import { priceKeyOf, providerOf } from "../variants/called-model"
import { backgroundKey, ResponseMeter } from "./response-meter"

/** Describes a call to `/responses/{id}` or `/responses/{id}/{action}`. No stored response is billed again. */
export function describeStored(
  call: ProviderCall,
  context: ProtocolContext,
  id: string,
  action: string | undefined,
): CallDescription | undefined {
  const { method } = call
  if (id === "input_tokens") return method === "POST" ? { status: "free" } : undefined
  if (id === "compact")
    return rejected(
      "unbounded-cost",
      "The cost of `/responses/compact` has no upper bound: the length of the summary has no limit. Shorten the conversation in your own code.",
    )
  if (action === "input_items") return method === "GET" ? { status: "free" } : undefined
  if (action === undefined && method === "DELETE") return { status: "free" }
  const isPoll = (action === undefined && method === "GET") || (action === "cancel" && method === "POST")
  return isPoll ? describePoll(call, context, id) : undefined
}

function describePoll({ url }: ProviderCall, context: ProtocolContext, id: string): ResumedCall {
  const provider = providerOf(url, context)?.name ?? url.host
  const { deployments, prices } = context
  return {
    status: "resumed",
    provider,
    idempotencyKey: backgroundKey(id),
    priceKeyOf: (model) =>
      priceKeyOf(provider, Object.hasOwn(deployments, model) ? deployments[model]! : model, prices),
    region: regionOfURL(url.href),
    createMeter: () => new ResponseMeter({ provider }),
  }
}
