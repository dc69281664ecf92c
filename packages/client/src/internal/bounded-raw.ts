/** Characters of JSON that are kept of what a provider sent as usage. Real ones have some hundreds. */
const MAX_SIZE = 16_384

/** What a provider sent, where it is of a sane size; else only that it was not. */
export function boundedRaw(raw: Record<string, unknown>): Record<string, unknown> {
  try {
    if (JSON.stringify(raw).length <= MAX_SIZE) return raw
  } catch {
    // Deeper than the stack.
  }
  return { dropped: true }
}
