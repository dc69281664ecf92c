import { LruMap } from "@p2/core"

/** Prefixes that are remembered, and for how long: a model name can come to mean another model. */
const CAPACITY = 10_000
const LIFETIME_MS = 3_600_000

/** A prompt of which a call has the first turns, with its tokens. */
export interface RememberedPrefix {
  /** Number of turns. */
  length: number
  tokens: number
}

/** The tokens of prompts, by digests: no text is kept. */
export class PrefixCounts {
  readonly #counts = new LruMap<string, { tokens: number; until: number }>(CAPACITY)

  /** @param digests of {@link prefixDigests} */
  longest(digests: readonly string[]): RememberedPrefix | undefined {
    for (let length = digests.length; length > 0; length--) {
      const count = this.#counts.get(digests[length - 1]!)
      if (count !== undefined && Date.now() < count.until) return { length, tokens: count.tokens }
    }
    return undefined
  }

  set(digest: string, tokens: number): void {
    this.#counts.set(digest, { tokens, until: Date.now() + LIFETIME_MS })
  }
}

/**
 * Digests of the first turn, of the first two turns, and so on, each with everything that is counted before the turns. Two
 * prompts with the same digest differ at most in marks for the cache, which agents move from turn to turn.
 */
export async function prefixDigests(head: unknown, turns: readonly unknown[]): Promise<string[]> {
  let last = await digest(jsonOf(head))
  const digests: string[] = []
  for (const turn of turns) {
    last = await digest(last + jsonOf(turn))
    digests.push(last)
  }
  return digests
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value, (name, inner) => (name === "cache_control" ? undefined : inner)) ?? ""
}

async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
  return String.fromCharCode(...bytes)
}
