import type { Name, StoreCheck } from "./budget-store"

const CLOCK_WARNING_MS = 60_000
/** Maximum number of keys that `check()` lists. */
export const MAX_DAMAGED_KEYS = 100

/** A check with the state of one partition, and warnings for the operator. */
export function withPartition(check: StoreCheck, partition: { damaged: Name[]; clockBehindMs: number }): StoreCheck {
  const { damaged, clockBehindMs } = partition
  const warnings = [...check.warnings]
  if (damaged.length > 0) {
    const count = damaged.length >= MAX_DAMAGED_KEYS ? `At least ${damaged.length}` : damaged.length
    const subject = damaged.length === 1 ? "reservation is" : "reservations are"
    warnings.push(`${count} ${subject} set aside as damaged; their amounts stay reserved until they are settled.`)
  }
  if (clockBehindMs > CLOCK_WARNING_MS) {
    const seconds = Math.round(clockBehindMs / 1_000)
    warnings.push(
      `The clock is ${seconds} s behind the latest time of the partition; windows follow that time until the clock catches up. If the clock is right now, accept it with \`acceptClock()\`.`,
    )
  }
  return { ...check, warnings, damaged, clockBehindMs }
}
