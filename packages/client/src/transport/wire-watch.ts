/** The progress of a request. `unseen`: Node's own fetch did not report it, so another transport may have sent it. */
export type WireState = "unseen" | "waiting" | "sent"

/** The state of one request, from the diagnostics of fetch. */
export interface WatchedRequest {
  state: WireState
  /** Status of a response that fetch turns into an error without a status. */
  hiddenStatus: number | undefined
}

/** Identifies a request on the wire; providers also log it. */
export const REQUEST_ID_HEADER = "x-client-request-id"

/** Redirects, proxy authentication, and "use another connection": fetch throws for these and drops the status. */
const HIDDEN_STATUSES: readonly number[] = [301, 302, 303, 307, 308, 407, 421]

/**
 * Observes by the diagnostics of Node's fetch (undici) whether a request was written, because "not sent" is free and
 * "may have been sent" is not. Subscribes on first use, once per process.
 */
class WireWatch {
  readonly #requests = new Map<string, WatchedRequest>()
  /** False where there are no diagnostics (another runtime, Node before 20.16): every request stays `unseen`. */
  readonly isSupported: boolean

  constructor() {
    const diagnostics = process.getBuiltinModule?.("node:diagnostics_channel")
    this.isSupported = diagnostics !== undefined
    const subscribe = (event: string, update: (request: WatchedRequest, message: UndiciMessage) => void) =>
      diagnostics?.subscribe(`undici:${event}`, (message) => {
        const request = this.#find(message as UndiciMessage)
        if (request !== undefined) update(request, message as UndiciMessage)
      })
    subscribe("request:create", (request) => {
      // A redirect creates a second request under the same id; the first was sent.
      if (request.state === "unseen") request.state = "waiting"
    })
    subscribe("client:sendHeaders", (request) => {
      request.state = "sent"
    })
    subscribe("request:headers", (request, { response }) => {
      if (HIDDEN_STATUSES.includes(response?.statusCode ?? 0)) request.hiddenStatus = response?.statusCode
    })
  }

  begin(id: string): WatchedRequest {
    const request: WatchedRequest = { state: "unseen", hiddenStatus: undefined }
    this.#requests.set(id, request)
    return request
  }

  end(id: string): void {
    this.#requests.delete(id)
  }

  #find({ request }: UndiciMessage): WatchedRequest | undefined {
    const id = this.#requests.size === 0 ? undefined : idIn(request?.headers)
    return id === undefined ? undefined : this.#requests.get(id)
  }
}

interface UndiciMessage {
  request?: { headers?: unknown }
  response?: { statusCode?: number }
}

/** The request id among the headers: a flat list of names and values, or (older undici) one string. */
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
