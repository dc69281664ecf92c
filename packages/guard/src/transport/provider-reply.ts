import { looksLikeKey } from "@p2/core"

/** The content of a provider's error. */
export interface ProviderReplyFields {
  status: number | undefined
  /** The provider's code, if it is one word. */
  code: string | undefined
  type: string | undefined
  requestID: string | undefined
  providerMessage: string | undefined
  error: unknown
  headers: unknown
}

const SHOWN: readonly (keyof ProviderReplyFields)[] = ["status", "code", "type", "requestID"]

/**
 * A provider's error reply, used as the `cause` of an error. Providers quote keys and prompts in their messages, error
 * objects and headers, so `providerMessage`, `error` and `headers` are not enumerable: no log and no inspection shows
 * them. `code` and `type` are shown, and are therefore dropped unless they are one word.
 */
export class ProviderReply extends Error {
  declare readonly status: number | undefined
  declare readonly code: string | undefined
  declare readonly type: string | undefined
  declare readonly requestID: string | undefined
  declare readonly providerMessage: string | undefined
  declare readonly error: unknown
  declare readonly headers: unknown

  constructor(fields: ProviderReplyFields) {
    super("See `providerMessage` and `error`.")
    const [code, type] = [shownIdentifier(fields.code), shownIdentifier(fields.type)]
    for (const [key, value] of Object.entries({ name: "ProviderReply", ...fields, code, type }))
      Object.defineProperty(this, key, {
        value,
        enumerable: value !== undefined && SHOWN.some((shown) => shown === key),
      })
  }
}

/**
 * A provider's code that is safe to show: one word, not a sentence, and without a key, which some providers quote in
 * their codes.
 */
export function shownIdentifier(value: unknown): string | undefined {
  if (typeof value === "number") return String(value)
  return typeof value === "string" && /^[\w.-]{1,64}$/.test(value) && !looksLikeKey(value) ? value : undefined
}
