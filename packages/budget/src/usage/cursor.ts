import { InvalidArgumentError } from "@p2/core"
import type { Position } from "../store/storage"
import type { StoredEntry } from "./entry"

/** The cursor of a page that ends with this entry. */
export function formatCursor({ at, idempotencyKey }: StoredEntry): string {
  return `${at}~${idempotencyKey}`
}

/** @throws InvalidArgumentError */
export function parseCursor(cursor: string): Position {
  const [, at, key] = /^(\d{1,16})~([A-Za-z0-9_.:|=-]{1,64})$/.exec(cursor) ?? []
  if (key === undefined) throw new InvalidArgumentError("cursor", "a cursor that `list` returned", cursor)
  return { at: Number(at), key }
}
