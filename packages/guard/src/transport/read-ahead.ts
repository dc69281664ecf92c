import { P2Error } from "@p2/core"
import { joinBytes } from "./bytes"

export { joinBytes } from "./bytes"

/** How many bytes of a body are read before its reader requests them: 1 MiB. */
export const MAX_BYTES_AHEAD = 1024 * 1024

/** How the reading of a body ended. */
export type BodyEnd =
  /** The upstream ended, and the observer has seen all of it. Its reader may still be reading. */
  | { status: "ended" }
  /** The reader cancelled, or the signal fired. */
  | { status: "cancelled"; reason: unknown }
  /** The body was not read for `bodyIdleMs`. */
  | { status: "idle" }
  /** The connection closed early. */
  | { status: "failed"; error: unknown }

/** Sees every byte of a body before the reader of the body does. It must not throw. */
export interface BodyObserver {
  /** Returns the bytes for the reader, usually `chunk` itself. Bytes may be kept back until a later call. */
  add(chunk: Uint8Array): Uint8Array
  /** The upstream ended. Returns the bytes that were kept back. */
  end(): Uint8Array
}

export interface ReadAheadOptions {
  observer: BodyObserver
  /** Ends a body that its reader does not read for this long, in milliseconds. Time that the reader waits does not count. */
  bodyIdleMs: number
  /** Stops the upstream, even if the upstream ignores it. */
  signal?: AbortSignal | undefined
  /**
   * Called once with the end. The reader sees the end, and its `cancel` resolves, when this has resolved: a process may be
   * stopped as soon as its response ends. It must not reject.
   */
  onEnd?: ((end: BodyEnd) => Promise<unknown>) | undefined
  /** @defaultValue {@link MAX_BYTES_AHEAD} */
  maxBytesAhead?: number | undefined
}

/** A body for the reader, and the end of the upstream body. */
export interface ReadAheadBody {
  /** A byte stream, as the body of a fetched response is. Its chunks may be joined. */
  body: ReadableStream<Uint8Array>
  /** Resolves once. Never rejects. */
  end: Promise<BodyEnd>
}

/**
 * Reads a body ahead of its reader, so that the observer sees the end of a body that is read late or not at all. Stops
 * reading while the reader is more than `maxBytesAhead` behind. When the reader cancels, the upstream is cancelled.
 *
 * @example
 * const { body, end } = readAhead(response.body, { observer, bodyIdleMs: 120_000, signal })
 * end.then(({ status }) => settle(status))
 * return withBody(response, body)
 */
export function readAhead(upstream: ReadableStream<Uint8Array>, options: ReadAheadOptions): ReadAheadBody {
  const reading = new ReadingAhead(upstream, options)
  return { body: reading.body, end: reading.end }
}

class ReadingAhead {
  readonly body: ReadableStream<Uint8Array>
  readonly end: Promise<BodyEnd>
  readonly #upstream: ReadableStreamDefaultReader<Uint8Array>
  readonly #options: ReadAheadOptions
  #resolveEnd!: (end: BodyEnd) => void
  #result: BodyEnd | undefined
  #onEndDone: Promise<unknown> | undefined
  /** What the reader has not requested yet. */
  #chunks: Uint8Array[] = []
  #bytes = 0
  #idleTimer: ReturnType<typeof setTimeout> | undefined
  /** Continues the reader, which waits for bytes or the end. */
  #wakeReader = () => {}
  /** Continues the upstream, which waits for the reader. */
  #wakeUpstream = () => {}

