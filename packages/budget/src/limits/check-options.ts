import { checkNames, InvalidArgumentError } from "@p2/core"

/** An object with known names only. @throws InvalidArgumentError naming the nearest known name */
export function checkOptions(value: unknown, names: ReadonlySet<string>, argument = "options"): void {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new InvalidArgumentError(argument, "an object", value)
  checkNames(value, names, argument === "options" ? "" : argument)
}
