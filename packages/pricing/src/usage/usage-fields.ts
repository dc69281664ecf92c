import { InvalidArgumentError, type Usage } from "@p2/core"

/** A part of {@link Usage} that may be left out. */
export type UsagePart = Exclude<keyof Usage, "raw" | "inputTokens" | "outputTokens">

/** Reads the counts of a provider's usage object: null and absent are none, anything but a count is a mistake. */
export class UsageFields {
  readonly #fields: Record<string, unknown>
  readonly #path: string

  constructor(value: unknown, path = "usage") {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new InvalidArgumentError(path, "the provider's usage object", value)
    this.#fields = value as Record<string, unknown>
    this.#path = path
  }

  /** A count that may be missing. */
  count(name: string): number | undefined {
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value
    throw new InvalidArgumentError(`${this.#path}.${name}`, "an integer of at least 0", value)
  }

  /** A count without which the usage says nothing. */
  total(name: string): number {
    const value = this.count(name)
    if (value !== undefined) return value
    throw new InvalidArgumentError(`${this.#path}.${name}`, "an integer of at least 0", this.#fields[name])
  }

  /** An object inside; empty when missing. */
  inner(name: string): UsageFields {
    return new UsageFields(this.#fields[name] ?? {}, `${this.#path}.${name}`)
  }

  /** The list inside; empty when missing. */
  list(name: string): readonly unknown[] {
    const value = this.#fields[name] ?? []
    if (Array.isArray(value)) return value
    throw new InvalidArgumentError(`${this.#path}.${name}`, "a list", value)
  }
}

/** A usage with the parts that are there and more than 0. */
export function usageWith(
  inputTokens: number,
  outputTokens: number,
  raw: unknown,
  parts: { [part in UsagePart]?: number | undefined },
): Usage {
  const usage: Usage = { inputTokens, outputTokens }
  for (const [part, value] of Object.entries(parts) as [UsagePart, number | undefined][])
    if (value !== undefined && value > 0) usage[part] = value
  usage.raw = raw
  return usage
}
