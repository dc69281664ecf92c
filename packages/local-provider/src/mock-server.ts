import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net"
import { InvalidArgumentError } from "@p2/core"

/** One request that a mock server received, and the ways to answer it. */
export interface Exchange {
  request: IncomingMessage
  response: ServerResponse
  /** The body as received. */
  text: string
  /** Sends one JSON body. */
  sendJson(status: number, body: unknown): void
  /** Sends server-sent events: strings unchanged, anything else as the JSON of one event. */
  sendEvents(...events: unknown[]): void
}

/** A server whose responses a test defines, for responses that the local provider cannot produce. */
export interface MockServer {
  url: string
  /** Base URL like OpenAI's: `…/v1`. */
  baseURL: string
  /** The JSON bodies of the requests since the last {@link answer}, oldest first. */
  bodies: Record<string, unknown>[]
  /** Answers all later requests with this function, and clears {@link bodies}. */
  answer(how: (exchange: Exchange) => void): void
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The event that ends a stream. */
export const DONE = "data: [DONE]\n\n"

/** Starts a mock server on 127.0.0.1. Until {@link MockServer.answer} it answers with status 501. */
export async function startMockServer(): Promise<MockServer> {
  const bodies: Record<string, unknown>[] = []
  let respond: (exchange: Exchange) => void = ({ sendJson }) => sendJson(501, {})
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on("data", (piece: Buffer) => pieces.push(piece))
    request.on("end", () => {
      const text = Buffer.concat(pieces).toString("utf8")
      bodies.push(text === "" ? {} : (JSON.parse(text) as Record<string, unknown>))
      respond(exchangeOf(request, response, text))
    })
  })
  const url = await listen(server)
  const close = () => {
    server.closeAllConnections()
    return closed(server)
  }
  return {
    url,
    baseURL: `${url}/v1`,
    bodies,
    answer(how) {
      if (typeof how !== "function")
        throw new InvalidArgumentError("how", "a function, such as ({ sendJson }) => sendJson(200, body)", how)
      respond = how
      bodies.length = 0
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function exchangeOf(request: IncomingMessage, response: ServerResponse, text: string): Exchange {
  return {
    request,
    response,
    text,
    sendJson: (status, body) =>
      void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body)),
    sendEvents: (...events) =>
      void response
        .writeHead(200, { "content-type": "text/event-stream" })
        .end(events.map((event) => (typeof event === "string" ? event : eventText(event))).join("")),
  }
}

/** One server-sent event with this data. */
export function eventText(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

/** A server that accepts connections and never writes a byte, so that no TLS handshake completes. */
export interface SilentServer {
  /** For example `https://127.0.0.1:4000/v1`. */
  baseURL: string
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts a silent server on 127.0.0.1. */
export async function startSilentServer(): Promise<SilentServer> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => sockets.add(socket.on("error", () => {})))
  const url = await listen(server)
  const close = () => {
    for (const socket of sockets) socket.destroy()
    return closed(server)
  }
  return { baseURL: `${url.replace("http:", "https:")}/v1`, close, [Symbol.asyncDispose]: close }
}

/** A URL on 127.0.0.1 whose port is free, so that connections are refused. */
export async function refusedURL(): Promise<string> {
  const server = createTcpServer()
  const url = await listen(server)
  await closed(server)
  return url
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(0, "127.0.0.1", resolve)
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
