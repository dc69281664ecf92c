import { P2Error } from "@p2/core"
import type { SendProof } from "../charge/charge"
import { countedIds, ID_HEADERS } from "./counted-call"
import { isRejectedByFetch } from "./fetch-errors"

/**
 * The progress of a call. `unseen`: no request was reported, so a transport that does not report may have sent one.
 * `waiting`: no request was given to a connection. `written`: a request was given to a connection and may have been sent.
 */
export type SendState = "unseen" | "waiting" | "written"

export interface SendWatchOptions {
  /** The headers of the call, by names in lower case. The watch adds an id of the request, to recognize its reports. */
  headers: Pick<Headers, "has"> & { set(name: string, value: string): unknown }
  /** The id, unique among the calls of this process. @defaultValue a random one */
  id?: string | undefined
  /**
   * Called when a further request of a call that was written is prevented: fetch sends again after a 421, a retry agent
   * after any failure, and such a request has no reservation. Abort the signal of the call, so that no retry waits.
   */
  onSecondRequest: () => void
}

/** Observes one call of fetch. Call {@link end} when the call has ended. */
export interface SendWatch {
  readonly state: SendState
  /**
   * Status of a response that fetch turns into an error without a status: a redirect, 407, 421, and a status after which a
   * second request was prevented.
   */
  readonly hiddenStatus: number | undefined
  /** Whether Node's fetch and undici can be observed here. */
  readonly isSupported: boolean
  /**
   * Whether the call is proven unsent after fetch rejected with `error` or its signal was aborted. A `fetch` of the
   * user's own must pass on `init.headers` and `init.signal`; one that does not send with undici is never proven
   * unsent.
   */
  proof(error: unknown): SendProof
  end(): void
}

/**
 * Observes whether the requests of a reserved call are written, because "not sent" costs nothing and "maybe sent" does not. The
 * proof is positive: undici reported each request, and none was given to a connection (refused or failed connections,
 * TLS failures, an abort in the queue). Node's fetch and the npm package undici 6, 7 and 8 report their requests, over
 * HTTP/1.1, HTTP/2 and proxies. Where nothing reports (another runtime, Node before 20.16, node-fetch, a mock), nothing
 * is proven. docs/sent-once.md has the table of what was tested.
 */
export function watchSend(options: SendWatchOptions): SendWatch {
  return wireReports().begin(options)
}

/** Redirects, proxy authentication, and "use another connection": fetch throws for these and drops the status. */
const HIDDEN_STATUSES: readonly number[] = [301, 302, 303, 307, 308, 407, 421]

/** A request of undici, as its diagnostics report it. */
interface UndiciRequest {
  headers?: unknown
  /** Null until the request is given to a connection, which sets it before it writes a byte, over HTTP/1.1 and HTTP/2. */
  abort?: unknown
  /** A request that is marked as aborted is removed from the queue instead of being given to a connection. */
  aborted?: boolean
}

interface UndiciReport {
  request: UndiciRequest
  response?: { statusCode?: number }
}

/** A second request of one call was prevented: code `second-request`. The first may have been billed. */
export class SecondRequestError extends P2Error<"second-request"> {
  constructor() {
    super("A second request of one call was not sent. Disable the retries of your `fetch` or dispatcher.", {
      code: "second-request",
      kind: "failed",
    })
  }
}

class WatchedCall implements SendWatch {
  readonly #requests = new Set<UndiciRequest>()
  readonly #onSecondRequest: () => void
  readonly #onEnd: () => void
  #isWritten = false
  #lastStatus: number | undefined
  readonly isSupported: boolean
  hiddenStatus: number | undefined

  constructor(options: { onSecondRequest: () => void; isSupported: boolean; onEnd: () => void }) {
    this.#onSecondRequest = options.onSecondRequest
    this.isSupported = options.isSupported
    this.#onEnd = options.onEnd
  }

  get state(): SendState {
    if (this.#isWritten) return "written"
    if (this.#requests.size === 0) return "unseen"
    return [...this.#requests].every(({ abort }) => abort === null) ? "waiting" : "written"
  }

  proof(error: unknown): SendProof {
    const isUnsent =
      this.state === "waiting" || (this.isSupported && this.state === "unseen" && isRejectedByFetch(error))
    return isUnsent ? "not-sent" : "maybe-sent"
  }

  end(): void {
    // What is reported later must not change the state.
    this.#isWritten = this.state === "written"
    this.#onEnd()
  }

  onCreate(request: UndiciRequest): void {
    const isSecond = this.state === "written"
    this.#requests.add(request)
    if (!isSecond) return
    request.aborted = true
    this.hiddenStatus = this.#lastStatus
    // Later, because fetch cannot be aborted while it creates a request.
    queueMicrotask(this.#onSecondRequest)
  }

  onWritten(): void {
    this.#isWritten = true
  }

  onResponse(statusCode: number | undefined): void {
    this.#isWritten = true
    this.#lastStatus = statusCode
    if (statusCode !== undefined && HIDDEN_STATUSES.includes(statusCode)) this.hiddenStatus = statusCode
  }
}

/** The diagnostics of undici in this process. Subscribes on first use. */
class WireReports {
  readonly #calls = new Map<string, WatchedCall>()
  readonly #isSupported: boolean

  constructor() {
    const diagnostics =
      typeof process === "undefined" ? undefined : process.getBuiltinModule?.("node:diagnostics_channel")
    this.#isSupported = diagnostics !== undefined
    const subscribe = (channel: string, update: (call: WatchedCall, report: UndiciReport) => void) =>
      diagnostics?.subscribe(`undici:${channel}`, (message) => {
        const report = message as UndiciReport
        const call = this.#find(report.request)
        if (call !== undefined) update(call, report)
      })
    subscribe("request:create", (call, { request }) => call.onCreate(request))
    subscribe("client:sendHeaders", (call) => call.onWritten())
    subscribe("request:headers", (call, { response }) => call.onResponse(response?.statusCode))
  }

  begin({ headers, id = crypto.randomUUID(), onSecondRequest }: SendWatchOptions): SendWatch {
    const call = new WatchedCall({
      onSecondRequest,
      isSupported: this.#isSupported,
      onEnd: () => {
        this.#calls.delete(id)
        countedIds().delete(id)
      },
    })
    // The user's own header stays, because several calls may share it.
    const name = ID_HEADERS.find((each) => !headers.has(each))
    if (!this.#isSupported || name === undefined) return call
    headers.set(name, id)
    this.#calls.set(id, call)
    countedIds().add(id)
    return call
  }

  #find({ headers }: UndiciRequest): WatchedCall | undefined {
    if (this.#calls.size === 0 || !Array.isArray(headers)) return undefined
    for (let index = 0; index + 1 < headers.length; index += 2) {
      const name = String(headers[index]).toLowerCase()
      const call = ID_HEADERS.some((each) => each === name) ? this.#calls.get(String(headers[index + 1])) : undefined
      if (call !== undefined) return call
    }
    return undefined
  }
}

let reports: WireReports | undefined

function wireReports(): WireReports {
  reports ??= new WireReports()
  return reports
}
