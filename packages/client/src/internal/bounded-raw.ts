/** Characters of JSON and levels that are kept of what a provider sent as usage. Real ones have some hundreds, and two. */
const MAX_SIZE = 16_384
const MAX_LEVELS = 8

/** What a provider sent, whole where it is of a sane size; else the parts that fit, and how many do not as `dropped`. */
export function boundedRaw(raw: Record<string, unknown>): Record<string, unknown> {
  if (sizeOf(raw, MAX_SIZE) <= MAX_SIZE) return raw
  const kept: [string, unknown][] = []
  let left = MAX_SIZE
  let dropped = 0
  for (const key in raw) {
    const size = key.length + sizeOf(raw[key], left)
    if (size > left) dropped++
    else {
      kept.push([key, raw[key]])
      left -= size
    }
  }
  return Object.fromEntries([...kept, ["dropped", dropped]])
}

/** About how many characters a value has as JSON; counted no further than `limit`. */
function sizeOf(value: unknown, limit: number, level = 0): number {
  if (typeof value === "string") return value.length + 2
  if (typeof value !== "object" || value === null) return 8
  if (level === MAX_LEVELS) return Number.POSITIVE_INFINITY
  let size = 2
  for (const key in value) {
    size += key.length + 4 + sizeOf((value as Record<string, unknown>)[key], limit - size, level + 1)
    if (size > limit) break
  }
  return size
}
