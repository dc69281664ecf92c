import { P2Error } from "@p2/core"
import type { KeyRecord } from "./virtual-key"

/** The virtual keys, kept in the database of the store so that all instances share them. Members reject if the database fails. */
export interface KeyStore {
  add(record: KeyRecord): Promise<void>
  /** The record of a key, by the hash of the key; undefined: unknown. */
  find(hash: string): Promise<KeyRecord | undefined>
  /** Every key, oldest first. */
  list(): Promise<KeyRecord[]>
  /** Revokes a key by its id. A key that is revoked stays listed. Resolves to false if no key has the id. */
  revoke(id: string, now: number): Promise<boolean>
  close(): Promise<void>
}

/** Parses a stored record. @throws P2Error if it is damaged: a damaged key opens nothing */
export function readRecord(json: string): KeyRecord {
  try {
    const record: unknown = JSON.parse(json)
    if (isRecord(record)) return record
  } catch {
    // The error below reports it.
  }
  throw new P2Error(
    "A stored virtual key is damaged. Delete it from the database (table p2_keys or hash p2:keys), and create a new key.",
    { code: "key-corrupt", kind: "failed" },
  )
}

function isRecord(value: unknown): value is KeyRecord {
  const { id, hash, models, limits, createdAt, expiresAt, revokedAt } = Object(value) as Record<string, unknown>
  const isTime = (time: unknown) => time === null || Number.isSafeInteger(time)
  const isList = (list: unknown) => list === undefined || Array.isArray(list)
  const isNamed = typeof id === "string" && typeof hash === "string"
  return isNamed && [createdAt, expiresAt, revokedAt].every(isTime) && isList(models) && isList(limits)
}

/** The records of a listing, oldest first. */
export function sortRecords(records: KeyRecord[]): KeyRecord[] {
  return records.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
}

/** A failure of the database. Its message may quote an address or a statement, so only its code is shown. */
export function keyStoreFailure(error: unknown): P2Error {
  if (P2Error.isInstance(error)) return error
  const { code } = Object(error) as { code?: unknown }
  const shown = typeof code === "string" && /^\w{1,40}$/.test(code) ? ` (${code})` : ""
  return new P2Error(`The database of the virtual keys failed${shown}.`, {
    code: "key-store-unavailable",
    kind: "failed",
    retryable: true,
  })
}
