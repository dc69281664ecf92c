import type { StoredEntry, UsageEntry, UsageFilter } from "../ledger"
import type { Name } from "../store"
import { StoreError } from "../store-error"

/** Longest JSON, in UTF-16 units, that stands in a chunk with its prompt and answer. */
const MAX_INLINE = 4_096
/** Before the JSON of an entry whose prompt and answer are kept apart. */
const SHORTENED = "@"

/** The lines before the JSON of an entry without money. */
export function recordHead(id: Name): string {
  return `${id} -\n0\n\n`
}

/** The JSON of an entry for its chunk and, where prompt and answer make it long, the whole. */
export function jsonOf(entry: UsageEntry): [json: string] | [json: string, whole: string] {
  const whole = JSON.stringify(entry)
  if (whole.length <= MAX_INLINE || (entry.prompt === undefined && entry.answer === undefined)) return [whole]
  return [SHORTENED + JSON.stringify({ ...entry, prompt: undefined, answer: undefined }), whole]
}

/** What the JSON of every entry that matches holds somewhere; not everything that holds it matches. */
export function textsOf(filter: UsageFilter): string[] {
  const texts: string[] = []
  for (const field of ["requestId", "userId", "clientId", "model", "provider"] as const) {
    if (filter[field] !== undefined) texts.push(`"${field}":${JSON.stringify(filter[field])}`)
  }
  return texts
}

/** An entry as the scripts keep it, and whether its prompt and answer are kept apart. */
export function readEntry(line: string): { entry: StoredEntry; shortened: boolean } {
  const first = line.indexOf("\n")
  const second = line.indexOf("\n", first + 1)
  const third = line.indexOf("\n", second + 1)
  const [at = "", id = "", mark] = line.slice(0, Math.max(0, first)).split(" ")
  const shortened = line[third + 1] === SHORTENED
  try {
    const entry = JSON.parse(line.slice(third + (shortened ? 2 : 1))) as UsageEntry
    const [revision, ...amounts] = line
      .slice(first + 1, second)
      .split(" ")
      // An expiry without cells leaves a space behind the revision.
      .filter((word) => word !== "")
      .map(Number)
    const words = line.slice(second + 1, third).split(" ")
    // A release without an entry took the money back, so that the entry of the expiry no longer holds.
    const taken = mark === "r" ? ({ status: "released", costNanoUsd: 0, costSource: "none" } as const) : {}
    const charges = Object.fromEntries(amounts.map((amount, index): [Name, number] => [words[2 * index]!, amount]))
    return { entry: { ...entry, ...taken, id, at: Number(at), revision: revision!, charges }, shortened }
  } catch (cause) {
    throw new StoreError(`The usage entry ${id} holds something that this store did not write.`, {
      code: "corrupt",
      applied: "no",
      cause,
    })
  }
}

/** Entries are in order of (at, id). */
export function compareEntries(a: { at: number; id: Name }, b: { at: number; id: Name }): number {
  if (a.at !== b.at) return a.at - b.at
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
