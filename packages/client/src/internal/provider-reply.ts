const SHOWN = /^(status|code|type|requestID)$/

/** What a provider said of an error. */
export interface Said {
  status: number | undefined
  code: string | undefined
  type: string | undefined
  requestID: string | undefined
  /** Its own words. */
  providerMessage: string | undefined
  /** Its error object. */
  error: unknown
  headers: unknown
}

/**
 * The `cause` of a `ProviderError`. Providers quote keys and prompts in their words, their error objects and their
 * headers: those are there for who asks for them by name, and not enumerable, so that no log shows them.
 */
export class ProviderReply extends Error {
  declare readonly status: number | undefined
  declare readonly code: string | undefined
  declare readonly type: string | undefined
  declare readonly requestID: string | undefined
  declare readonly providerMessage: string | undefined
  declare readonly error: unknown
  declare readonly headers: unknown

  constructor(said: Said) {
    super("See `providerMessage` and `error`.")
    for (const [key, value] of Object.entries({ name: "ProviderReply", ...said }))
      Object.defineProperty(this, key, { value, enumerable: value !== undefined && SHOWN.test(key) })
  }
}
