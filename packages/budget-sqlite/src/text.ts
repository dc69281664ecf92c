import { isUtf8 } from "node:buffer"
import { StoreError } from "@p2/budget"
import type { SqlValue } from "./connection"

/** Begins a text that is kept as its JSON. */
const MARK = "\u0001p2:"
/** In every Node since 20, and not yet in the types of ES2023. */
interface MaybeWellFormed {
  isWellFormed(): boolean
}

/**
 * A text as the file keeps it: different texts are never kept as the same one. What a database cannot keep is a NUL, at
 * which some libraries cut, and half of a surrogate pair, which is no UTF-8: two users would become one, and libsql ends
 * the process when it reads one back.
 */
export function keptText(text: string): string {
  // V8 answers at once for texts of one byte a character, which a regular expression would walk through.
  const isKeepable = (text as unknown as MaybeWellFormed).isWellFormed() && !text.includes("\0")
  return isKeepable && !text.startsWith(MARK) ? text : MARK + JSON.stringify(text)
}

/** The text that {@link keptText} was given. */
export function givenText(text: string): string {
  return text.startsWith(MARK) ? (JSON.parse(text.slice(MARK.length)) as string) : text
}

/** Values to be bound; changes the list. */
export function keptValues(values: SqlValue[]): SqlValue[] {
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!
    if (typeof value === "string") values[index] = keptText(value)
  }
  return values
}

/** Rows as they were written, each text as it was given; changes the rows. */
export function givenRows<Row>(rows: Row[]): Row[] {
  for (const row of rows as Record<string, unknown>[])
    for (const column of Object.keys(row)) {
      const value = row[column]
      // libsql gives the bytes of one row as a Buffer and those of several as an ArrayBuffer.
      if (value instanceof Uint8Array) row[column] = givenText(decoded(value))
      else if (value instanceof ArrayBuffer) row[column] = givenText(decoded(new Uint8Array(value)))
      else if (typeof value === "string" && value.startsWith(MARK)) row[column] = givenText(value)
    }
  return rows
}

/** The store keeps no bytes but those of texts. */
function decoded(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (isUtf8(text)) return text.toString("utf8")
  throw new StoreError("A row holds a text that is no UTF-8, which the store never writes. It was left as it is.", {
    code: "corrupt",
    applied: "no",
  })
}

/** Names and values of tags, which SQLite takes out of their JSON one by one. */
export function mapTags(tags: Readonly<Record<string, string>>, map: (text: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [map(name), map(value)]))
}
