import { InvalidArgumentError } from "./errors"
import { nearestIds } from "./model-id"

/** " Did you mean `x`?" with the known name that is spelled most alike; empty when none is. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const [nearest] = nearestIds(name, known, 1)
  return nearest ? ` Did you mean \`${nearest}\`?` : ""
}

/**
 * Rejects options that are not an object or have an unknown name: a misspelt limit must not count as no limit.
 * The value of an unknown option is not shown, because it may be a key or an address with a password.
 *
 * @param names the known names
 * @param argument path of the object, such as `limits[0]`; empty for the options themselves
 * @throws InvalidArgumentError naming the nearest known name
 */
export function checkNames(value: object, names: ReadonlySet<string>, argument: string): void {
  if (Object(value) !== value) throw new InvalidArgumentError(argument || "options", "an object", value)
  for (const name in value) {
    if (names.has(name)) continue
    const path = argument ? `${argument}.${name}` : name
    const hint = didYouMean(name, names)
    throw new InvalidArgumentError(path, `a known option.${hint}`, undefined, `Unknown option \`${path}\`.${hint}`)
  }
}
