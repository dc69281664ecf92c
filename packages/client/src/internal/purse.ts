import type { Settlement, UsageDraft, UsageEntry } from "@p2/budget"
import type { NanoUsd, P2Error } from "@p2/core"
import type { Left } from "./estimate"

/** Money that was set aside for one attempt, in every scope at once. */
export interface Hold {
  /**
   * Replaces the reservation by the truth: one call to the store, with the usage entry.
   * `pending`: the store did not confirm; it is tried again in the background.
   */
  settle(costNanoUsd: NanoUsd, entry: UsageEntry): Promise<Pick<Settlement, "status">>
  /** Gives everything back: nothing was sent. */
  release(entry: UsageEntry): Promise<Pick<Settlement, "status">>
}

/** Why nothing was set aside, and what would have been. */
export interface Refused {
  ok: false
  error: P2Error
  /** The least that the refusing scopes have left; undefined: none was asked. */
  left: Left | undefined
}

/** The budget as an attempt sees it. */
export interface Purse {
  /** Sets money aside in all scopes or in none: one call to the store. Rejects when the store is broken. */
  reserve(request: {
    id: string
    amountNanoUsd: NanoUsd
    /** Upper bound of input and output, for limits in tokens. */
    tokens: number
    draft: UsageDraft
  }): Promise<{ ok: true; hold: Hold } | Refused>
  /** Writes an attempt that was refused into the ledger. Never rejects. */
  recordRefusal(id: string, entry: UsageEntry): Promise<void>
}
