import type { PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { noJSON } from "../rejection"
import { type CalledModel, calledModel } from "./called-model"

/**
 * Reads the JSON body of a call in one of OpenAI's wire formats, and its model. `name` is, for example, "a chat
 * completion".
 */
export function readJSONCall(
  call: ProviderCall,
  context: ProtocolContext,
  name: string,
): { status: "read"; body: Readonly<Record<string, unknown>>; model: CalledModel } | Rejection {
  if (call.body.kind !== "json") return noJSON(name)
  const body = call.body.value
  const model = calledModel(call, body, context)
  return model.status === "rejected" ? model : { status: "read", body, model }
}

/** Describes a model call, in its region unless the bound names another one. */
export function pricedCall(
  { provider, model, priceKey, region }: CalledModel,
  call: Omit<PricedCall, "status" | "provider" | "model" | "priceKey"> & { priceKey?: string },
): PricedCall {
  const boundOptions = { region, ...call.boundOptions }
  return { status: "priced", provider: provider.name, model, priceKey, ...call, boundOptions }
}
