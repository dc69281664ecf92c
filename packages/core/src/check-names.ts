import { InvalidArgumentError, withoutText } from "./errors"
import { nearestIds } from "./model-id"

/** What to say of a name that is not known: that there is none, and which one may have been meant. */
export function noSuchOption(name: string, known: Iterable<string>): string {
  const [nearest] = nearestIds(name, known, 1)
  return `no such option${nearest ? ` (did you mean \`${nearest}\`?)` : ""}`
}

/**
 * Throws when options are no object, or have a name that is not known: a misspelt limit must not pass for no limit. A text that
 * came under it is not shown: it may be a key, or an address with a password.
 *
 * @param names the names that are known
 * @param argument path of the object, such as `limits[0]`; empty for the options themselves
 * @throws InvalidArgumentError naming the nearest known name
 */
export function checkNames(value: object, names: ReadonlySet<string>, argument: string): void {
  if (Object(value) !== value) throw new InvalidArgumentError(argument || "options", "an object", value)
  for (const name in value) {
    if (names.has(name)) continue
    const path = argument && `${argument}.`
    const given = withoutText((value as Record<string, unknown>)[name])
    throw new InvalidArgumentError(path + name, `absent: there is ${noSuchOption(name, names)}`, given)
  }
}
