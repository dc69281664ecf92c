import { connect } from "./integrations"
import { MEDIA } from "./media-integrations"
import { describeSDKs } from "./sdk-cases"

describeSDKs(
  MEDIA.map(({ name, isReported, options, call, stream }) => ({
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
  })),
)
