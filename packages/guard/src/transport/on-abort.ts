const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Runs the callback when the signal fires, unless the returned function has been called. A signal has one listener for all
 * callbacks, because Node warns of a leak at more than 10, and a signal may be shared by many calls.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = callbacksOf.get(signal)
  if (callbacks === undefined) {
    const created = new Set<() => void>()
    callbacks = created
    callbacksOf.set(signal, created)
    signal.addEventListener(
      "abort",
      () => {
        for (const each of created) each()
      },
      { once: true },
    )
  }
  callbacks.add(callback)
  return () => callbacks.delete(callback)
}
