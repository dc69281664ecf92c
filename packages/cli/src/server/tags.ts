import { hideString, InvalidArgumentError } from "@p2/core"

/** The tags of `--tag team=search`. @throws InvalidArgumentError */
export function readTags(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = /^([^=]+)=(.+)$/s.exec(pair) ?? []
      if (name === undefined || value === undefined)
        throw new InvalidArgumentError("--tag", "NAME=VALUE such as team=search", hideString(pair))
      return [name, value]
    }),
  )
}
