/**
 * Returns the known ids with the most similar spelling, nearest first, by edit distance over their lower-case forms; for error
 * messages only. An id that continues the other after a hyphen counts as one edit: `gpt-4o` for `gpt-4o-latest`. Returns at
 * most `count` ids (default 3), and no other that differs in more than half of its characters.
 */
export function nearestIds(id: string, known: Iterable<string>, count = 3): string[] {
  const wanted = id.slice(0, 100).toLowerCase()
  let nearest: { distance: number; id: string }[] = []
  for (const candidate of known) {
    const half = Math.ceil(Math.max(wanted.length, candidate.length) / 2)
    const limit = nearest.length < count ? half : Math.min(half, nearest.at(-1)!.distance)
    const form = candidate.toLowerCase()
    const isContinued = wanted.startsWith(`${form}-`) || form.startsWith(`${wanted}-`)
    // The fewest additional characters first.
    const distance = isContinued ? 1 + Math.abs(form.length - wanted.length) / 1000 : editDistance(wanted, form, limit)
    if (distance > limit) continue
    nearest.push({ distance, id: candidate })
    nearest.sort((a, b) => a.distance - b.distance || (a.id < b.id ? -1 : 1))
    nearest = nearest.slice(0, count)
  }
  return nearest.map((candidate) => candidate.id)
}

/** Returns the known name that `name` probably misspells: at most one edit per three characters. */
export function correctSpelling(name: string, known: Iterable<string>): string | undefined {
  const wanted = withoutCase(name).slice(0, 100)
  let nearest: { distance: number; name: string } | undefined
  for (const candidate of known) {
    const form = withoutCase(candidate)
    const limit = Math.floor(Math.max(wanted.length, form.length) / 3)
    const distance = editDistance(wanted, form, limit)
    if (distance <= limit && distance < (nearest?.distance ?? Number.POSITIVE_INFINITY))
      nearest = { distance, name: candidate }
  }
  return nearest?.name
}

/** Converts `max_tokens`, `max-tokens` and `maxTokens` to the same form. */
export function withoutCase(name: string): string {
  return name.replace(/[_-]/g, "").toLowerCase()
}

/**
 * Optimal string alignment distance: insertions, deletions, substitutions, and swaps of neighbors. Infinity if it exceeds
 * `limit`.
 */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Number.POSITIVE_INFINITY
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  let previousMinimum = 0
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    let minimum = i
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + Number(a[i - 1] !== b[j - 1])
      let distance = Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwap) distance = Math.min(distance, beforePrevious[j - 2]! + 1)
      row.push(distance)
      minimum = Math.min(minimum, distance)
    }
    // A later row builds on this row or, by a swap, on the one before.
    if (minimum > limit && previousMinimum > limit) return Number.POSITIVE_INFINITY
    beforePrevious = previous
    previous = row
    previousMinimum = minimum
  }
  return previous[b.length]!
}
