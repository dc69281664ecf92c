import type { Millis } from "./name"

/** The latest time that a store may reply: JavaScript's calendar ends 40 days later, so that windows can be computed. */
export const MAX_TIME: Millis = 8_640_000_000_000_000 - 40 * 86_400_000
