import nodeFetch, { type RequestInit as NodeFetchInit } from "node-fetch"

/** Ways to send a request, as a user may pass them in. */
export interface Transport {
  name: string
  /** Whether the server is reached by TLS. */
  tls: boolean
  /** Whether undici reports its requests. */
  isReported: boolean
  /** Retries a POST after any failure. */
  retries: boolean
  /** Goes through the CONNECT proxy. */
  proxied: boolean
  open(setup: { ca: string; proxyUrl: string }): OpenTransport
}

export interface OpenTransport {
  fetch: typeof fetch
  /** Call it when its server is closed. */
  close(): Promise<unknown>
}

// biome-ignore lint/suspicious/noExplicitAny: four versions of undici, whose types differ
type Undici = any

const versions: [name: string, undici: Undici][] = []
for (const name of ["undici6-old", "undici6", "undici", "undici8"]) {
  // undici 8 loads on Node 22.19 and later.
  const undici: Undici = await import(name).catch((error: unknown) => {
    if (name !== "undici8") throw error
    process.stdout.write(`undici 8 does not load on Node ${process.version}: its rows are skipped.\n`)
  })
  if (undici !== undefined) versions.push([name, undici])
}

const through = (send: typeof fetch, dispatcher: Undici): OpenTransport => ({
  fetch: ((url: string, init: object) => send(url, { ...init, dispatcher } as RequestInit)) as typeof fetch,
  // Not `destroy`: undici 6 throws in the background when a client with an aborted HTTP/2 request is destroyed.
  close: () => Promise.race([dispatcher.close(), new Promise((resolve) => setTimeout(resolve, 20))]),
})

const RETRY = { methods: ["POST"], maxRetries: 2, minTimeout: 1, timeoutFactor: 1, statusCodes: [421, 500, 503] }

const defaults = { tls: false, isReported: true, retries: false, proxied: false }

function transportsOf([name, undici]: [string, Undici]): Transport[] {
  const { Agent, ProxyAgent, EnvHttpProxyAgent, RetryAgent, MockAgent, fetch: send } = undici
  const row: Row = (what, more, open) => ({
    name: `${name} ${what}`,
    ...defaults,
    ...more,
    open,
  })
  return [
    row("fetch, Agent, HTTP/1.1", {}, () => through(send, new Agent())),
    row("fetch, Agent, HTTP/1.1 over TLS", { tls: true }, ({ ca }) =>
      through(send, new Agent({ connect: { ca }, allowH2: false })),
    ),
    row("fetch, Agent, HTTP/2", { tls: true }, ({ ca }) =>
      through(send, new Agent({ connect: { ca }, allowH2: true })),
    ),
    row("fetch, one connection, pipelining 4", {}, () => through(send, new Agent({ connections: 1, pipelining: 4 }))),
    row("fetch, ProxyAgent, HTTP/1.1", { tls: true, proxied: true }, ({ ca, proxyUrl }) =>
      through(send, new ProxyAgent({ uri: proxyUrl, requestTls: { ca } })),
    ),
    row("fetch, ProxyAgent, HTTP/2", { tls: true, proxied: true }, ({ ca, proxyUrl }) =>
      through(send, new ProxyAgent({ uri: proxyUrl, requestTls: { ca, allowH2: true }, allowH2: true })),
    ),
    row("fetch, EnvHttpProxyAgent", { tls: true, proxied: true }, ({ ca, proxyUrl }) =>
      through(send, new EnvHttpProxyAgent({ httpsProxy: proxyUrl, httpProxy: proxyUrl, requestTls: { ca } })),
    ),
    row("fetch, RetryAgent, HTTP/1.1", { retries: true }, () => through(send, new RetryAgent(new Agent(), RETRY))),
    row("fetch, RetryAgent, HTTP/2", { retries: true, tls: true }, ({ ca }) =>
      through(send, new RetryAgent(new Agent({ connect: { ca }, allowH2: true }), RETRY)),
    ),
    row("fetch, interceptors", { retries: true }, () => {
      const { redirect, retry, dns } = undici.interceptors
      const all = [redirect({ maxRedirections: 3 }), retry(RETRY), ...(dns === undefined ? [] : [dns()])]
      return through(send, new Agent().compose(...all))
    }),
    row("fetch, MockAgent", { isReported: false }, () => {
      const agent = new MockAgent()
      agent.disableNetConnect()
      return through(send, agent)
    }),
    // The handlers of undici 8 differ from those of Node's fetch before Node 26.
    ...(name === "undici8" ? [] : globalRows(row, Agent)),
  ]
}

type Row = (what: string, more: Partial<Transport>, open: Transport["open"]) => Transport

function globalRows(row: Row, Agent: Undici): Transport[] {
  return [
    row("Agent as the dispatcher of the global fetch, HTTP/1.1", {}, () => through(fetch, new Agent())),
    row("Agent as the dispatcher of the global fetch, HTTP/2", { tls: true }, ({ ca }) =>
      through(fetch, new Agent({ connect: { ca }, allowH2: true })),
    ),
  ]
}

/** Another kind of transport that retries by itself. */
const retryingNodeFetch = async (url: string, init: NodeFetchInit) => {
  try {
    return await nodeFetch(url, init)
  } catch (error) {
    if (init.signal?.aborted) throw error
    return nodeFetch(url, init)
  }
}

const TRANSPORTS: readonly Transport[] = [
  { name: "global fetch", ...defaults, open: () => ({ fetch, close: async () => {} }) },
  {
    name: "a wrapper that retries the global fetch",
    ...defaults,
    retries: true,
    open: () => ({
      fetch: (async (url: string, init: RequestInit) => {
        for (let attempt = 0; attempt < 2; attempt++) await fetch(url, init).catch(() => {})
        return fetch(url, init)
      }) as typeof fetch,
      close: async () => {},
    }),
  },
  {
    name: "node-fetch with retries",
    ...defaults,
    isReported: false,
    retries: true,
    open: () => ({ fetch: retryingNodeFetch as unknown as typeof fetch, close: async () => {} }),
  },
  ...versions.flatMap(transportsOf),
]

/** Older and newer versions of undici than the one that most users have; the slow tests use them too. */
const isSlow = ({ name }: Transport) => /^undici(6-old|6|8) /.test(name)
export const FAST = TRANSPORTS.filter((transport) => !isSlow(transport))
export const SLOW = TRANSPORTS.filter(isSlow)
