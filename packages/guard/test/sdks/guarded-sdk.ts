import { connect, type Integration } from "./integrations"
import type { GuardedSDK } from "./sdk-cases"

/**
 * Statuses that LangChain and Google's SDKs treat differently: LangChain gives up after a 429, and Google does not bill
 * a 500.
 */
function retriedBy(name: string): readonly [number, number] {
  if (name === "@langchain/openai") return [500, 503]
  return /google|gemini/i.test(name) ? [503, 429] : [500, 429]
}

/** An SDK whose `fetch` is guarded. */
export function guardedSDK(integration: Integration): GuardedSDK {
  return {
    name: integration.name,
    retried: retriedBy(integration.name),
    connect(server, guard, onRequest) {
      const connection = connect(server, { ...guard, provider: integration.provider }, onRequest)
      return {
        call: (signal) => integration.call({ ...connection, signal }),
        stream: (onPiece, signal) => integration.stream({ ...connection, signal }, onPiece),
        steps: () => integration.steps(connection),
      }
    },
  }
}
