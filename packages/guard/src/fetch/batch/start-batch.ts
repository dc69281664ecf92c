import { isRecord, parseJson } from "@p2/core"
import type { BatchStart, PricedCall, ProviderCall, Rejection } from "../../protocols/protocol"
import { rejected, unbounded } from "../../protocols/rejection"
import { pricedBatch, UNKNOWN_MODEL } from "../../protocols/variants/batch-price"
import type { Guard } from "../guard-options"
import type { ReadCall } from "../read-call"
import { readWhole, responseOf } from "../read-response"
import { boundOfFile } from "./batch-file"

/** Uploads a file, and remembers the upper bound of its calls. */
export async function uploadBatch(
  guard: Guard,
  { call, form, argumentsFor }: Extract<ReadCall, { status: "read" }>,
  headers: Headers,
): Promise<Response> {
  const file = form?.get("file")
  const bounding = file instanceof Blob ? boundOfFile(guard, file, { ...call, headers }) : undefined
  // It is awaited below; a response that fails to arrive must not leave it unhandled.
  bounding?.catch(() => {})
  const response = await guard.fetch(...argumentsFor({ headers }))
  if (!response.ok) return response
  const body = await readWhole(response.body)
  const answer = parseJson(new TextDecoder().decode(body.bytes))
  if (bounding !== undefined && isRecord(answer) && typeof answer.id === "string")
    guard.batchFiles.set(fileKey(call.url, answer.id), await bounding)
  return responseOf(response, body)
}

function fileKey({ origin }: URL, fileId: string): string {
  return `${origin} ${fileId}`
}

/** Describes a batch by the bound of its file, or by the one that the options state. */
export function describeStart(
  guard: Guard,
  { url, body }: ProviderCall,
  { provider, fileId, endpoint, leaseMs }: BatchStart,
): PricedCall | Rejection {
  const known = guard.batchFiles.get(fileKey(url, fileId))
  if (known?.status === "bounded" && known.endpoint !== undefined && known.endpoint !== endpoint)
    return rejected("invalid-body", "Invalid `endpoint` in the body: expected the `url` of the calls in the file.")
  const stated = guard.batchUpperBoundNanoUsd
  const isBounded = known?.status === "bounded"
  if (!isBounded && stated === undefined)
    return (
      known ??
      unbounded(
        "a batch",
        "this guard did not upload the file with its calls",
        "Upload the file through the same guard or proxy, while it runs. Or pass `batchUpperBound` with the most that one batch may cost.",
      )
    )
  const bound = isBounded ? known : { nanoUsd: stated!, tokens: 0, models: [UNKNOWN_MODEL] }
  return pricedBatch(provider, bound, { body: body.kind === "json" ? body.value : {}, leaseMs })
}
