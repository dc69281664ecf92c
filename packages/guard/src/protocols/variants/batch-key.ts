/** The idempotency key of a batch's reservation. */
export function batchKey(batchId: string): string {
  return `batch:${batchId}`
}

/** How long the results of a batch may take to arrive after its completion window. */
export const BATCH_MARGIN_MS = 3_600_000
