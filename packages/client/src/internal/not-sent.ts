/** System, TLS and undici codes that are only seen before a connection exists: names, routes, certificates. */
const BEFORE_CONNECTION =
  /^(ECONNREFUSED|ENOTFOUND|EAI_(AGAIN|FAIL|NODATA)|E(NET|HOST)UNREACH|EADDRNOTAVAIL|ERR_INVALID_URL|UND_ERR_CONNECT_TIMEOUT|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?|UNABLE_TO_(GET|VERIFY)\w+|CERT_\w+|ERR_TLS_CERT_ALTNAME_INVALID|ERR_SSL_WRONG_VERSION_NUMBER)$/

/**
 * Whether an error proves by its code, or by one of its causes', that no request was written; or by being the SDK's plain
 * error, as of a key that could not be had: what its fetch throws, the SDK throws as another.
 */
export function provesNotSent(error: unknown): boolean {
  if ((error as Partial<object> | undefined)?.constructor?.name === "OpenAIError") return true
  let current = error
  for (let depth = 0; depth < 8 && typeof current === "object" && current !== null; depth++) {
    const { code, errors, cause } = current as { code?: unknown; errors?: unknown; cause?: unknown }
    if (typeof code === "string" && BEFORE_CONNECTION.test(code)) return true
    // Several addresses were tried: each has to have failed before it was connected.
    if (Array.isArray(errors) && errors.length > 0 && errors.every(provesNotSent)) return true
    current = cause
  }
  return false
}
