import type { UsageDraft, UsageEntry } from "@p2/budget"
import type { Message, NanoUsd, Usage } from "@p2/core"
import type { AttemptReceipt } from "../receipt"
import type { Ask } from "./chat-body"

/** Most bytes of UTF-8 of a prompt or an answer in the ledger. */
const MAX_CONTENT_BYTES = 65_536

/** What the ledger knows of an attempt before it is sent. */
export function draftOf(ask: Ask, receipt: AttemptReceipt, reservedNanoUsd: NanoUsd): UsageDraft {
  const { request, route } = ask
  return {
    requestId: receipt.id.slice(0, receipt.id.lastIndexOf(".")),
    attempt: receipt.attempt,
    clientId: request.clientId,
    userId: request.userId,
    tags: request.tags,
    model: route.model,
    provider: route.provider.name,
    mode: receipt.streamed ? `${receipt.mode}+stream` : receipt.mode,
    reservedNanoUsd,
    // Its place: the budget copies a draft that has it in a tenth of the time.
    fingerprint: undefined,
  }
}

/** An attempt as the ledger keeps it. Content only when it is handed in. */
export function entryOf(
  ask: Ask,
  receipt: AttemptReceipt,
  content?: { prompt: readonly Message[]; answer: string },
): UsageEntry {
  const draft = draftOf(ask, receipt, receipt.reservedNanoUsd)
  const { requestId, attempt, clientId, userId, tags, model, provider, mode, reservedNanoUsd, fingerprint } = draft
  // Written out: to add to an object what another one has takes V8 longer than all the rest of an entry.
  return {
    requestId,
    attempt,
    clientId,
    userId,
    tags,
    model,
    provider,
    mode,
    reservedNanoUsd,
    fingerprint,
    status: receipt.status,
    modelUsed: receipt.modelUsed,
    errorCode: receipt.errorCode,
    tokens: receipt.usage === undefined ? {} : tokensOf(receipt.usage),
    costNanoUsd: receipt.costNanoUsd,
    costSource: receipt.costSource,
    tableCostNanoUsd: receipt.tableCostNanoUsd,
    durationMs: Math.round(receipt.timings.totalMs),
    generationId: receipt.generationId,
    prompt: content && cutToBytes(JSON.stringify(content.prompt)),
    answer: content && cutToBytes(content.answer),
  }
}

function tokensOf(usage: Usage): Record<string, number> {
  const { raw: _raw, ...tokens } = usage
  // No count is there without a value.
  return tokens as Record<string, number>
}

function cutToBytes(text: string): string {
  const bytes = new TextEncoder().encode(text)
  if (bytes.byteLength <= MAX_CONTENT_BYTES) return text
  // `stream` leaves out the code point that was cut in two.
  return new TextDecoder().decode(bytes.subarray(0, MAX_CONTENT_BYTES), { stream: true })
}
