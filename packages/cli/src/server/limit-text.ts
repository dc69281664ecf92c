import type { Limit, Scope } from "@p2/budget"
import { formatUsd, usd } from "@p2/core"

/** `$5.00/day`, or `2,000,000 tokens/1h` */
export function formatLimit({ limit, per = "total" }: Pick<Limit, "limit" | "per">): string {
  const window = per === "total" ? "" : `/${per}`
  if (limit === null) return `no limit${window}`
  if (typeof limit !== "object") return `${formatUsd(usd(limit))}${window}`
  const { usd: dollars, nanoUsd, tokens, requests } = limit
  const money = dollars === undefined ? nanoUsd : usd(dollars)
  const parts = [
    ...(money === undefined ? [] : [formatUsd(money)]),
    ...(tokens === undefined ? [] : [`${tokens.toLocaleString("en-US")} tokens`]),
    ...(requests === undefined ? [] : [`${requests.toLocaleString("en-US")} requests`]),
  ]
  return `${parts.join(", ")}${window}`
}

/** `user`, or `tag:team` */
export function formatScope(scope: Scope): string {
  if (typeof scope === "string") return scope
  return "tag" in scope ? `tag:${scope.tag}` : "child"
}
