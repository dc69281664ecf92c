import type { SimulatedProcess } from "./virtual-time"

/** One call: its bill, and its outcome for the process that made it. */
export interface SimulatedCall {
  key: string
  subject: { userId: string; clientId: string }
  /** The reserved amount, in nano-USD. */
  bound: number
  /** The charge if its lease ends, in nano-USD. */
  onExpire: number
  owner: SimulatedProcess
  /** The provider's bill; null until the call is sent. */
  billed: number | null
  /** The settled cost before an invoice corrected it. */
  billedBefore: number | null
  outcome: "open" | "denied" | "failed" | "resolved" | "released" | "settled" | "pending" | "forgotten" | "uncertain"
  /** A release was sent, which may arrive after the owner died. */
  isReleaseSent: boolean
  /** An owner died before the call was over. */
  isAbandoned: boolean
}

/**
 * The amounts that a call may be charged in the end. `isForgotten`: the store replied `forgotten` to a settle of this key,
 * so that the earlier charge stays. `isExpired`: a reserve found that the key had expired.
 */
export function allowedCharges(
  call: SimulatedCall,
  { isForgotten, isExpired }: { isForgotten: boolean; isExpired: boolean },
): ReadonlySet<number> {
  const { onExpire, owner, billed, billedBefore, outcome, isReleaseSent, isAbandoned } = call
  const isConfirmed = outcome === "settled" || (outcome === "pending" && !owner.isDead && !isForgotten)
  if (isConfirmed) return new Set([billed ?? 0])
  const allowed = new Set<number>()
  // A call that was not sent costs nothing. A process that died could not release its reservation.
  if (billed === null || isReleaseSent) allowed.add(0)
  // A reserve that was sent twice may find its first copy expired. It must not release it: another owner may have reserved it.
  if (isAbandoned || isForgotten || (isExpired && (outcome === "failed" || outcome === "resolved")))
    allowed.add(onExpire)
  // The settle may have arrived before the crash, or before the reply was lost.
  if (billed !== null) allowed.add(billed)
  if (billedBefore !== null) allowed.add(billedBefore)
  return allowed
}
