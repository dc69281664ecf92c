/** Messages of Node's fetch about a URL or headers that it does not accept. They may quote the key. */
const NOT_ACCEPTED = /^(bad port|unknown scheme)$|invalid header|ByteString|credentials/

/** Whether Node's fetch rejected the URL or the headers, so that it made no request. */
export function isRejectedByFetch(error: unknown): boolean {
  return someCause(error, ({ message }) => NOT_ACCEPTED.test(String(message)))
}

interface Cause {
  message?: unknown
  cause?: unknown
}

/** Whether an error or one of its causes matches. The depth is limited because causes may form a cycle. */
function someCause(error: unknown, fits: (cause: Cause) => boolean, depth = 8): boolean {
  if (depth === 0 || typeof error !== "object" || error === null) return false
  return fits(error) || someCause((error as Cause).cause, fits, depth - 1)
}
