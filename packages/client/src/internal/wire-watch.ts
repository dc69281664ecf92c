/** What is known of a request on its way to the wire. `unseen`: another transport than Node's own fetch. */
export type WireState = "unseen" | "waiting" | "sent"

interface Watched {
  state: WireState
  onSent: (() => void) | undefined
  /** Status of an answer that fetch keeps to itself. */
  withheld: number | undefined
}

/** The header by which a request is recognised, and that helps a provider's support to find it. */
export const REQUEST_ID_HEADER = "x-client-request-id"

/**
 * Learns from the diagnostics of Node's fetch (undici) whether a request has left, because "not sent" is free and
 * "maybe sent" is not. Subscribed on first use, once per process.
 */
class WireWatch {
  readonly #states = new Map<string, Watched>()
  readonly #ids = new WeakMap<object, string>()
  /** Whether there are diagnostics at all: without (another runtime, Node before 20.16) every request stays `unseen`. */
  readonly sees: boolean

  constructor() {
    const diagnostics = process.getBuiltinModule?.("node:diagnostics_channel")
    this.sees = diagnostics !== undefined
    diagnostics?.subscribe("undici:request:create", (message) => this.#created(requestIn(message)))
    diagnostics?.subscribe("undici:client:sendHeaders", (message) => this.#sent(requestIn(message)))
    diagnostics?.subscribe("undici:request:headers", (message) => this.#answered(requestIn(message), statusIn(message)))
  }

  begin(id: string, onSent?: () => void): void {
    this.#states.set(id, { state: "unseen", onSent, withheld: undefined })
  }

  state(id: string): WireState {
    return this.#states.get(id)?.state ?? "unseen"
  }

  /** Status of the answer for which fetch threw an error without one; undefined when there was none. */
  withheld(id: string): number | undefined {
    return this.#states.get(id)?.withheld
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
    const entry = this.#entryOf(request)
    if (entry === undefined) return
    entry.state = "sent"
    entry.onSent?.()
  }

  #answered(request: DiagnosedRequest | undefined, status: number): void {
    if (!WITHHELD.includes(status)) return
    const entry = this.#entryOf(request)
    if (entry !== undefined) entry.withheld = status
  }

  #entryOf(request: DiagnosedRequest | undefined): Watched | undefined {
    const id = request === undefined ? undefined : this.#ids.get(request)
    return id === undefined ? undefined : this.#states.get(id)
  }
}

/** Redirects, a proxy that asks who is there, and "come back by another connection": fetch answers them with an error. */
const WITHHELD: readonly number[] = [301, 302, 303, 307, 308, 407, 421]

interface DiagnosedRequest {
  headers?: unknown
}

function requestIn(message: unknown): DiagnosedRequest | undefined {
  return (message as { request?: DiagnosedRequest } | undefined)?.request
}

function statusIn(message: unknown): number {
  return (message as { response?: { statusCode?: number } } | undefined)?.response?.statusCode ?? 0
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
