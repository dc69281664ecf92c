import { isRecord } from "@p2/core"
import type { CallDescription, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody, noJSON, unbounded } from "../rejection"
import { BATCH_MARGIN_MS } from "../variants/batch-key"
import { addBounds, type BatchBound, boundInBatch, inBatch, NO_CALLS, pricedBatch } from "../variants/batch-price"
import { unknownField } from "../variants/body-fields"
import { providerOf } from "../variants/called-model"

/** https://platform.claude.com/docs/en/build-with-claude/batch-processing: a batch ends within 24 hours. */
const COMPLETION_WINDOW_MS = 24 * 3_600_000

type Describe = (call: ProviderCall, context: ProtocolContext) => CallDescription | undefined

/** Describes the start of a message batch: its bound is the sum of those of its calls, at the batch price. */
export function describeMessageBatch(
  call: ProviderCall,
  context: ProtocolContext,
  describe: Describe,
): PricedCall | Rejection {
  if (providerOf(call.url, context)?.name !== "anthropic")
    return unbounded(
      "a message batch",
      "only the price of Anthropic's own batches is listed",
      "Send the calls one by one.",
    )
  if (call.body.kind !== "json") return noJSON("a message batch")
  const { value: body } = call.body
  const unknown = Object.keys(body).find((name) => name !== "requests")
  if (unknown !== undefined) return unknownField(unknown)
  if (!Array.isArray(body.requests)) return invalidBody("requests", "an array of calls")
  const bound = boundOfCalls(call, context, body.requests, describe)
  if (bound.status === "rejected") return bound
  return pricedBatch("anthropic", bound, { body, leaseMs: COMPLETION_WINDOW_MS + BATCH_MARGIN_MS })
}

function boundOfCalls(
  { url, headers }: ProviderCall,
  context: ProtocolContext,
  requests: readonly unknown[],
  describe: Describe,
): BatchBound | Rejection {
  const messages = new URL(url.href.replace(/\/batches(?=$|[?#])/, ""))
  let bound = NO_CALLS
  for (const [index, request] of requests.entries()) {
    const path = `requests[${index}]`
    if (!isRecord(request) || !isRecord(request.params)) return invalidBody(`${path}.params`, "the body of a message")
    const unknown = Object.keys(request).find((name) => name !== "custom_id" && name !== "params")
    if (unknown !== undefined) return unknownField(`${path}.${unknown}`)
    const body = { kind: "json", value: request.params } as const
    const described = describe({ method: "POST", url: messages, headers, body }, context)
    if (described?.status !== "priced")
      return described?.status === "rejected" ? inBatch(described, `Call ${index + 1}`) : invalidBody(path, "a message")
    const each = boundInBatch(context.prices, described)
    if (each.status === "rejected") return inBatch(each, `Call ${index + 1}`)
    const sum = addBounds(bound, each)
    if (sum.status === "rejected") return sum
    bound = sum
  }
  return bound
}
