/** Characters of JSON that are kept of what a provider sent as usage. Real ones have some hundreds. */
const MAX_SIZE = 16_384

/** What a provider sent, where it is of a sane size; else only that it was not. */
export function boundedRaw(raw: Record<string, unknown>): Record<string, unknown> {
  let size = Number.POSITIVE_INFINITY
  try {
    size = JSON.stringify(raw).length
  } catch {
    // Deeper than the stack.
  }
  return size > MAX_SIZE ? { dropped: `more than ${MAX_SIZE} characters` } : raw
}
