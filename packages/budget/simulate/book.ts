/** What one call is known to have come to, by the provider's account and by what the process was told. */
export interface BookedCall {
  id: string
  bound: number
  /** What the provider bills, once the call has left. */
  billed: number | null
  /** What it was settled with before an invoice corrected it. */
  before: number | null
  outcome: "open" | "refused" | "failed" | "released" | "settled" | "pending" | "forgotten"
  /** The process died before the call was over. */
  crashed: boolean
}

/** What each call may be charged in the end, cell by cell: these amounts and no others. */
export function allowedCharges(call: BookedCall): number[] {
  const { bound, billed, before, outcome, crashed } = call
  if (outcome === "refused") return [0]
  if (outcome === "settled" || (outcome === "pending" && !crashed)) return [billed ?? 0]
  // The settlement may have arrived before the crash; otherwise the lease ran out and was charged at its bound.
  if (billed !== null) return before === null ? [billed, bound] : [billed, bound, before]
  // Nothing was sent. A process that died could not give back what it held.
  return crashed ? [0, bound] : [0]
}
