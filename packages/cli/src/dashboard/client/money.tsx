import { dollarParts } from "./format"

/** Exact dollars; digits after the cents are muted. */
export function Money({ nanoUsd }: { nanoUsd: number }) {
  const [main, rest] = dollarParts(nanoUsd)
  return (
    <span class="money">
      {main}
      {rest === "" ? null : <span class="money-rest">{rest}</span>}
    </span>
  )
}
