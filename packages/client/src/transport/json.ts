/** A short string from a provider: not empty, cut to 200 characters. */
export function shortString(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, 200) : undefined
}
