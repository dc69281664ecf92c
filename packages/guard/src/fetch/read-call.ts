import { isRecord, parseJson } from "@p2/core"
import type { ProviderCall } from "../protocols/protocol"

/** The largest request body that is buffered, if it is a stream or a blob: 32 MiB. */
const MAX_BODY_BYTES = 32 * 1024 * 1024

/** A call of `fetch`, read once so that it can be described, changed and sent. */
export type ReadCall =
  | {
      status: "read"
      call: ProviderCall
      signal: AbortSignal | undefined
      /** Arguments for the inner fetch: those of the call, with changes. */
      argumentsFor(changes: CallChanges): Parameters<typeof fetch>
    }
  | { status: "too-large"; call: ProviderCall; message: string }

export interface CallChanges {
  headers?: Headers
  body?: string
  signal?: AbortSignal
  redirect?: "error" | "manual"
}

type FetchInput = Parameters<typeof fetch>[0]
type FetchInit = NonNullable<Parameters<typeof fetch>[1]>
type BodyToSend = NonNullable<FetchInit["body"]> | null

/** What was found in the place of a body: `json` is defined if it is a JSON object. */
type ReadBody =
  | { status: "read"; body: BodyToSend; json: Record<string, unknown> | undefined; isEmpty: boolean }
  | { status: "too-large" }

/**
 * Reads the arguments of `fetch`. A body that can be read only once is buffered, so that what is described is what is sent.
 * @throws TypeError for a URL that is not absolute, as fetch does
 */
export async function readCall(input: FetchInput, init: FetchInit = {}): Promise<ReadCall> {
  const request = isRequest(input) ? input : undefined
  const url = new URL(request === undefined ? String(input) : request.url)
  const method = (init.method ?? request?.method ?? "GET").toUpperCase()
  const headers = new Headers(init.headers ?? request?.headers)
  const given = init.body ?? request?.body ?? undefined
  const contentType = headers.get("content-type") ?? ""
  const isEncoded = (headers.get("content-encoding") ?? "identity") !== "identity"
  const read = await readBody(given, isEncoded)
  if (read.status === "too-large") {
    const message = `The request body exceeds ${MAX_BODY_BYTES / 2 ** 20} MiB, which is the most that the guard buffers.`
    return { status: "too-large", call: { method, url, headers, body: { kind: "opaque", contentType } }, message }
  }
  const call: ProviderCall = { method, url, headers, body: describeBody(read, contentType) }
  const signal = init.signal ?? request?.signal ?? undefined
  return {
    status: "read",
    call,
    signal,
    argumentsFor: (changes) => {
      const { headers: ownHeaders = headers, body = read.body, signal: ownSignal = signal, ...others } = changes
      const own: FetchInit = { ...init, ...others, method, headers: ownHeaders, body, signal: ownSignal ?? null }
      // A buffered body is no stream any more.
      if ("duplex" in own) delete own.duplex
      return request === undefined ? [url.href, own] : [new Request(request, own)]
    },
  }
}

function isRequest(input: FetchInput): input is Request {
  return typeof input === "object" && "headers" in input
}

function describeBody(read: Extract<ReadBody, { status: "read" }>, contentType: string): ProviderCall["body"] {
  if (read.isEmpty) return { kind: "none" }
  if (read.json !== undefined) return { kind: "json", value: read.json }
  return { kind: "opaque", contentType }
}

async function readBody(body: unknown, isEncoded: boolean): Promise<ReadBody> {
  if (body === undefined || body === null) return { status: "read", body: null, json: undefined, isEmpty: true }
  // Sent as they are: forms never carry JSON that a protocol understands, and can be read more than once.
  if (body instanceof FormData || body instanceof URLSearchParams)
    return { status: "read", body, json: undefined, isEmpty: false }
  if (typeof body === "string") return textBody(body, body, isEncoded)
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body))
    return textBody(new TextDecoder().decode(body as Uint8Array), body as BodyToSend, isEncoded)
  const stream = body instanceof Blob ? body.stream() : body
  const bytes = isStream(stream) ? await readUpTo(stream, MAX_BODY_BYTES) : undefined
  // Neither a body that fetch knows nor a stream: fetch sends its string.
  if (bytes === undefined)
    return isStream(stream) ? { status: "too-large" } : textBody(String(body), String(body), false)
  return textBody(new TextDecoder().decode(bytes), bytes as BodyToSend, isEncoded)
}

/** A server may parse a body as JSON whatever its content type says, so the text decides. */
function textBody(text: string, body: BodyToSend, isEncoded: boolean): ReadBody {
  const value = isEncoded ? undefined : parseJson(text)
  return { status: "read", body, json: isRecord(value) ? value : undefined, isEmpty: text === "" }
}

function isStream(value: unknown): value is AsyncIterable<Uint8Array> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value
}

/** Undefined: the stream is longer. */
async function readUpTo(stream: AsyncIterable<Uint8Array | string>, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream) {
    const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk
    length += bytes.byteLength
    if (length > maxBytes) return undefined
    chunks.push(bytes)
  }
  const whole = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}
