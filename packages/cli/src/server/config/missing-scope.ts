import type { Limit, Subject } from "@p2/budget"

/** A limit that counts by a field that a subject lacks: every call of that subject would be rejected. */
export interface MissingScope {
  /** The position of the limit. */
  index: number
  /** `user`, `client` or the name of a tag. */
  field: { name: "user" | "client" } | { tag: string }
}

/** The first limit whose scope a subject lacks. The model and the id of a request come with each call. */
export function missingScope(
  limits: readonly Limit[],
  { userId, clientId, tags = {} }: Subject,
): MissingScope | undefined {
  for (const [index, { scope, optional }] of limits.entries()) {
    if (optional === true) continue
    if (scope === "user" && userId === undefined) return { index, field: { name: "user" } }
    if (scope === "client" && clientId === undefined) return { index, field: { name: "client" } }
    if (typeof scope === "object" && "tag" in scope && !Object.hasOwn(tags, scope.tag))
      return { index, field: { tag: scope.tag } }
  }
  return undefined
}
