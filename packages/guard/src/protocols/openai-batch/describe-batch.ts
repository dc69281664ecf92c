import { isFile } from "../form-fields"
import type { CallDescription, ProtocolContext, ProviderCall } from "../protocol"
import { invalidBody, noJSON } from "../rejection"
import { BATCH_MARGIN_MS, batchKey } from "../variants/batch-key"
import { type BodyFields, checkFields, words } from "../variants/body-fields"
import { providerOf } from "../variants/called-model"
import { OPENAI_BATCHES } from "./batch-format"

/** https://platform.openai.com/docs/api-reference/batch/create */
export const BATCH_FIELDS: BodyFields = {
  free: /* @__PURE__ */ words("metadata output_expires_after"),
  read: /* @__PURE__ */ words("completion_window endpoint input_file_id"),
}

/** The path of uploads, and not of the files of a vector store or a container. */
const FILES = /(^|\/v1)\/files$/

/** Describes a call to OpenAI's Batch API, and the upload of a file for it. */
export function describeBatch(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  const { method, url, body } = call
  if (providerOf(url, context)?.name !== "openai") return undefined
  if (method === "POST" && FILES.test(url.pathname)) return describeUpload(body)
  const [, id, action] = /\/batches(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(url.pathname) ?? []
  if (id !== undefined) {
    const isPoll = (method === "GET" && action === undefined) || (method === "POST" && action === "cancel")
    if (!isPoll) return undefined
    return { status: "batch-poll", provider: "openai", idempotencyKey: batchKey(id), format: OPENAI_BATCHES }
  }
  return method === "POST" && url.pathname.endsWith("/batches") ? describeStart(body) : undefined
}

/** Undefined: the file is for another purpose. */
function describeUpload(body: ProviderCall["body"]): CallDescription | undefined {
  if (body.kind !== "form" || body.fields.purpose !== "batch") return undefined
  // Servers disagree about which of several files counts.
  return isFile(body.fields.file) ? { status: "batch-upload" } : invalidBody("file", "one file")
}

function describeStart(body: ProviderCall["body"]): CallDescription {
  if (body.kind !== "json") return noJSON("a batch")
  const rejection = checkFields(body.value, [BATCH_FIELDS])
  if (rejection !== undefined) return rejection
  const { completion_window: window, endpoint, input_file_id: fileId } = body.value
  if (typeof fileId !== "string" || fileId === "") return invalidBody("input_file_id", "the id of a file")
  if (typeof endpoint !== "string") return invalidBody("endpoint", 'a path such as "/v1/chat/completions"')
  const hours = typeof window === "string" ? /^(\d{1,3})h$/.exec(window)?.[1] : undefined
  if (hours === undefined) return invalidBody("completion_window", 'a number of hours such as "24h"')
  const leaseMs = Number(hours) * 3_600_000 + BATCH_MARGIN_MS
  return { status: "batch-start", provider: "openai", fileId, endpoint, leaseMs }
}
