import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { ProxyHandler } from "./create-proxy"

/** Options of `serveProxy`. */
export interface ServeOptions {
  /** The address to listen on. @defaultValue "127.0.0.1": no other machine can connect */
  hostname?: string | undefined
  /** @defaultValue 0: a free port */
  port?: number | undefined
  /** How long a request may take to arrive, in milliseconds; its headers may take a third of this. @defaultValue 60,000 */
  requestTimeoutMs?: number | undefined
  /** The largest headers of a request, in bytes, else status 431. @defaultValue 16,384 */
  maxHeaderBytes?: number | undefined
}

/** A listening proxy. */
export interface ProxyServer {
  /** For example `http://127.0.0.1:4000`. */
  url: string
  /** `hostname:port`, as clients write it in `Host`. */
  host: string
  /** How many requests have no complete response yet. */
  readonly pending: number
  /**
   * Accepts no further request, waits for open ones, and closes those that are open after `graceMs`. When it resolves, every
   * call is settled. @defaultValue 0
   */
  close(options?: { graceMs?: number | undefined }): Promise<void>
}

const NAMES: ReadonlySet<string> = new Set(["hostname", "port", "requestTimeoutMs", "maxHeaderBytes"])

/**
 * Serves a proxy with `node:http`.
 * @throws InvalidArgumentError if an option is invalid; a Node error if the address is in use
 *
 * @example
 * const server = await serveProxy(createProxy({ budget, upstreams, authenticate }))
 * console.log(server.url)
 * await server.close({ graceMs: 10_000 })
 */
export async function serveProxy(proxy: ProxyHandler, options: ServeOptions = {}): Promise<ProxyServer> {
  checkOptions(options, NAMES, "options", { host: "Did you mean `hostname`?" })
  const { hostname = "127.0.0.1", port = 0, requestTimeoutMs = 60_000, maxHeaderBytes = 16_384 } = options
  for (const [name, value] of Object.entries({ requestTimeoutMs, maxHeaderBytes }))
    if (!(Number.isSafeInteger(value) && value > 0)) throw new InvalidArgumentError(name, "a positive integer", value)
  const open = new Set<Promise<void>>()
  const server = createServer({
    maxHeaderSize: maxHeaderBytes,
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.ceil(requestTimeoutMs / 3),
    connectionsCheckingInterval: Math.max(50, Math.ceil(requestTimeoutMs / 10)),
    insecureHTTPParser: false,
  })
  server.on("request", (request, response) => {
    const answering = answer(proxy, request, response)
    open.add(answering)
    void answering.then(() => open.delete(answering))
  })
  server.on("upgrade", (_request, socket: Socket) => rejectUpgrade(socket))
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, hostname, () => resolve())
  })
  const { address, family, port: bound } = server.address() as AddressInfo
  const host = `${family === "IPv6" ? `[${address}]` : address}:${bound}`
  return {
    url: `http://${host}`,
    host,
    get pending() {
      return open.size
    },
    close: ({ graceMs = 0 } = {}) => closeServer(server, open, graceMs),
  }
}

async function closeServer(server: Server, open: ReadonlySet<Promise<void>>, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const deadline = graceMs === 0 ? Promise.resolve() : wait(graceMs)
  await Promise.race([Promise.all(open), deadline])
  server.closeAllConnections()
  await Promise.all(open)
  await closed
}

/** Does not keep the process running. */
function wait(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs).unref()
  })
}

/** Resolves when the response is written or its reader has disconnected, and the call is settled. Never rejects. */
async function answer(proxy: ProxyHandler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const controller = new AbortController()
  outgoing.on("close", () => {
    if (!outgoing.writableFinished)
      controller.abort(new DOMException("The caller closed the connection.", "AbortError"))
  })
  outgoing.on("error", () => {})
  const request = requestOf(incoming, controller.signal)
  if (request === undefined) {
    outgoing.writeHead(400, { connection: "close" }).end()
    return
  }
  try {
    await writeResponse(await proxy(request), incoming, outgoing)
  } catch {
    // The response broke, so its reader must not see a complete one.
    outgoing.destroy()
  }
}

