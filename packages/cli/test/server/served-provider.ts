import { type Agent, request } from "node:http"
import { connect } from "node:net"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { parseConfig } from "../../src/server/config/read-config"
import { createLog } from "../../src/server/json-log"
import type { KeyStore } from "../../src/server/keys/key-store"
import { openKeyStore } from "../../src/server/keys/open-key-store"
import { createKey, createKeyId, hashKey, type KeyRecord } from "../../src/server/keys/virtual-key"
import { type RunningServer, startServer } from "../../src/server/start-server"
import { openStore } from "../../src/store/open-store"

/** What the upstream gets. */
export const UPSTREAM_KEY = "sk-upstream-0123456789abcdef"
export const PROMPT = "The planted prompt of nobody"
export const MODEL = "gpt-4o-mini"

export const CALL = { model: MODEL, messages: [{ role: "user", content: PROMPT }], max_tokens: 50 }

/** A server in this process that forwards to the local provider. */
export interface ServedProvider {
  server: RunningServer
  provider: LocalProvider
  keys: KeyStore
  /** Lines of the log. */
  lines: string[]
  /** Creates a key, and returns it. */
  addKey(changes?: Partial<KeyRecord>): Promise<{ key: string; record: KeyRecord }>
  call(key: string | undefined, options?: CallOptions): Promise<Answer>
  close(): Promise<void>
}

export interface CallOptions {
  path?: string
  method?: string
  headers?: Record<string, string>
  body?: unknown
  /** @defaultValue a separate connection */
  agent?: Agent
}

export interface Answer {
  status: number
  headers: NodeJS.Dict<string | string[]>
  text: string
}

export async function serveProvider(
  storeAddress: string,
  changes: Record<string, unknown> = {},
  env: NodeJS.ProcessEnv = {},
): Promise<ServedProvider> {
  const provider = await startLocalProvider()
  const lines: string[] = []
  const config = {
    listen: "127.0.0.1:0",
    limits: [{ scope: "user", limit: "1.00", optional: true }],
    upstreams: { openai: { keyFrom: "UPSTREAM_KEY", baseURL: provider.baseURL } },
    ...changes,
  }
  const stream = { write: (line: string) => lines.push(line), on: () => {} } as unknown as NodeJS.WritableStream
  const server = await startServer({
    config: parseConfig(JSON.stringify(config), "p2.json"),
    configPath: "p2.json",
    storeAddress,
    env: { UPSTREAM_KEY, ...env },
    log: createLog(stream),
  }).catch(async (error: unknown) => {
    await provider.close()
    throw error
  })
  const store = await openStore(storeAddress)
  const keys = await openKeyStore(storeAddress, store.store)
  return {
    ...{ server, provider, keys, lines },
    addKey: async (own = {}) => {
      const key = createKey()
      const record: KeyRecord = {
        ...{ id: createKeyId(), hash: hashKey(key), userId: "ada", createdAt: 0, expiresAt: null, revokedAt: null },
        ...own,
      }
      await keys.add(record)
      return { key, record }
    },
    call: (key, options) => callServer(server.url, key, options),
    close: async () => {
      await server.close({ graceMs: 0 })
      await keys.close()
      await store.close()
      await provider.close()
    },
  }
}

/** One request with `node:http`, which sends any header. */
export function callServer(url: string, key: string | undefined, options: CallOptions = {}): Promise<Answer> {
  const { path = "/openai/v1/chat/completions", method = "POST", headers = {}, body = CALL, agent = false } = options
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, url), {
      method,
      agent,
      headers: {
        ...(method === "POST" && { "content-type": "application/json" }),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...headers,
      },
    })
    outgoing.on("error", reject)
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", reject)
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          text: Buffer.concat(chunks).toString("utf8"),
        }),
      )
    })
    outgoing.end(method === "POST" ? (typeof body === "string" ? body : JSON.stringify(body)) : undefined)
  })
}

/** Writes bytes to the server, and resolves to what it answers until it closes the connection. */
export function sendRaw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    let answer = ""
    socket.setEncoding("utf8").on("data", (text: string) => {
      answer += text
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve(answer))
  })
}
