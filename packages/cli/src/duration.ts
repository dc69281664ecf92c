import { InvalidArgumentError } from "@p2/core"

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** The longest delay of a Node timer, about 24 days; longer timers fire immediately. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/** Milliseconds of `500ms`, `30s`, `5m`, `2h` or `1d`, at most `maxMs`. @throws InvalidArgumentError */
export function readDuration(value: string, name: string, maxMs: number = Number.MAX_SAFE_INTEGER): number {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value) ?? []
  const durationMs = Number(digits) * UNITS[unit as keyof typeof UNITS]
  if (durationMs <= maxMs) return durationMs
  throw new InvalidArgumentError(name, "a duration such as 30s, 5m, 2h or 1d", value)
}
