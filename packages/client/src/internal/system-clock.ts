import type { ClientClock } from "../client-options"

/** Real time and chance. */
export const systemClock: ClientClock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer)
        signal?.removeEventListener("abort", end)
        if (signal?.aborted) reject(signal.reason)
        else resolve()
      }
      const timer = setTimeout(end, ms)
      signal?.addEventListener("abort", end)
      if (signal?.aborted) end()
    }),
}
