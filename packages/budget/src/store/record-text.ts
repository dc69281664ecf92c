import type { StoredEntry } from "../usage/entry"
import type { Millis } from "./name"
import type { RecordKind } from "./storage"
import { StoreError } from "./store-error"
import type { Adjustment, Counter, Reservation } from "./transition"

/** A reservation as `createStore` keeps it. */
export interface StoredReservation extends Reservation {
  /** Whether it is held and was set aside because a counter is damaged: it is no longer due. */
  setAside?: boolean | undefined
}

/** The parsed value of a record, by kind. */
export interface StoredValues {
  counter: Counter
  reservation: StoredReservation
  adjustment: Adjustment
  entry: StoredEntry
  time: Millis
  damaged: { since: Millis }
}

const IS_VALID: { readonly [Kind in RecordKind]: (value: unknown) => boolean } = {
  counter: (value) => hasIntegers(value, "spent", "reserved", "granted", "peak") && isForgetAt(value),
  reservation: isReservation,
  adjustment: (value) => hasIntegers(value, "delta", "applied", "forgetAt") && hasStrings(value, "counter", "kind"),
  entry: (value) =>
    hasIntegers(value, "at", "revision", "costNanoUsd", "reservedNanoUsd") &&
    hasStrings(value, "idempotencyKey", "state", "requestId", "status") &&
    isObject(value.tokens) &&
    isObject(value.charges),
  time: (value) => Number.isSafeInteger(value),
  damaged: (value) => hasIntegers(value, "since"),
}

/** @throws StoreError `store-corrupt` */
export function parseRecord<Kind extends RecordKind>(kind: Kind, key: string, text: string): StoredValues[Kind] {
  const value = parseJson(text)
  if (value !== undefined && IS_VALID[kind](value)) return value as StoredValues[Kind]
  throw new StoreError(`The stored record of kind "${kind}" under the key "${key}" is damaged. It was not changed.`, {
    code: "store-corrupt",
    applied: "no",
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message would quote the record, which may contain a prompt.
    return undefined
  }
}

const STATES: readonly unknown[] = ["held", "settled", "released", "expired"]

function isReservation(value: unknown): boolean {
  if (!hasIntegers(value, "revision", "leaseEnd") || !hasStrings(value, "fingerprint") || !isForgetAt(value))
    return false
  if (!STATES.includes(value.state) || (value.state === "held") !== (value.forgetAt === null)) return false
  const { counters, pendingEntry } = value
  const isCounter = (counter: unknown) =>
    hasStrings(counter, "name") && hasIntegers(counter, "amount", "onExpire", "charged")
  return Array.isArray(counters) && counters.every(isCounter) && (pendingEntry === null || isObject(pendingEntry))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null
}

function hasIntegers(value: unknown, ...fields: string[]): value is Record<string, unknown> {
  return isObject(value) && fields.every((field) => Number.isSafeInteger(value[field]))
}

function hasStrings(value: unknown, ...fields: string[]): value is Record<string, unknown> {
  return isObject(value) && fields.every((field) => typeof value[field] === "string")
}

function isForgetAt(value: Record<string, unknown>): boolean {
  return value.forgetAt === null || Number.isSafeInteger(value.forgetAt)
}
