/**
 * A count with its noun: `plural(1, "field")` is `"1 field"`, `plural(3, "field")` is `"3 fields"`.
 * @param many the plural, if it is not the noun with an `s`:  `plural(2, "entry", "entries")`
 */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : many}`
}
