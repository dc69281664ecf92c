import { once } from "node:events"
import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { createBudget, memoryStore } from "@p2/budget"
import { expect, it, vi } from "vitest"
import { acceptToken, createProxy } from "../../src/proxy"
import { serveProxy } from "../../src/proxy/node"
import { CALL, EVENTS } from "../fetch/guarded-server"

const STREAMS = 25
/** What each provider writes: 8 MiB, far more than may wait for a reader. */
const EVENT_BYTES = 64 * 1024
const EVENTS_EACH = 128
/** The memory of the provider, the proxy and the reader together. bench/proxy-streams.mjs measures the proxy alone. */
const MAX_BYTES_EACH = 2 * 1024 * 1024
const TOKEN = "token-0123456789abcdef"

const filler = `data: ${JSON.stringify({
  ...{ id: "chatcmpl-1", model: "gpt-4o-mini" },
  choices: [{ index: 0, delta: { content: "x" }, finish_reason: null }],
  // Not content, which the meter of chat completions keeps.
  obfuscation: "x".repeat(EVENT_BYTES),
})}\n\n`

/** Writes as fast as its reader reads. */
function writeAll(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" }).write(EVENTS[0])
  let written = 0
  const write = () => {
    while (written < EVENTS_EACH) {
      written++
      if (!response.write(filler)) return
    }
    response.off("drain", write).end(EVENTS.slice(1).join(""))
  }
  response.on("drain", write)
  write()
}

/** Memory that is in use: garbage is collected before. */
function memoryInUse(): number {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc")()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** How many bytes a reader receives. */
async function readAll(response: IncomingMessage): Promise<number> {
  let bytes = 0
  for await (const chunk of response) bytes += (chunk as Buffer).byteLength
  return bytes
}

it(`${STREAMS} streams whose readers do not read need bounded memory, and are settled when the readers disconnect`, async () => {
  const upstream = createServer((request, response) => void request.resume().on("end", () => writeAll(response)))
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", 4_096, resolve))
  const { port } = upstream.address() as AddressInfo
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1_000 }] })
  let settled = 0
  const server = await serveProxy(
    createProxy({
      budget,
      upstreams: { openai: { baseURL: `http://127.0.0.1:${port}/v1`, apiKey: "key" } },
      authenticate: acceptToken(TOKEN),
      onAttempt: () => settled++,
    }),
  )
  const agent = new Agent()
  const start = async () => {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" }
    const sent = httpRequest(`${server.url}/openai/v1/chat/completions`, { method: "POST", headers, agent })
    sent.end(JSON.stringify({ ...CALL, stream: true, stream_options: { include_usage: true } }))
    const [response] = (await once(sent, "response")) as [IncomingMessage]
    return response.pause().on("error", () => {})
  }
  try {
    // Loads the tables of prices and tokens.
    await readAll(await start())
    // The providers and the readers are in this process too, so their memory is counted as well.
    const before = memoryInUse()
    const responses = await Promise.all(Array.from({ length: STREAMS }, start))
    // Another reader gets everything while these wait, and the providers write as much as they can.
    const whole = EVENTS_EACH * Buffer.byteLength(filler) + Buffer.byteLength(EVENTS.join(""))
    expect(await readAll(await start())).toBe(whole)
    // A busy process frees the buffers of the other reader some time after the collection.
    await vi.waitFor(() => expect((memoryInUse() - before) / STREAMS).toBeLessThan(MAX_BYTES_EACH), 60_000)
    expect(server.pending).toBe(STREAMS)
    for (const response of responses) response.destroy()
    await vi.waitFor(() => expect(settled).toBe(STREAMS + 2), 60_000)
    expect((await budget.status())[0]!.reservedNanoUsd).toBe(0)
  } finally {
    agent.destroy()
    await server.close()
    upstream.closeAllConnections()
    upstream.close()
  }
})
