import { decodedSegment } from "../identifier"
import type { CallDescription, ProtocolContext, ProviderCall } from "../protocol"
import { unbounded } from "../rejection"
import { providerOf } from "../variants/called-model"

/** What a path of the API means. */
export type MessagesTarget =
  | { status: "other" }
  | { status: "decided"; description: CallDescription }
  | {
      status: "messages"
      /** Undefined: the body names the model. */
      model?: string
      /** The provider whose prices apply, if the host does not say. */
      seller?: { provider: string }
      region?: { region: string }
    }

const FREE: MessagesTarget = { status: "decided", description: { status: "free" } }

/** `…/locations/{region}/publishers/anthropic/models/{model}:rawPredict` of Vertex AI. */
const VERTEX = /\/locations\/([\w-]+)\/publishers\/anthropic\/models\/([^/:]+):(?:streamR|r)awPredict$/

/** Finds the meaning of a path. */
export function targetOf({ method, url }: ProviderCall, context: ProtocolContext): MessagesTarget {
  const path = url.pathname
  const [, region, model] = VERTEX.exec(path) ?? []
  if (region !== undefined && model !== undefined && method === "POST") {
    if (model === "count-tokens") return FREE
    const seller = { provider: "google-vertex" }
    return { status: "messages", model: decodedSegment(model), seller, region: { region } }
  }
  if (method === "POST" && path.endsWith("/messages") && !path.includes("/threads/")) return { status: "messages" }
  if (method === "POST" && path.endsWith("/messages/count_tokens")) return FREE
  const isBatch = /\/messages\/batches(\/[\w-]+(\/(results|cancel))?)?$/.test(path)
  if (isBatch) return method === "POST" && path.endsWith("/batches") ? batches() : FREE
  if (providerOf(url, context)?.name !== "anthropic") return { status: "other" }
  // https://platform.claude.com/docs/en/api/overview (as of 2026-10): none of these has a price.
  const isFree = method === "HEAD" || /^\/v1\/(models|files)(\/|$)/.test(path)
  return isFree ? FREE : { status: "other" }
}

function batches(): MessagesTarget {
  const because = "its requests are priced later, and one reservation cannot cover them"
  return {
    status: "decided",
    description: unbounded("a message batch", because, "Send the calls one by one to `/v1/messages`."),
  }
}
