import type { UsageTotals } from "./ledger"

type Group = Pick<UsageTotals, "group">

/** Groups by time, then by text in code units; what an entry does not have stands last. */
export function byGroup(a: Group, b: Group): number {
  for (const [index, left] of a.group.entries()) {
    const right = b.group[index]!
    if (left === right) continue
    if (left === null || right === null) return left === null ? 1 : -1
    return left < right ? -1 : 1
  }
  return 0
}
