import { parseJson } from "@p2/core"
import type { Meter } from "../protocols/meter"
import { joinBytes, withBody } from "../transport/read-ahead"

/** The largest response that is read as a whole: 256 MiB, for ten images of 3840 × 2160 as base64. */
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024

/** A body that was read as a whole. `broken`: the connection closed early, the call was aborted, or the body is too large. */
export type WholeBody = { bytes: Uint8Array<ArrayBuffer> } & (
  | { status: "complete" }
  | { status: "broken"; error: unknown }
)

/** Reads a body as a whole. Never rejects. */
export async function readWhole(body: ReadableStream<Uint8Array> | null): Promise<WholeBody> {
  const chunks: Uint8Array[] = []
  const reader = body?.getReader()
  try {
    for (let size = 0; reader !== undefined; ) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.byteLength
      if (size > MAX_RESPONSE_BYTES)
        throw new RangeError(`The response is larger than ${MAX_RESPONSE_BYTES / 2 ** 20} MiB.`)
      chunks.push(value)
    }
    return { status: "complete", bytes: joinBytes(chunks) }
  } catch (error) {
    reader?.cancel(error).catch(() => {})
    return { status: "broken", bytes: joinBytes(chunks), error }
  }
}

/** Shows a whole body to a meter, as one event. */
export function meterWhole(meter: Meter, body: WholeBody): void {
  const text = new TextDecoder().decode(body.bytes)
  if (text !== "") meter.add({ event: undefined, data: parseJson(text), text })
  if (body.status === "complete") meter.end()
}

/** The response with the body that was read. A broken body breaks for its reader at the same place. */
export function responseOf(response: Response, body: WholeBody): Response {
  // Statuses without a body, such as 204, cannot be created with one.
  if (response.body === null) return response
  if (body.status === "complete") return withBody(response, body.bytes)
  return withBody(response, brokenStream(body.bytes, body.error))
}

function brokenStream(bytes: Uint8Array, error: unknown): ReadableStream<Uint8Array> {
  let isDelivered = bytes.byteLength === 0
  return new ReadableStream({
    pull(controller) {
      // An error drops what is still in the queue of the stream.
      if (isDelivered) return controller.error(error)
      isDelivered = true
      controller.enqueue(bytes)
    },
  })
}
