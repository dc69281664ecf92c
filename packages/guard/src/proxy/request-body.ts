import { joinBytes } from "../transport/bytes"

/** A request body that was read, up to a limit. */
export type RequestBody = { status: "read"; bytes: Uint8Array<ArrayBuffer> | undefined } | { status: "too-large" }

/** Reads the body, unless its declared length is too large. Rejects if the caller disconnects. */
export async function readRequestBody(request: Request, maxBytes: number): Promise<RequestBody> {
  const { body } = request
  if (body === null) return { status: "read", bytes: undefined }
  const declared = Number(request.headers.get("content-length") ?? 0)
  if (declared > maxBytes) {
    body.cancel().catch(() => {})
    return { status: "too-large" }
  }
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  for (let length = 0; ; ) {
    const { done, value } = await reader.read()
    if (done) return { status: "read", bytes: length === 0 ? undefined : joinBytes(chunks) }
    length += value.byteLength
    if (length > maxBytes) {
      reader.cancel().catch(() => {})
      return { status: "too-large" }
    }
    chunks.push(value)
  }
}
