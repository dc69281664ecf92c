import { createHash } from "node:crypto"

/** Version of the layout of the keys. Stores with different layouts do not see each other's. */
const LAYOUT = 1

/** Names of the keys of one root. All of them share the hash tag `{root}`, so that one shard holds them. */
export function baseOf(prefix: string, root: string): string {
  return `${prefix}:${LAYOUT}:{${root}}:`
}

const PLAIN = /^[A-Za-z0-9_.:|=@/+-]{1,64}$/

/** What stands for a text in an index: the text itself where it is short and has no space, otherwise its hash. */
export function indexPart(kind: "q" | "u" | "c", text: string): string {
  if (PLAIN.test(text)) return `${kind}=${text}`
  // JSON, because UTF-8 has no form for a lone surrogate, and two texts must not become one.
  return `${kind}#${createHash("sha256").update(JSON.stringify(text)).digest("base64url")}`
}

/** The index parts of an entry: of time, request, and user and client where it has them. */
export function indexParts(entry: {
  requestId: string
  userId?: string | undefined
  clientId?: string | undefined
}): string {
  let parts = `t ${indexPart("q", entry.requestId)}`
  if (entry.userId !== undefined) parts += ` ${indexPart("u", entry.userId)}`
  if (entry.clientId !== undefined) parts += ` ${indexPart("c", entry.clientId)}`
  return parts
}
