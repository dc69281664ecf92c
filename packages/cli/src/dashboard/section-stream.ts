import type { Feed } from "./feed"
import type { Range, SectionName } from "./view"

/** Proxies close a connection that is idle for long. */
const HEARTBEAT_MS = 15_000
/** Maximum number of chunks that wait for a slow reader. */
const MAX_WAITING = 8
const encoder = new TextEncoder()

export interface SectionStream {
  body: ReadableStream<Uint8Array>
  close(): void
}

/**
 * The sections of a feed as server-sent events, each when it changes. A slow reader gets the newest state of each
 * section when it has caught up.
 *
 * @param signal fires when the reader has left
 * @param onEnd called once, when the stream ends for any reason
 */
export function sectionStream(feed: Feed, range: Range, signal: AbortSignal, onEnd: () => void): SectionStream {
  const waiting = new Map<SectionName, string>()
  let controller: ReadableStreamDefaultController<Uint8Array>
  let stop = () => {}
  let heartbeat: NodeJS.Timeout | undefined

  const flush = () => {
    for (const [name, data] of waiting) {
      if ((controller.desiredSize ?? 0) <= 0) return
      waiting.delete(name)
      controller.enqueue(encoder.encode(`event: ${name}\ndata: ${data}\n\n`))
    }
  }
  const end = () => {
    stop()
    clearInterval(heartbeat)
    signal.removeEventListener("abort", close)
    onEnd()
  }
  const close = () => {
    end()
    controller.close()
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given
        controller.enqueue(encoder.encode("retry: 1000\n\n"))
        signal.addEventListener("abort", close)
        heartbeat = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(": alive\n\n"))
        }, HEARTBEAT_MS)
        heartbeat.unref()
        stop = feed.watch(range, (name, data) => {
          waiting.set(name, data)
          flush()
        })
      },
      pull: flush,
      cancel: end,
    },
    { highWaterMark: MAX_WAITING },
  )
  return { body, close }
}
