import { isRecord, parseJson } from "@p2/core"
import { readForm } from "../protocols/form-fields"
import type { ProviderCall } from "../protocols/protocol"

/** The largest request body that is buffered, if it is a stream or a blob: 32 MiB. */
const MAX_BODY_BYTES = 32 * 1024 * 1024

/** A call of `fetch`, read once so that it can be described, changed and sent. */
export type ReadCall =
  | {
      status: "read"
      call: ProviderCall
      signal: AbortSignal | undefined
      /** The body, if it is a form. */
      form: FormData | undefined
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

/** A body, as it is sent and as it is described. */
type ReadBody = { status: "read"; body: BodyToSend; described: ProviderCall["body"] } | { status: "too-large" }

/**
 * Reads the arguments of `fetch`. A body that can be read only once is buffered, so that what is described is what is sent.
 * @throws TypeError for a URL that is not absolute or a header that is invalid, as fetch does, but without their text: a key may be in it
 */
export async function readCall(input: FetchInput, init: FetchInit = {}): Promise<ReadCall> {
  const request = isRequest(input) ? input : undefined
  const url = absoluteURL(request === undefined ? String(input) : request.url)
  const method = (init.method ?? request?.method ?? "GET").toUpperCase()
  const headers = readHeaders(init.headers ?? request?.headers)
  const given = init.body ?? request?.body ?? undefined
  const contentType = headers.get("content-type") ?? ""
  const isEncoded = (headers.get("content-encoding") ?? "identity") !== "identity"
  const read = await readBody(given, { contentType, isEncoded })
  if (read.status === "too-large") {
    const message = `The request body exceeds ${MAX_BODY_BYTES / 2 ** 20} MiB, which is the most that the guard buffers.`
    return { status: "too-large", call: { method, url, headers, body: { kind: "opaque", contentType } }, message }
  }
  const call: ProviderCall = { method, url, headers, body: read.described }
  const signal = init.signal ?? request?.signal ?? undefined
  return {
    status: "read",
    call,
    signal,
    form: read.body instanceof FormData ? read.body : undefined,
    argumentsFor: (changes) => {
      const { headers: ownHeaders = headers, body = read.body, signal: ownSignal = signal, ...others } = changes
      const sentHeaders = body instanceof FormData ? withoutContentType(ownHeaders) : ownHeaders
      const own: FetchInit = { ...init, ...others, method, headers: sentHeaders, body, signal: ownSignal ?? null }
      // A buffered body is no longer a stream.
      if ("duplex" in own) delete own.duplex
      return request === undefined ? [url.href, own] : [new Request(request, own)]
    },
  }
}

function absoluteURL(text: string): URL {
  if (!URL.canParse(text)) throw new TypeError("Invalid URL: expected an absolute one.")
  return new URL(text)
}

function readHeaders(init: FetchInit["headers"]): Headers {
  try {
    return new Headers(init)
  } catch {
    throw new TypeError("Invalid headers: a name or a value has characters that HTTP does not allow.")
  }
}

/** For a form, fetch sets the content type with the boundary that it uses. */
function withoutContentType(headers: Headers): Headers {
  const remaining = new Headers(headers)
  remaining.delete("content-type")
  return remaining
}

function isRequest(input: FetchInput): input is Request {
  return typeof input === "object" && "headers" in input
}

/** What the headers say about a body. */
interface BodyHeaders {
  contentType: string
  isEncoded: boolean
}

async function readBody(body: unknown, headers: BodyHeaders): Promise<ReadBody> {
  if (body === undefined || body === null) return { status: "read", body: null, described: { kind: "none" } }
  if (body instanceof FormData) return formBody(body)
  if (body instanceof URLSearchParams) return { status: "read", body, described: opaque(headers) }
  if (typeof body === "string") return textBody(body, body, headers)
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body))
    return bytesBody(body as Uint8Array<ArrayBuffer>, headers)
  const stream = body instanceof Blob ? body.stream() : body
  const bytes = isStream(stream) ? await readUpTo(stream, MAX_BODY_BYTES) : undefined
  // Neither a body that fetch knows nor a stream: fetch sends its string.
  if (bytes === undefined)
    return isStream(stream)
      ? { status: "too-large" }
      : textBody(String(body), String(body), { ...headers, isEncoded: false })
  return bytesBody(bytes, headers)
}

/** A copy of a form, so that what is described is what is sent. */
async function formBody(form: FormData): Promise<ReadBody> {
  const copy = new FormData()
  for (const [name, value] of form as unknown as Iterable<[string, string | Blob]>) copy.append(name, value as Blob)
  return { status: "read", body: copy, described: { kind: "form", fields: await readForm(copy) } }
}

/** A multipart form is parsed, and sent as it was parsed: another parser may read the same bytes differently. */
async function bytesBody(bytes: Uint8Array<ArrayBuffer>, headers: BodyHeaders): Promise<ReadBody> {
  const { contentType, isEncoded } = headers
  if (!isEncoded && /^multipart\/form-data\s*;/i.test(contentType)) {
    const form = await parseForm(bytes, contentType)
    if (form !== undefined) return formBody(form)
  }
  return textBody(new TextDecoder().decode(bytes), bytes, headers)
}

/** Undefined: the bytes are not a valid form. */
async function parseForm(bytes: Uint8Array<ArrayBuffer>, contentType: string): Promise<FormData | undefined> {
  try {
    return await new Response(bytes, { headers: { "content-type": contentType } }).formData()
  } catch {
    return undefined
  }
}

/** A server may parse a body as JSON regardless of its content type, so the text decides. */
function textBody(text: string, body: BodyToSend, headers: BodyHeaders): ReadBody {
  if (text === "") return { status: "read", body, described: { kind: "none" } }
  const value = headers.isEncoded ? undefined : parseJson(text)
  return { status: "read", body, described: isRecord(value) ? { kind: "json", value } : opaque(headers) }
}

function opaque({ contentType }: BodyHeaders): ProviderCall["body"] {
  return { kind: "opaque", contentType }
}

function isStream(value: unknown): value is AsyncIterable<Uint8Array> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value
}

/** Undefined: the stream is longer. */
async function readUpTo(
  stream: AsyncIterable<Uint8Array | string>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
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
