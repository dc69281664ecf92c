import { describeName } from "@p2/core"
import { describeAnthropic } from "./anthropic/describe"
import { describePath } from "./free-paths"
import { describeGemini } from "./gemini/describe"
import { describeSpeech } from "./openai-audio/describe-speech"
import { describeTranscription } from "./openai-audio/describe-transcription"
import { describeBatch } from "./openai-batch/describe-batch"
import { describeChat } from "./openai-chat/describe"
import { describeEmbeddings } from "./openai-embeddings/describe-embeddings"
import { describeImages } from "./openai-images/describe-images"
import { describeResponses } from "./openai-responses/describe"
import type { CallDescription, Protocol, ProtocolContext, ProviderCall } from "./protocol"
import { rejected } from "./rejection"
import { providerOf } from "./variants/called-model"

/** Every wire format, in the order in which they are tried. */
export const PROTOCOLS: readonly Protocol[] = [
  { name: "anthropic-messages", describe: describeAnthropic },
  { name: "gemini", describe: describeGemini },
  { name: "openai-chat", describe: describeChat },
  { name: "openai-responses", describe: describeResponses },
  { name: "openai-embeddings", describe: describeEmbeddings },
  { name: "openai-images", describe: describeImages },
  { name: "openai-speech", describe: describeSpeech },
  { name: "openai-transcriptions", describe: describeTranscription },
  { name: "openai-batch", describe: describeBatch },
  { name: "paths", describe: describePath },
]

/**
 * Describes what a call can cost, by the first wire format that recognizes it. A call that none recognizes is rejected
 * by name.
 */
export function describeCall(call: ProviderCall, context: ProtocolContext): CallDescription {
  if (isOtherService(call, context)) return unknownEndpoint(call)
  try {
    return describe(call, context) ?? unknownEndpoint(call)
  } catch (error) {
    // Serializing deeply nested JSON overflows the stack.
    if (error instanceof RangeError) return rejected("invalid-body", "The body is nested too deeply.")
    throw error
  }
}

function describe(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  for (const protocol of PROTOCOLS) {
    const description = protocol.describe(call, context)
    if (description !== undefined) return description
  }
  return undefined
}

/** Paths of model calls that other services have too, such as `/channels/{id}/messages` of a chat service. */
const SHARED_PATHS = /\/(messages|responses|chat\/completions|embeddings)$/

/** Every model call at these paths has at least one of these fields. */
const MODEL_FIELDS = ["model", "messages", "input", "instructions", "prompt", "conversation", "previous_response_id"]

/** Whether a call at an unknown host is not a model call: it has neither a model nor input. */
function isOtherService({ url, body }: ProviderCall, context: ProtocolContext): boolean {
  if (body.kind === "none" || body.kind === "opaque") return false
  if (!SHARED_PATHS.test(url.pathname) || providerOf(url, context) !== undefined) return false
  const fields = body.kind === "json" ? body.value : body.fields
  // Some servers ignore the case of names.
  return !Object.keys(fields).some((name) => MODEL_FIELDS.includes(name.toLowerCase()))
}

/** The path up to the first segment that is not an identifier: it may be a prompt or a key. */
function shownPath({ pathname }: URL): string {
  const segments = pathname.split("/")
  const hidden = segments.findIndex((segment) => segment !== "" && describeName(segment.replace(/[.:]/g, "_")) === "…")
  return hidden === -1 ? pathname : [...segments.slice(0, hidden), "…"].join("/")
}

function unknownEndpoint({ method, url }: ProviderCall): CallDescription {
  return rejected(
    "unknown-endpoint",
    `Unknown endpoint ${method} ${url.host}${shownPath(url)}: its cost is unknown. Pass \`unknownEndpoints: "pass"\` to send such calls without a limit.`,
  )
}
