import { useEffect, useState } from "preact/hooks"
import type { Range, SectionName, Sections } from "../view"

export type Connection = "connecting" | "live" | "lost" | "signed-out"

export interface LiveState extends Partial<Sections> {
  connection: Connection
}

const NAMES: readonly SectionName[] = ["limits", "totals", "calls", "problem"]
const RETRY_MS = 2_000
/** A page in the background stops reading after this time. */
const HIDDEN_AFTER_MS = 30_000

/** The sections as the server sends them. Reconnects by itself, and pauses while the page is in the background. */
export function useLive(base: string, range: Range): LiveState {
  const [state, setState] = useState<LiveState>({ connection: "connecting" })

  useEffect(() => {
    let source: EventSource | undefined
    let retry: number | undefined
    let hide: number | undefined
    let isOver = false
    const update = (part: Partial<LiveState>) => setState((before) => ({ ...before, ...part }))

    const open = () => {
      if (isOver || source !== undefined) return
      source = new EventSource(`${base}/events?range=${range}`)
      for (const name of NAMES)
        source.addEventListener(name, ({ data }: MessageEvent<string>) =>
          update({ connection: "live", [name]: JSON.parse(data) }),
        )
      source.onerror = () => void onError()
    }
    const close = () => {
      source?.close()
      source = undefined
    }
    const onError = async () => {
      // Reconnects by itself unless the server answered with an error.
      if (source?.readyState !== EventSource.CLOSED) return update({ connection: "lost" })
      close()
      const connection = await reasonOf(base)
      if (isOver) return
      update({ connection })
      if (connection === "lost") retry = window.setTimeout(open, RETRY_MS)
    }
    const onVisibility = () => {
      window.clearTimeout(hide)
      if (document.hidden) hide = window.setTimeout(close, HIDDEN_AFTER_MS)
      else open()
    }
    document.addEventListener("visibilitychange", onVisibility)
    open()
    return () => {
      isOver = true
      window.clearTimeout(retry)
      window.clearTimeout(hide)
      document.removeEventListener("visibilitychange", onVisibility)
      close()
    }
  }, [base, range])

  return state
}

/** Why the stream was rejected; an `EventSource` does not say it. */
async function reasonOf(base: string): Promise<"lost" | "signed-out"> {
  try {
    const { status } = await fetch(`${base}/`, { method: "HEAD" })
    return status === 401 ? "signed-out" : "lost"
  } catch {
    return "lost"
  }
}
