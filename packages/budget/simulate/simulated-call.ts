import type { SimulatedProcess } from "./virtual-time"

/** One call: what the provider bills for it, and how it ended for the process that made it. */
export interface SimulatedCall {
  key: string
  subject: { userId: string; clientId: string }
  /** What is reserved for it, in nano-USD. */
  bound: number
  /** What is charged if its owner is gone. */
  onExpire: number
  owner: SimulatedProcess
  /** What the provider bills; null until the call is sent. */
  billed: number | null
  /** What it was settled with before an invoice corrected it. */
  billedBefore: number | null
  outcome: "open" | "denied" | "failed" | "resolved" | "released" | "settled" | "pending" | "forgotten" | "uncertain"
  /** A release was sent, which may arrive after the owner is gone. */
  isReleaseSent: boolean
  /** An owner died before the call was over. */
  isAbandoned: boolean
}

/**
 * What a call may be charged in the end: these amounts and no others. `isForgotten`: the store replied `forgotten` to a
 * settle of this key, so that what was charged before stays. `isExpired`: a reserve found that the key had expired.
 */
export function allowedCharges(
  call: SimulatedCall,
  { isForgotten, isExpired }: { isForgotten: boolean; isExpired: boolean },
): ReadonlySet<number> {
  const { onExpire, owner, billed, billedBefore, outcome, isReleaseSent, isAbandoned } = call
  const isConfirmed = outcome === "settled" || (outcome === "pending" && !owner.isDead && !isForgotten)
  if (isConfirmed) return new Set([billed ?? 0])
  const allowed = new Set<number>()
  // A call that was not sent costs nothing. A process that died could not release what it had reserved.
  if (billed === null || isReleaseSent) allowed.add(0)
  // A reserve that was sent twice may find its own first copy expired, and must not release it: it may be another owner's.
  if (isAbandoned || isForgotten || (isExpired && (outcome === "failed" || outcome === "resolved")))
    allowed.add(onExpire)
  // The settle may have arrived before the crash, or before the reply was lost.
  if (billed !== null) allowed.add(billed)
  if (billedBefore !== null) allowed.add(billedBefore)
  return allowed
}
