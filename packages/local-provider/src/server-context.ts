import type { IncomingMessage } from "node:http"
import type { StoredMessageBatch } from "./anthropic/stored-batch"
import type { StoredBatch } from "./batches/stored-batch"
import type { Faults } from "./faults"
import type { ProviderLedger } from "./ledger"
import type { StoredResponse } from "./responses/send"

export interface LocalProviderOptions {
  /** @defaultValue 0, a free port */
  port?: number | undefined
  /** Delay before every answer, in milliseconds. @defaultValue 0 */
  latencyMs?: number | undefined
  /** The only accepted key. @defaultValue any non-empty key is accepted */
  apiKey?: string | undefined
  /**
   * Counts and prices chat completions of a few models by independent rules and prices instead of those of `@p2`.
   * @defaultValue false
   */
  ownRules?: boolean | undefined
}

/** A request as received. */
export interface ReceivedRequest {
  path: string
  headers: Record<string, string | string[] | undefined>
  body: Record<string, unknown>
}

/** What the handlers of all wire formats share. */
export interface ServerContext {
  ledger: ProviderLedger
  faults: Faults
  received: ReceivedRequest[]
  options: LocalProviderOptions
  /** Number of calls so far. */
  calls: number
  /** Prompt prefixes that are in the provider's cache. */
  cachedPrefixes: Set<string>
  /** Responses of the Responses API, by id. */
  responses: Map<string, StoredResponse>
  /** Uploaded files and the outputs of batches, by id. */
  files: Map<string, string>
  batches: Map<string, StoredBatch>
  messageBatches: Map<string, StoredMessageBatch>
}

const MAX_BODY_BYTES = 32 * 1024 * 1024

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes > MAX_BODY_BYTES) throw new Error(`The body is larger than ${MAX_BODY_BYTES} bytes.`)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString("utf8")
}

/** Keeps the last thousand requests. */
export function remember(context: ServerContext, request: IncomingMessage, body: Record<string, unknown>): void {
  context.received.push({ path: request.url ?? "", headers: request.headers, body })
  if (context.received.length > 1000) context.received.shift()
}
