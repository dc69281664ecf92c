import { InvalidArgumentError } from "@p2/core"

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Milliseconds of `500ms`, `30s`, `5m`, `2h` or `30d`. @throws InvalidArgumentError */
export function readDuration(text: string, argument: string): number {
  const [, count, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? []
  const lengthMs = Number(count) * UNITS[unit as keyof typeof UNITS]
  if (Number.isSafeInteger(lengthMs)) return lengthMs
  throw new InvalidArgumentError(argument, "a duration such as 500ms, 30s, 5m, 2h or 30d", text)
}
