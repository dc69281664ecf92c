import type { OpenAI } from "openai"
import { fetchWithErrorLimit } from "../fetch-with-error-limit"
import { wireWatch } from "./wire-watch"

type FetchOptions = NonNullable<OpenAI.RequestOptions["fetchOptions"]>

/**
 * `error` without a window is how the Fetch standard says that a body is needed once: only then fetch keeps no copy of
 * it, which is a tenth of what a call costs, and does not send it again after a 421. The status is learnt from the wire.
 */
const ONCE: FetchOptions = Object.freeze({ redirect: "error", window: null })

/** For a fetch that the wire does not tell of: a redirect comes back like any other answer. */
const UNFOLLOWED: FetchOptions = Object.freeze({ redirect: "manual" })

/** A second call has no reservation, and one after a redirect takes the prompt and the key to another host. */
export function sentOnce(openai: OpenAI): FetchOptions {
  const own: unknown = (openai as unknown as { fetch?: unknown }).fetch
  const isNodes = own === globalThis.fetch || own === fetchWithErrorLimit
  return isNodes && wireWatch().sees ? ONCE : UNFOLLOWED
}
