import type { StoredEntry } from "@p2/budget"
import type { CallView } from "./view"

/** Copies the fields that the page shows, by name: a field that the ledger gets later is not shown by accident, and content never is. */
export function callView(entry: StoredEntry): Omit<CallView, "deniedBy"> {
  return {
    id: entry.idempotencyKey,
    at: entry.at,
    requestId: entry.requestId,
    attempt: entry.attempt,
    userId: entry.userId ?? null,
    clientId: entry.clientId ?? null,
    tags: Object.entries(entry.tags ?? {}),
    model: entry.model,
    modelUsed: entry.modelUsed ?? null,
    provider: entry.provider ?? null,
    mode: entry.mode ?? null,
    status: entry.status,
    errorCode: entry.errorCode ?? null,
    reservedNanoUsd: entry.reservedNanoUsd,
    costNanoUsd: entry.costNanoUsd,
    costSource: entry.costSource,
    inDoubt: entry.inDoubt === true,
    tableCostNanoUsd: entry.tableCostNanoUsd ?? null,
    tokens: Object.entries(entry.tokens),
    costs: Object.entries(entry.costs ?? {}),
    count: entry.status === "denied" ? (entry.count ?? 1) : 1,
    durationMs: entry.durationMs ?? null,
    generationId: entry.generationId ?? null,
    revision: entry.revision,
  }
}
