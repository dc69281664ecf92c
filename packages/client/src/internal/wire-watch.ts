/** What is known of a request on its way to the wire. `unseen`: another transport than Node's own fetch. */
export type WireState = "unseen" | "waiting" | "sent"

/** A request under watch. */
export interface Watched {
  state: WireState
  /** Status of an answer for which fetch throws an error without one. */
  withheld: number | undefined
}

/** The header by which a request is recognised, and that helps a provider's support to find it. */
export const REQUEST_ID_HEADER = "x-client-request-id"

/** Redirects, a proxy that asks who is there, and "come back by another connection": fetch answers them with an error. */
const WITHHELD: readonly number[] = [301, 302, 303, 307, 308, 407, 421]

/**
 * Learns from the diagnostics of Node's fetch (undici) whether a request has left, because "not sent" is free and
 * "maybe sent" is not. Subscribed on first use, once per process.
 */
class WireWatch {
  /** Never empty: an empty `Map` gives its memory back at the end of every call, and takes it again for the next. */
  readonly #watched = new Map<string, Watched | undefined>([["", undefined]])
  /** Whether there are diagnostics at all: without (another runtime, Node before 20.16) every request stays `unseen`. */
  readonly sees: boolean

  constructor() {
    const diagnostics = process.getBuiltinModule?.("node:diagnostics_channel")
    this.sees = diagnostics !== undefined
    const follow = (event: string, step: (watched: Watched, message: Diagnosed) => void) =>
      diagnostics?.subscribe(`undici:${event}`, (message) => {
        const watched = this.#find(message as Diagnosed)
        if (watched !== undefined) step(watched, message as Diagnosed)
      })
    follow("request:create", (watched) => {
      // Sent once is sent, whatever a second hop does.
      if (watched.state === "unseen") watched.state = "waiting"
    })
    follow("client:sendHeaders", (watched) => {
      watched.state = "sent"
    })
    follow("request:headers", (watched, { response }) => {
      if (WITHHELD.includes(response?.statusCode ?? 0)) watched.withheld = response?.statusCode
    })
  }

  begin(id: string): Watched {
    const watched: Watched = { state: "unseen", withheld: undefined }
    this.#watched.set(id, watched)
    return watched
  }

  end(id: string): void {
    this.#watched.delete(id)
  }

  #find({ request }: Diagnosed): Watched | undefined {
    const id = this.#watched.size === 1 ? undefined : idIn(request?.headers)
    return id === undefined ? undefined : this.#watched.get(id)
  }
}

interface Diagnosed {
  request?: { headers?: unknown }
  response?: { statusCode?: number }
}

/** The id among the headers: a flat list of names and values, or (older undici) one text. */
function idIn(headers: unknown): string | undefined {
  if (Array.isArray(headers)) {
    for (let index = 0; index + 1 < headers.length; index += 2) {
      const name = headers[index]
      if (name.length === REQUEST_ID_HEADER.length && String(name).toLowerCase() === REQUEST_ID_HEADER)
        return String(headers[index + 1])
    }
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
