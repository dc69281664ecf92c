import { decodedSegment } from "../identifier"
import type { CallDescription, ProtocolContext, ProviderCall } from "../protocol"
import { batchKey } from "../variants/batch-key"
import { providerOf } from "../variants/called-model"
import { MESSAGE_BATCHES } from "./batch-format"

/** What a path of the API means. */
export type MessagesTarget =
  | { status: "other" }
  | { status: "decided"; description: CallDescription }
  /** The start of a message batch. */
  | { status: "batch" }
  | {
      status: "messages"
      /** Undefined: the body names the model. */
      model?: string
      /** The provider whose prices apply, if the host does not say. */
      seller?: { provider: string }
      region?: { region: string }
    }

const FREE: MessagesTarget = { status: "decided", description: { status: "free" } }

/** Vertex AI's `…/locations/{region}/publishers/anthropic/models/{model}:rawPredict`. */
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
  const batch = /\/messages\/batches(?:\/([\w-]+)(?:\/(results|cancel))?)?$/.exec(path)
  if (batch !== null) return batchTarget(method, batch[1], batch[2])
  if (providerOf(url, context)?.name !== "anthropic") return { status: "other" }
  // https://platform.claude.com/docs/en/api/overview (as of 2026-10): none of these has a price.
  const isFree = method === "HEAD" || /^\/v1\/(models|files)(\/|$)/.test(path)
  return isFree ? FREE : { status: "other" }
}

/** The calls of a message batch are in its start. Its poll sees its end. */
function batchTarget(method: string, id: string | undefined, action: string | undefined): MessagesTarget {
  if (id === undefined) return method === "POST" ? { status: "batch" } : FREE
  const isPoll = (method === "GET" && action === undefined) || (method === "POST" && action === "cancel")
  if (!isPoll) return FREE
  const poll = { provider: "anthropic", idempotencyKey: batchKey(id), format: MESSAGE_BATCHES }
  return { status: "decided", description: { status: "batch-poll", ...poll } }
}
