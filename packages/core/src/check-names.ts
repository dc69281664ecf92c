import { InvalidArgumentError } from "./errors"
import { nearestIds } from "./model-id"

/** What to say of a name that is not known: that there is none, and which one may have been meant. */
export function noSuchOption(name: string, known: Iterable<string>): string {
  const [nearest] = nearestIds(name, known, 1)
  return `no such option${nearest === undefined ? "" : ` (did you mean \`${nearest}\`?)`}`
}

/**
 * Throws when an object of options has a name that is not known: a misspelt limit must not pass for no limit.
 *
 * @param names the names that are known
 * @param argument path of the object, such as `limits[0]`; empty for the options themselves
 * @throws InvalidArgumentError naming the nearest known name
 */
export function checkNames(value: object, names: ReadonlySet<string>, argument: string): void {
  for (const name in value) {
    if (names.has(name)) continue
    const path = argument === "" ? name : `${argument}.${name}`
    const given = (value as Record<string, unknown>)[name]
    throw new InvalidArgumentError(path, `absent: there is ${noSuchOption(name, names)}`, given)
  }
}
