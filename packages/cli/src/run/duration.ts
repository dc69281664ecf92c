import { InvalidArgumentError } from "@p2/core"

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const
const MAX_MS = 2 ** 31 - 1

/** Milliseconds of `500ms`, `30s`, `5m` or `1h`. @throws InvalidArgumentError */
export function readDuration(value: string, name: string): number {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(value) ?? []
  const durationMs = Number(digits) * UNITS[unit as keyof typeof UNITS]
  if (durationMs <= MAX_MS) return durationMs
  throw new InvalidArgumentError(name, "a duration such as 30s or 5m", value)
}
