/** A signal that fires with the given one. Node warns of a leak when one signal has more than 10 listeners. */
export function ownSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  return signal && AbortSignal.any([signal])
}
