/** What is known of a request on its way to the wire. `unseen`: another transport than Node's own fetch. */
export type WireState = "unseen" | "waiting" | "sent"

/** The header by which a request is recognised, and that helps a provider's support to find it. */
export const REQUEST_ID_HEADER = "x-client-request-id"

/**
 * Learns from the diagnostics of Node's fetch (undici) whether a request has left, because "not sent" is free and
 * "maybe sent" is not. Subscribed on first use, once per process.
 */
class WireWatch {
  readonly #states = new Map<string, { state: WireState; onSent: (() => void) | undefined }>()
  readonly #ids = new WeakMap<object, string>()

  constructor() {
    // Without these diagnostics (another runtime, Node before 20.16) every request stays `unseen`.
    const diagnostics = process.getBuiltinModule?.("node:diagnostics_channel")
    diagnostics?.subscribe("undici:request:create", (message) => this.#created(requestIn(message)))
    diagnostics?.subscribe("undici:client:sendHeaders", (message) => this.#sent(requestIn(message)))
  }

  begin(id: string, onSent?: () => void): void {
    this.#states.set(id, { state: "unseen", onSent })
  }

  state(id: string): WireState {
    return this.#states.get(id)?.state ?? "unseen"
  }

  end(id: string): void {
    this.#states.delete(id)
  }

  #created(request: DiagnosedRequest | undefined): void {
    if (request === undefined || this.#states.size === 0) return
    const id = idIn(request.headers)
    const entry = id === undefined ? undefined : this.#states.get(id)
    if (id === undefined || entry === undefined) return
    this.#ids.set(request, id)
    // Sent once is sent, whatever a second hop does.
    if (entry.state === "unseen") entry.state = "waiting"
  }

  #sent(request: DiagnosedRequest | undefined): void {
    const id = request === undefined ? undefined : this.#ids.get(request)
    const entry = id === undefined ? undefined : this.#states.get(id)
    if (entry === undefined) return
    entry.state = "sent"
    entry.onSent?.()
  }
}

interface DiagnosedRequest {
  headers?: unknown
}

function requestIn(message: unknown): DiagnosedRequest | undefined {
  return (message as { request?: DiagnosedRequest } | undefined)?.request
}

/** The id among the headers: a flat list of names and values, or (older undici) one text. */
function idIn(headers: unknown): string | undefined {
  if (Array.isArray(headers)) {
    for (let index = 0; index + 1 < headers.length; index += 2)
      if (String(headers[index]).toLowerCase() === REQUEST_ID_HEADER) return String(headers[index + 1])
    return undefined
  }
  if (typeof headers !== "string") return undefined
  return /^x-client-request-id: ?([^\r\n]+)/im.exec(headers)?.[1]
}

let watch: WireWatch | undefined

/** The watch of this process. */
export function wireWatch(): WireWatch {
  watch ??= new WireWatch()
  return watch
}