  constructor(upstream: ReadableStream<Uint8Array>, options: ReadAheadOptions) {
    this.#options = options
    this.#upstream = upstream.getReader()
    this.end = new Promise((resolve) => {
      this.#resolveEnd = resolve
    })
    this.body = new ReadableStream({
      type: "bytes",
      pull: (controller) => this.#deliver(controller),
      cancel: async (reason) => {
        this.#finish({ status: "cancelled", reason })
        await this.#onEndDone
      },
    }) as ReadableStream<Uint8Array>
    const { signal } = options
    if (signal?.aborted) this.#onAbort()
    else signal?.addEventListener("abort", this.#onAbort, { once: true })
    this.#startIdleTimer()
    void this.#readUpstream()
  }

  async #readUpstream(): Promise<void> {
    const { observer, maxBytesAhead = MAX_BYTES_AHEAD } = this.#options
    try {
      while (this.#result === undefined) {
        const { done, value } = await this.#upstream.read()
        if (this.#result !== undefined) return
        this.#add(done ? observer.end() : observer.add(value))
        if (done) return this.#finish({ status: "ended" })
        while (this.#bytes >= maxBytesAhead && this.#result === undefined)
          await new Promise<void>((resolve) => {
            this.#wakeUpstream = resolve
          })
      }
    } catch (error) {
      this.#finish({ status: "failed", error })
    }
  }

  #add(chunk: Uint8Array): void {
    if (chunk.byteLength === 0) return
    this.#chunks.push(chunk)
    this.#bytes += chunk.byteLength
    this.#wakeReader()
  }

  /** Gives the reader everything that was read ahead, or the end. */
  async #deliver(controller: ReadableByteStreamController): Promise<void> {
    clearTimeout(this.#idleTimer)
    while (this.#bytes === 0 && this.#result === undefined)
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve
      })
    if (this.#bytes === 0) {
      await this.#onEndDone
      return endStream(controller, this.#result!, this.#options)
    }
    // Joined, so that the stream gets its own bytes: it detaches the buffer of each chunk.
    const joined = joinBytes(this.#chunks)
    this.#chunks = []
    this.#bytes = 0
    controller.enqueue(joined)
    this.#startIdleTimer()
    this.#wakeUpstream()
  }

  #startIdleTimer(): void {
    if (this.#result !== undefined) return
    this.#idleTimer = setTimeout(() => this.#finish({ status: "idle" }), this.#options.bodyIdleMs)
    // The connection itself keeps the process running while it is needed.
    ;(this.#idleTimer as { unref?: () => void }).unref?.()
  }

  readonly #onAbort = () => this.#finish({ status: "cancelled", reason: this.#options.signal?.reason })

  #finish(result: BodyEnd): void {
    if (this.#result !== undefined) return
    this.#result = result
    clearTimeout(this.#idleTimer)
    this.#options.signal?.removeEventListener("abort", this.#onAbort)
    if (result.status !== "ended") this.#upstream.cancel(reasonOf(result, this.#options)).catch(() => {})
    this.#onEndDone = this.#options.onEnd?.(result)
    this.#wakeReader()
    this.#wakeUpstream()
    this.#resolveEnd(result)
  }
}

function endStream(controller: ReadableByteStreamController, end: BodyEnd, options: ReadAheadOptions): void {
  if (end.status !== "ended") {
    controller.error(reasonOf(end, options))
    return
  }
  controller.close()
  // A read into the caller's own buffer waits until it gets a response.
  controller.byobRequest?.respond(0)
}

/** What the reader's stream ends with. */
function reasonOf(end: Exclude<BodyEnd, { status: "ended" }>, { bodyIdleMs }: ReadAheadOptions): unknown {
  if (end.status === "cancelled") return end.reason
  return end.status === "failed" ? end.error : new BodyIdleError(bodyIdleMs)
}

/** The response body was not read, so its connection was closed: code `body-idle`. */
export class BodyIdleError extends P2Error<"body-idle"> {
  constructor(bodyIdleMs: number) {
    super(`The response body was not read for ${bodyIdleMs} ms. Read it faster, cancel it, or raise \`bodyIdleMs\`.`, {
      code: "body-idle",
      kind: "failed",
    })
  }
}

/**
 * The response with another body. The headers `content-encoding`, `content-length` and `transfer-encoding` are removed:
 * fetch has decoded the body, but kept the headers of the encoded one, so that they describe other bytes. A server that
 * passes the response on would declare a wrong length or encoding. `url`, `redirected` and `type` are kept, in clones
 * too.
 */
export function withBody(response: Response, body: ConstructorParameters<typeof Response>[0]): Response {
  const headers = new Headers(response.headers)
  for (const name of ["content-encoding", "content-length", "transfer-encoding"]) headers.delete(name)
  const { status, statusText } = response
  return asResponseOf(new Response(body, { status, statusText, headers }), response)
}

/** Gives a response the fields that only fetch can set. */
function asResponseOf(copy: Response, { url, redirected, type }: Response): Response {
  const clone = () => asResponseOf(Response.prototype.clone.call(copy), copy)
  const fields = {
    url: { value: url },
    redirected: { value: redirected },
    type: { value: type },
    clone: { value: clone },
  }
  return Object.defineProperties(copy, fields)
}
