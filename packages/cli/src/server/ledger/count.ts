import { InvalidArgumentError } from "@p2/core"

/** Reads a number of rows. @throws InvalidArgumentError */
export function readCount(text: string, name: string): number {
  const count = Number(text)
  if (/^\d{1,4}$/.test(text) && count >= 1 && count <= 1_000) return count
  throw new InvalidArgumentError(name, "a number from 1 to 1000", text)
}
