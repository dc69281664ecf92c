import { describeName, InvalidArgumentError } from "../errors"
import { synonymOf } from "./option-synonyms"
import { correctSpelling, withoutCase } from "./spelling"

/** For unknown options, by name: one sentence that says what to write instead. */
export type OptionAdvice = Readonly<Record<string, string>>

/** A message lists the known names only if there are at most this many. */
const MAX_LISTED = 12

/**
 * Throws unless `value` is an object with known options only: a misspelled limit must not be ignored.
 * The message suggests the option that was probably meant. It never shows the value of an unknown option, which may be a key,
 * nor a name that is not an identifier.
 *
 * @param argument path of the object, such as `limits[0]`; options of `"options"` are named without a path
 * @param advice for options that have no counterpart among `names`
 * @throws InvalidArgumentError
 *
 * @example
 * checkOptions({ timezone: "UTC" }, new Set(["per", "timeZone"]), "limits[0]")
 * // InvalidArgumentError: Unknown option `limits[0].timezone`. Did you mean `timeZone`?
 */
export function checkOptions(
  value: unknown,
  names: ReadonlySet<string>,
  argument = "options",
  advice: OptionAdvice = {},
): asserts value is object {
  if (!isOptionsObject(value)) throw new InvalidArgumentError(argument, "an object", value)
  for (const name in value) {
    if (names.has(name)) continue
    const short = describeName(name)
    const path = argument === "options" ? short : `${argument}.${short}`
    const hint = adviceFor(name, names, advice)
    throw new InvalidArgumentError(path, "a known option", undefined, `Unknown option \`${path}\`.${hint}`)
  }
}

/** Returns advice for an unknown option, with a leading space: " Did you mean `x`?" */
export function adviceFor(name: string, names: ReadonlySet<string>, advice: OptionAdvice = {}): string {
  const form = withoutCase(name)
  const specific = Object.entries(advice).find(([other]) => withoutCase(other) === form)
  if (specific !== undefined) return ` ${specific[1]}`
  const exact = [...names].find((known) => withoutCase(known) === form)
  const meant = exact ?? synonymOf(name, names) ?? correctSpelling(name, names)
  if (meant !== undefined) return ` Did you mean \`${meant}\`?`
  if (names.size > MAX_LISTED) return ""
  return ` Known options: ${[...names].map((known) => `\`${known}\``).join(", ")}.`
}

/** Whether a value can be an options object. A promise without `await` would otherwise count as empty options. */
export function isOptionsObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false
  return typeof (value as { then?: unknown }).then !== "function"
}
