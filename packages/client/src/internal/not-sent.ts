/** System, TLS and undici codes that are only seen before a connection exists: names, routes, certificates. */
const BEFORE_CONNECTION =
  /^(ECONNREFUSED|ENOTFOUND|EAI_(AGAIN|FAIL|NODATA)|E(NET|HOST)UNREACH|EADDRNOTAVAIL|ERR_INVALID_URL|UND_ERR_CONNECT_TIMEOUT|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?|UNABLE_TO_(GET|VERIFY)\w+|CERT_\w+|ERR_TLS_CERT_ALTNAME_INVALID|ERR_SSL_WRONG_VERSION_NUMBER)$/

/** What fetch says of a request that it will not make, for its address or its headers. It may quote the key. */
const NEVER_MADE = /^(bad port|unknown scheme)$|invalid header|ByteString|credentials/

/** Whether fetch refused to make the request at all. */
export function isUnmade(error: unknown): boolean {
  return someCause(error, ({ message }) => NEVER_MADE.test(String(message)))
}

/**
 * Whether an error proves by its code, or by one of its causes', that no request was written; or by being the SDK's plain
 * error, as of a key that could not be had: what its fetch throws, the SDK throws as another.
 */
export function provesNotSent(error: unknown): boolean {
  if ((error as Partial<object> | undefined)?.constructor?.name === "OpenAIError") return true
  return someCause(
    error,
    ({ code, errors }) =>
      BEFORE_CONNECTION.test(String(code)) ||
      // Several addresses were tried: each has to have failed before it was connected.
      (Array.isArray(errors) && errors.length > 0 && errors.every(provesNotSent)),
  )
}

interface Cause {
  code?: unknown
  message?: unknown
  errors?: unknown
  cause?: unknown
}

/** Whether one of an error and its causes fits. A chain may bite its tail. */
function someCause(error: unknown, fits: (cause: Cause) => boolean, depth = 8): boolean {
  if (depth === 0 || typeof error !== "object" || error === null) return false
  return fits(error) || someCause((error as Cause).cause, fits, depth - 1)
}