/** Undefined: the target is not a path, or the host is invalid. */
function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const { method = "GET", url: target = "", rawHeaders } = incoming
  const url = `http://${incoming.headers.host ?? "localhost"}${target}`
  if (!target.startsWith("/") || !URL.canParse(url)) return undefined
  const headers = new Headers()
  try {
    for (let index = 0; index < rawHeaders.length; index += 2)
      headers.append(rawHeaders[index]!, rawHeaders[index + 1]!)
    const hasBody =
      incoming.headers["transfer-encoding"] !== undefined || Number(incoming.headers["content-length"] ?? 0) > 0
    const body = hasBody && method !== "GET" && method !== "HEAD" ? bodyOf(incoming) : null
    return new Request(url, { method, headers, body, signal, ...(body !== null && { duplex: "half" }) })
  } catch {
    return undefined
  }
}

/** The body as a stream, without the cost of `Readable.toWeb`. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      incoming.on("data", (chunk: Buffer) => {
        controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
        if ((controller.desiredSize ?? 1) <= 0) incoming.pause()
      })
      incoming.on("end", () => controller.close())
      const fail = () => controller.error(new Error("The request ended early."))
      incoming.on("error", fail)
      incoming.on("aborted", fail)
    },
    pull() {
      incoming.resume()
    },
    cancel() {
      incoming.removeAllListeners("data").removeAllListeners("end").resume()
    },
  })
}

async function writeResponse(response: Response, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { status, headers, body } = response
  const fields: Record<string, string> = Object.fromEntries(headers)
  // The rest of a rejected body is not read, so the connection cannot be used again.
  if (!incoming.complete) fields.connection = "close"
  if (body === null) {
    outgoing.writeHead(status, fields).end()
    return
  }
  const reader = body.getReader()
  let cancelled: Promise<void> | undefined
  // A reader that disconnects cancels the upstream even while no bytes arrive.
  outgoing.on("close", () => {
    cancelled = reader.cancel().catch(() => {})
  })
  await writeBody(response, reader, outgoing, fields)
  // Resolves when the call is settled.
  await cancelled
}

async function writeBody(
  { status, headers }: Response,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  outgoing: ServerResponse,
  fields: Record<string, string>,
): Promise<void> {
  const isStream = /event-stream/.test(headers.get("content-type") ?? "")
  if (!isStream) {
    const [first, second] = [await reader.read(), await reader.read()]
    if (second.done) {
      outgoing.writeHead(status, { ...fields, "content-length": first.value?.byteLength ?? 0 }).end(first.value)
      return
    }
    outgoing.writeHead(status, fields).write(first.value)
    outgoing.write(second.value)
  } else {
    outgoing.writeHead(status, fields)
    outgoing.flushHeaders()
  }
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (!outgoing.write(value) && !outgoing.destroyed) await untilDrained(outgoing)
    if (outgoing.destroyed) return reader.cancel()
  }
  outgoing.end()
}

/** Resolves when the reader has caught up or disconnected. */
function untilDrained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off("drain", done).off("close", done)
      resolve()
    }
    outgoing.on("drain", done).on("close", done)
  })
}

const UPGRADE_BODY = JSON.stringify({
  error: {
    message: "The proxy does not serve WebSockets. Send requests over HTTP.",
    type: "invalid_request_error",
    param: null,
    code: "upgrade_not_supported",
  },
})

/** Status 426 tells a program to fall back to HTTP: https://www.rfc-editor.org/rfc/rfc9110.html#section-15.5.22 */
function rejectUpgrade(socket: Socket): void {
  const head = [
    "HTTP/1.1 426 Upgrade Required",
    "Upgrade: HTTP/1.1",
    "Connection: close",
    "Content-Type: application/json",
  ]
  socket.on("error", () => {})
  socket.end(`${head.join("\r\n")}\r\nContent-Length: ${UPGRADE_BODY.length}\r\n\r\n${UPGRADE_BODY}`)
}
