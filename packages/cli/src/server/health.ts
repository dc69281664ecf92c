import type { Budget } from "@p2/budget"
import type { KeyStore } from "./keys/key-store"

/** Any counter: it is read only to see whether the store answers. */
const ANY_COUNTER = "total|usd|total"
/** The paths need no key, so the store is read at most once in this time. */
const CACHE_MS = 1_000

/** Answers `/health` and `/ready`, without a key and without data. */
export interface Health {
  /** Undefined: it is another path. */
  handle(request: Request): Promise<Response> | undefined
  /** Marks the server as not ready. */
  stop(): void
}

export function createHealth(budget: Budget, keys: KeyStore): Health {
  let isStopping = false
  let last: { at: number; ready: Promise<boolean> } | undefined
  const ready = (): Promise<boolean> => {
    const now = performance.now()
    if (last === undefined || now - last.at > CACHE_MS) last = { at: now, ready: answers(budget, keys) }
    return last.ready
  }
  return {
    handle: ({ method, url }) => {
      const { pathname } = new URL(url)
      if (pathname !== "/health" && pathname !== "/ready") return undefined
      if (method !== "GET" && method !== "HEAD") return Promise.resolve(statusResponse(405, "method not allowed"))
      if (pathname === "/health") return Promise.resolve(statusResponse(200, "alive"))
      if (isStopping) return Promise.resolve(statusResponse(503, "stopping"))
      return ready().then((is) => (is ? statusResponse(200, "ready") : statusResponse(503, "store unavailable")))
    },
    stop: () => {
      isStopping = true
    },
  }
}

async function answers({ store, partitionOf }: Budget, keys: KeyStore): Promise<boolean> {
  try {
    await store.read({ partition: partitionOf(), counters: [ANY_COUNTER] })
    await keys.find("")
    return true
  } catch {
    return false
  }
}

function statusResponse(status: number, text: string): Response {
  return new Response(JSON.stringify({ status: text }), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  })
}
