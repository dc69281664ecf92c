/** Codes of the system, TLS and undici that occur only before a connection exists: names, routes, certificates. */
const BEFORE_CONNECTION =
  /^(ECONNREFUSED|ENOTFOUND|EAI_(AGAIN|FAIL|NODATA)|E(NET|HOST)UNREACH|EADDRNOTAVAIL|ERR_INVALID_URL|UND_ERR_CONNECT_TIMEOUT|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?|UNABLE_TO_(GET|VERIFY)\w+|CERT_\w+|ERR_TLS_CERT_ALTNAME_INVALID|ERR_SSL_WRONG_VERSION_NUMBER)$/

/** Messages of fetch about a URL or headers that it does not accept. They may quote the key. */
const NOT_ACCEPTED = /^(bad port|unknown scheme)$|invalid header|ByteString|credentials/

/** Whether fetch rejected the URL or the headers, so that no request was made. */
export function isRejectedByFetch(error: unknown): boolean {
  return someCause(error, ({ message }) => NOT_ACCEPTED.test(String(message)))
}

/**
 * Whether an error proves that no request was written: by its code or the code of a cause, or because it is a plain
 * `OpenAIError`, which the SDK throws before it calls fetch (for example when the key cannot be read). The SDK wraps
 * whatever fetch throws in another class.
 */
export function provesNotSent(error: unknown): boolean {
  if ((error as Partial<object> | undefined)?.constructor?.name === "OpenAIError") return true
  return someCause(
    error,
    ({ code, errors }) =>
      BEFORE_CONNECTION.test(String(code)) ||
      // Several addresses were tried: each must have failed before it was connected.
      (Array.isArray(errors) && errors.length > 0 && errors.every(provesNotSent)),
  )
}

interface Cause {
  code?: unknown
  message?: unknown
  errors?: unknown
  cause?: unknown
}

/** Whether an error or one of its causes fits. The depth is limited because causes may form a cycle. */
function someCause(error: unknown, fits: (cause: Cause) => boolean, depth = 8): boolean {
  if (depth === 0 || typeof error !== "object" || error === null) return false
  return fits(error) || someCause((error as Cause).cause, fits, depth - 1)
}
