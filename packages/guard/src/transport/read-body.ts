/** The largest response that is read, in bytes: 32 MiB. */
export const MAX_RESPONSE_BYTES = 32 * 1024 * 1024

/** Whether a body is read event by event. A response to a streamed call without a clear content type is a stream. */
export function isEventStream(headers: Headers, call: { streamed: boolean }): boolean {
  const type = (headers.get("content-type") ?? "").toLowerCase()
  return type.includes("text/event-stream") || (call.streamed && !/json|html/.test(type))
}

/** Reads the text of at most this many bytes of a body, and cancels the rest. Rejects if the body fails before. */
export async function readTextUpTo(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const pieces: string[] = []
  for (let remaining = maxBytes; ; ) {
    const { done, value } = await reader.read()
    if (done) return pieces.join("") + decoder.decode()
    pieces.push(decoder.decode(value.subarray(0, remaining), { stream: true }))
    remaining -= value.byteLength
    if (remaining > 0) continue
    reader.cancel().catch(() => {})
    return pieces.join("")
  }
}
