import { InvalidArgumentError } from "@p2/core"
import type { Encoding } from "../encodings/encoding"

/** Names the special tokens that count as one token each; all others are ordinary text. */
export interface SpecialTokenOptions {
  /** Names such as `<|endoftext|>`, or `"all"`. @defaultValue none */
  allowedSpecial?: "all" | Iterable<string> | undefined
}

/** Ordinary text, or a special token with its rank. */
export interface TextPart {
  text: string
  rank: number | undefined
}

/**
 * Splits text at the allowed special tokens: `"a<|endoftext|>b"` has the parts `a`, `<|endoftext|>`, `b`.
 * @throws InvalidArgumentError for a name that is not a special token of the encoding
 */
export function splitAtSpecialTokens(
  encoding: Encoding,
  text: string,
  options: SpecialTokenOptions | undefined,
): TextPart[] {
  const allowed = allowedTokens(encoding, options)
  const longest = Math.max(0, ...[...allowed.keys()].map((name) => name.length))
  const parts: TextPart[] = []
  let from = 0
  // All special tokens begin with "<|", end with "|>" and have neither in between.
  for (let at = longest === 0 ? -1 : text.indexOf("<|"); at !== -1; at = text.indexOf("<|", at)) {
    const window = text.slice(at, at + longest)
    const name = window.slice(0, window.indexOf("|>", 2) + 2)
    const rank = allowed.get(name)
    if (rank === undefined) {
      at += 2
      continue
    }
    if (at > from) parts.push({ text: text.slice(from, at), rank: undefined })
    parts.push({ text: name, rank })
    at += name.length
    from = at
  }
  if (from < text.length) parts.push({ text: text.slice(from), rank: undefined })
  return parts
}

function allowedTokens(
  { name, specialTokens }: Encoding,
  options: SpecialTokenOptions | undefined,
): ReadonlyMap<string, number> {
  const allowed = options?.allowedSpecial ?? []
  if (allowed === "all") return specialTokens
  if (typeof allowed === "string" || typeof allowed[Symbol.iterator] !== "function")
    throw new InvalidArgumentError("allowedSpecial", '"all" or an array of names such as ["<|endoftext|>"]', allowed)
  const tokens = new Map<string, number>()
  for (const token of allowed) {
    const rank = specialTokens.get(token)
    if (rank === undefined)
      throw new InvalidArgumentError("allowedSpecial[]", `a special token of ${name}, such as "<|endoftext|>"`, token)
    tokens.set(token, rank)
  }
  return tokens
}
