/**
 * Returns the fields of an object under their names in camel case: the API accepts `max_output_tokens` too. A field in both
 * spellings gets a name that no table of fields has, so that it is rejected.
 */
export function camelKeys(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields = new Map<string, unknown>()
  for (const [name, inner] of Object.entries(value)) {
    const camel = camelCase(name)
    fields.set(fields.has(camel) ? `${camel}_in_two_spellings` : camel, inner)
  }
  return Object.fromEntries(fields)
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
