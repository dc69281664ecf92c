import type { SqlValue } from "./connection"

/** Begins a text that is kept as its JSON. */
const MARK = "\u0001p2:"
/**
 * What a database cannot keep: a NUL, at which some libraries cut, and half of a surrogate pair, which is no UTF-8 (two
 * users would become one, and libsql ends the process when it reads one back). `u`: whole pairs do not match.
 */
const UNKEEPABLE = /[\0\p{Surrogate}]/u

/** A text as the file keeps it: different texts are never kept as the same one. */
export function keptText(text: string): string {
  if (!UNKEEPABLE.test(text) && !text.startsWith(MARK)) return text
  return MARK + JSON.stringify(text)
}

/** The text that {@link keptText} was given. */
export function givenText(text: string): string {
  return text.startsWith(MARK) ? (JSON.parse(text.slice(MARK.length)) as string) : text
}

/** Values to be bound. */
export function keptValues(values: readonly SqlValue[]): SqlValue[] {
  return values.map((value) => (typeof value === "string" ? keptText(value) : value))
}

/** Rows as they were written, each text as it was given; changes the rows. */
export function givenRows<Row>(rows: Row[]): Row[] {
  for (const row of rows as Record<string, unknown>[])
    for (const column of Object.keys(row)) {
      const value = row[column]
      if (typeof value === "string" && value.startsWith(MARK)) row[column] = givenText(value)
    }
  return rows
}

/** Names and values of tags, which SQLite takes out of their JSON one by one. */
export function mapTags(tags: Readonly<Record<string, string>>, map: (text: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [map(name), map(value)]))
}
