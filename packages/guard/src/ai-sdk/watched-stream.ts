import { MAX_BYTES_AHEAD } from "../transport/read-ahead"
import type { LanguageMeter } from "./usage/model-meter"

/** How a stream of parts ended. `finished`: its `finish` part arrived, or its end. */
export type StreamEnd = "finished" | "failed" | "cancelled" | "idle"

export interface WatchedStreamOptions {
  meter: LanguageMeter
  signal: AbortSignal | undefined
  /** Ends a stream whose reader is `maxBytesAhead` behind and does not read for this long, in milliseconds. */
  idleMs: number
  /** Called once. The reader sees the `finish` part, the end or the error when it has resolved. Must not reject. */
  onEnd(end: StreamEnd): Promise<void>
}

/**
 * A stream with the same parts, read ahead of its reader by at most 1 MiB: the AI SDK may stop reading without canceling. It
 * ends, and cancels the upstream, when its reader cancels, its signal fires, or nobody reads it for a time.
 */
export function watchStream<Part>(upstream: ReadableStream<Part>, options: WatchedStreamOptions): ReadableStream<Part> {
  const { meter, signal, idleMs, onEnd } = options
  const reader = upstream.getReader()
  let ending: Promise<void> | undefined
  let idleTimer: ReturnType<typeof setTimeout> | undefined
  let fail: (reason: unknown) => void = () => {}

  const end = (how: StreamEnd): Promise<void> => {
    clearTimeout(idleTimer)
    signal?.removeEventListener("abort", onAbort)
    ending ??= onEnd(how)
    return ending
  }
  const stop = (how: StreamEnd, reason: unknown): Promise<void> => {
    reader.cancel(reason).catch(() => {})
    return end(how)
  }
  const onAbort = () => void stop("cancelled", signal?.reason).then(() => fail(signal?.reason))
  const startIdleTimer = () => {
    const reason = new Error(
      `The stream was not read for ${idleMs} ms. Read it faster, cancel it, or raise \`streamIdleMs\`.`,
    )
    idleTimer = setTimeout(() => void stop("idle", reason).then(() => fail(reason)), idleMs)
    ;(idleTimer as { unref?: () => void }).unref?.()
  }

  return new ReadableStream<Part>(
    {
      start(controller) {
        fail = (reason) => controller.error(reason)
        if (signal?.aborted) onAbort()
        else signal?.addEventListener("abort", onAbort, { once: true })
      },
      async pull(controller) {
        clearTimeout(idleTimer)
        try {
          const { done, value } = await reader.read()
          if (done) {
            await end("finished")
            controller.close()
            return
          }
          meter.addPart(value)
          if (meter.isFinished) await end("finished")
          controller.enqueue(value)
          if (ending === undefined && (controller.desiredSize ?? 0) <= 0) startIdleTimer()
        } catch (error) {
          await end("failed")
          fail(error)
        }
      },
      async cancel(reason) {
        await stop("cancelled", reason)
      },
    },
    { highWaterMark: MAX_BYTES_AHEAD, size: sizeOf },
  )
}

/** The bytes of an empty part. */
const PART_BYTES = 64

/** About as many bytes as a part has. */
function sizeOf(part: unknown): number {
  return Object.values(part as object).reduce<number>((size, value) => {
    const length = typeof value === "string" || value instanceof Uint8Array ? value.length : 0
    return size + length
  }, PART_BYTES)
}
