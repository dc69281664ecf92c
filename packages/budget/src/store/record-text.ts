import type { StoredEntry } from "../usage/entry"
import type { Millis } from "./name"
import { integer, listOf, nullable, objectOf, oneOf, type Shape, string } from "./shape"
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

const forgetAt = nullable(integer)
const SHAPES: { readonly [Kind in RecordKind]: Shape } = {
  counter: objectOf({ spent: integer, reserved: integer, granted: integer, peak: integer, forgetAt }),
  reservation: objectOf({
    ...{ state: oneOf("held", "settled", "released", "expired"), fingerprint: string, revision: integer },
    ...{ leaseEnd: integer, forgetAt, pendingEntry: nullable(objectOf({})) },
    counters: listOf(objectOf({ name: string, amount: integer, onExpire: integer, charged: integer })),
  }),
  adjustment: objectOf({ counter: string, kind: string, delta: integer, applied: integer, forgetAt: integer }),
  entry: objectOf({
    ...{ idempotencyKey: string, at: integer, revision: integer, state: string, charges: objectOf({}) },
    ...{ requestId: string, status: string, costNanoUsd: integer, reservedNanoUsd: integer, tokens: objectOf({}) },
  }),
  time: integer,
  damaged: objectOf({ since: integer }),
}

/** @throws StoreError `store-corrupt` */
export function parseRecord<Kind extends RecordKind>(kind: Kind, key: string, text: string): StoredValues[Kind] {
  const value = parseJson(text)
  const isValid =
    SHAPES[kind](value) === undefined && (kind !== "reservation" || hasForgetAtOfState(value as Reservation))
  if (isValid) return value as StoredValues[Kind]
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

function hasForgetAtOfState({ state, forgetAt: until }: Reservation): boolean {
  return (state === "held") === (until === null)
}
