/**
 * How much later than `forgetAt` a store deletes a record. Within it, a clock that jumps ahead and back deletes nothing;
 * beyond it, counters of days can be lost.
 */
export const CLOCK_MARGIN_MS = 7 * 86_400_000
