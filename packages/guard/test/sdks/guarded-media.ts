import { connect } from "./integrations"
import type { MediaIntegration } from "./media-integrations"
import type { GuardedSDK } from "./sdk-cases"

/** An SDK whose `fetch` is guarded, for one call of media. */
export function guardedMedia({ name, isReported, options, call, stream }: MediaIntegration): GuardedSDK {
  return {
    name,
    isReported,
    has: stream === undefined ? [] : ["stream"],
    retried: [500, 429],
    connect(server, guard, onRequest) {
      const connection = connect(server, { ...guard, provider: "openai", ...options }, onRequest)
      return {
        call: (signal) => call({ ...connection, signal }),
        stream: async (onPiece, signal) => stream?.({ ...connection, signal }, onPiece),
      }
    },
  }
}
