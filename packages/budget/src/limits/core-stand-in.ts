// Stands in for `checkOptions`, `formatUsd` and `plural` of @p2/core until they are there with these signatures.
import { formatUsd as formatDigits, InvalidArgumentError, checkNames as rejectUnknown } from "@p2/core"

/** What to write instead of an option that does not exist here, by its name: one sentence each. */
export type OptionAdvice = Readonly<Record<string, string>>

/** An object with known names only. @throws InvalidArgumentError with what was probably meant */
export function checkOptions(
  value: unknown,
  names: ReadonlySet<string>,
  argument = "options",
  advice: OptionAdvice = {},
): asserts value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new InvalidArgumentError(argument, "an object", value)
  const unknown = Object.keys(value).find((name) => !names.has(name) && advice[name] !== undefined)
  if (unknown === undefined) return rejectUnknown(value, names, argument === "options" ? "" : argument)
  const path = argument === "options" ? unknown : `${argument}.${unknown}`
  throw new InvalidArgumentError(path, "a known option", undefined, `Unknown option \`${path}\`. ${advice[unknown]}`)
}

/** `"$0.50"`, `"-$0.000025"` */
export function formatUsd(nanoUsd: number): string {
  return `${nanoUsd < 0 ? "-" : ""}$${formatDigits(Math.abs(nanoUsd))}`
}

/** `"1 token"`, `"3 tokens"` */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}
