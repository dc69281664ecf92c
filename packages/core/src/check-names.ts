import { InvalidArgumentError } from "./errors"
import { nearestIds } from "./model-id"

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
    const [nearest] = nearestIds(name, names, 1)
    const hint = nearest === undefined ? "" : ` (did you mean \`${nearest}\`?)`
    const path = argument === "" ? name : `${argument}.${name}`
    throw new InvalidArgumentError(
      path,
      `absent: there is no such option${hint}`,
      (value as Record<string, unknown>)[name],
    )
  }
}
