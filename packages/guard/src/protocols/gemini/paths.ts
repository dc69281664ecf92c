import { decodedSegment } from "../identifier"
import type { CallDescription, ProtocolContext, ProviderCall } from "../protocol"
import { unbounded } from "../rejection"
import { providerOf } from "../variants/called-model"

/** What a path of the API means. */
export type GeminiTarget =
  | { status: "other" }
  | { status: "decided"; description: CallDescription }
  | {
      status: "method"
      model: string
      method: "generateContent" | "streamGenerateContent" | "embedContent" | "batchEmbedContents"
      /** The answer arrives as server-sent events, not as one JSON array. */
      streamed: boolean
      /** The provider whose prices apply, if the host does not say. */
      seller?: { provider: string }
      region?: { region: string }
    }

const OTHER: GeminiTarget = { status: "other" }
const FREE: GeminiTarget = { status: "decided", description: { status: "free" } }

/** `…/models/{model}:{method}`, with Vertex AI's location. */
const METHOD = /^.*?(?:\/locations\/([\w-]+))?(\/publishers\/google)?\/models\/([^/:]+):(\w+)$/

/** Vertex AI hosts: global, regional and multi-regional. */
const VERTEX_HOST = /^([a-z0-9-]+-)?aiplatform\.(\w+\.rep\.)?googleapis\.com$/

/** Methods that are not billed by the tokens of one answer. */
const REJECTED: Readonly<Record<string, readonly [because: string, remedy: string]>> = {
  batchGenerateContent: [
    "the guard does not bound Gemini's batches",
    "Send the calls one by one to `:generateContent`.",
  ],
  asyncBatchEmbedContent: ["the guard does not bound Gemini's batches", "Use `:batchEmbedContents`."],
  predict: ["no prices are listed for its results", "Use `:generateContent` or `:embedContent`."],
  predictLongRunning: ["no prices are listed for its results", "Use a model with `:generateContent`."],
}

/** Finds the meaning of a path. Paths that only the Gemini API has are recognized at every host. */
export function targetOf(call: ProviderCall, context: ProtocolContext): GeminiTarget {
  const { method: verb, url } = call
  const [, location, publisher, model, method] = METHOD.exec(url.pathname) ?? []
  if (verb === "POST" && model !== undefined && method !== undefined) {
    const isVertex = VERTEX_HOST.test(url.host) || publisher !== undefined
    const target = methodTarget(method, decodedSegment(model), url)
    if (target.status !== "method") return target
    return {
      ...target,
      ...(isVertex && { seller: { provider: "google-vertex" } }),
      ...(location !== undefined && { region: { region: location } }),
    }
  }
  const provider = providerOf(url, context)?.name
  return provider === "gemini" || provider === "google" ? resourceTarget(call) : OTHER
}

function methodTarget(method: string, model: string, url: URL): GeminiTarget {
  switch (method) {
    case "generateContent":
    case "embedContent":
    case "batchEmbedContents":
      return { status: "method", model, method, streamed: false }
    case "streamGenerateContent":
      return { status: "method", model, method, streamed: url.searchParams.get("alt") === "sse" }
    case "countTokens":
    case "computeTokens":
      return FREE
    default: {
      const rule = Object.hasOwn(REJECTED, method) ? REJECTED[method] : undefined
      return rule === undefined ? OTHER : { status: "decided", description: unbounded(`\`:${method}\``, ...rule) }
    }
  }
}

/** Paths of the Gemini API other than the methods of models. */
function resourceTarget({ method, url }: ProviderCall): GeminiTarget {
  const resource = /^\/(?:upload\/)?v1(?:beta|alpha)?\d*\/(\w+)/.exec(url.pathname)?.[1]
  const isRead = method === "GET" || method === "DELETE"
  if (resource === "cachedContents" && !isRead) {
    const because = "its storage is billed by the hour until it is deleted"
    const description = unbounded(
      "a cached content",
      because,
      "Omit it: Gemini caches prompts automatically, without a fee.",
    )
    return { status: "decided", description }
  }
  if (resource === "fileSearchStores" && !isRead) {
    const because = "its documents are billed when they are embedded"
    return { status: "decided", description: unbounded("a file search store", because, "Embed with `:embedContent`.") }
  }
  if (resource === "interactions" && !isRead) {
    const because = "the provider runs its turns and tools"
    return { status: "decided", description: unbounded("an interaction", because, "Use `:generateContent`.") }
  }
  // https://ai.google.dev/gemini-api/docs/files: files have no price (as of 2026-10).
  const isFree = isRead || resource === "files" || /\/batches\/[\w-]+:cancel$/.test(url.pathname)
  return isFree && resource !== undefined && FREE_RESOURCES.includes(resource) ? FREE : OTHER
}

const FREE_RESOURCES: readonly string[] = [
  ...["models", "files", "cachedContents", "batches", "operations"],
  ...["fileSearchStores", "interactions"],
]
