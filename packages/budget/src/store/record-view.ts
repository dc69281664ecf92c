import type { StoredEntry } from "../usage/entry"
import type { Millis, Name } from "./budget-store"
import { integer, listOf, nullable, objectOf, oneOf, type Shape, string } from "./shape"
import type { Found, RecordKind, Write } from "./storage"
import { corrupt, misconfigured } from "./store-error"
import {
  type AdjustmentRecord,
  CLOCK_MARGIN_MS,
  type CounterRecord,
  type KeyRecords,
  type Moment,
  momentOf,
  type ReservationRecord,
  type Writes,
} from "./transition"

/** The one key of kind `time`. */
export const TIME_KEY = "time"

/** A reservation as `createStore` keeps it. */
interface StoredReservation extends ReservationRecord {
  /** Whether it is held and was set aside because a counter is damaged: it is no longer due. */
  setAside?: boolean | undefined
}

/** The parsed value of a record, by kind. */
interface StoredValues {
  counter: CounterRecord
  reservation: StoredReservation
  adjustment: AdjustmentRecord
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
  if (SHAPES[kind](value) === undefined && (kind !== "reservation" || isOfItsState(value as ReservationRecord)))
    return value as StoredValues[Kind]
  throw corrupt(`The stored record of kind "${kind}" under the key "${key}" is damaged. It was not changed.`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message would quote the record, which may contain a prompt.
    return undefined
  }
}

function isOfItsState(reservation: ReservationRecord): boolean {
  return (reservation.state === "held") === (reservation.forgetAt === null)
}

/** A record of the transaction. */
interface Slot {
  kind: RecordKind
  key: string
  /** As it was read; undefined if a call wrote it. */
  text: string | undefined
  /** Undefined: not parsed yet. Null: deleted. */
  value: StoredValues[RecordKind] | null | undefined
  isWritten: boolean
}

/**
 * The records that one transaction has read, with the writes of its calls: each call sees the writes of earlier calls. Records
 * are parsed when a call needs them, so that a damaged one fails that call only.
 */
export class RecordView {
  readonly clock: Millis
  readonly #settings: { retentionMs: number }
  readonly #slots = new Map<string, Slot>()
  readonly #dueKeys: readonly Name[]

  constructor({ clock, records, due }: Found, settings: { retentionMs: number }) {
    if (!Number.isSafeInteger(clock) || clock < 0)
      throw misconfigured("The storage's clock is not a time in epoch milliseconds.")
    this.clock = clock
    this.#settings = settings
    this.#dueKeys = due
    for (const { kind, key, value: text } of records)
      this.#slots.set(`${kind} ${key}`, { kind, key, text, value: undefined, isWritten: false })
  }

  /** @throws StoreError `store-corrupt` if the partition's time is damaged */
  moment(): Moment {
    return momentOf(this.clock, this.get("time", TIME_KEY), { ...this.#settings, ledger: true })
  }

  /** A record with the writes of earlier calls. @throws StoreError `store-corrupt` */
  get<Kind extends RecordKind>(kind: Kind, key: string): StoredValues[Kind] | undefined {
    const slot = this.#slots.get(`${kind} ${key}`)
    if (slot === undefined) return undefined
    if (slot.value === undefined) slot.value = parseRecord(kind, key, slot.text!)
    return (slot.value as StoredValues[Kind] | null) ?? undefined
  }

  isDamaged(kind: RecordKind, key: string): boolean {
    try {
      this.get(kind, key)
      return false
    } catch {
      return true
    }
  }

  /** The reservation and entry of a key, as the rules need them. */
  recordsOf(key: Name): KeyRecords {
    const view = this
    return {
      get reservation() {
        return view.get("reservation", key)
      },
      get entry() {
        return view.get("entry", key)
      },
      counters: this.counters,
    }
  }

  readonly counters = { get: (name: Name) => this.get("counter", name) }

  /** Whether a lease waits to be expired. */
  hasDue(): boolean {
    return this.#dueKeys.some((key) => {
      const slot = this.#slots.get(`reservation ${key}`)
      if (slot?.isWritten !== true) return true
      const reservation = slot.value as StoredReservation | null | undefined
      return reservation?.state === "held" && reservation.leaseEnd <= this.clock && reservation.setAside !== true
    })
  }

  /** Adds the writes of a call to the view. */
  apply(key: Name, writes: Writes): void {
    const { reservation, counters, adjustment, entry, time } = writes
    if (reservation !== undefined) {
      if (this.#isSetAside(key)) this.put("damaged", key, null)
      this.put("reservation", key, { ...reservation, setAside: undefined })
    }
    for (const { name, counter } of counters ?? []) this.put("counter", name, counter)
    if (adjustment !== undefined) this.put("adjustment", key, adjustment)
    if (entry !== undefined) this.put("entry", key, entry)
    if (time !== undefined && time !== this.get("time", TIME_KEY)) this.put("time", TIME_KEY, time)
  }

  put<Kind extends RecordKind>(kind: Kind, key: string, value: StoredValues[Kind] | null): void {
    this.#slots.set(`${kind} ${key}`, { kind, key, text: undefined, value, isWritten: true })
  }

  /** Takes a damaged reservation, or one with a damaged counter, out of the leases that are due. */
  setAside(key: Name): void {
    const slot = this.#slots.get(`reservation ${key}`)
    if (this.isDamaged("reservation", key)) slot!.isWritten = true
    else if (slot !== undefined) this.put("reservation", key, { ...this.get("reservation", key)!, setAside: true })
    this.put("damaged", key, { since: this.clock })
  }

  writes(): Write[] {
    const written = [...this.#slots.values()].filter(({ isWritten }) => isWritten)
    return written.map(({ kind, key, text, value }) => {
      // A damaged record keeps its text and is removed from the order of leases.
      if (value === undefined) return { kind, key, value: text! }
      return { kind, key, value: value === null ? null : JSON.stringify(value), ...orderOf(kind, value) }
    })
  }

  #isSetAside(key: Name): boolean {
    return this.isDamaged("reservation", key) || this.get("reservation", key)?.setAside === true
  }
}

/** `at` and `forgetAt` of a record. */
function orderOf(kind: RecordKind, value: unknown): Pick<Write, "at" | "forgetAt"> {
  if (value === null || kind === "damaged") return {}
  if (kind === "entry") return { at: (value as StoredEntry).at }
  // Every call writes it again; an unused partition does not need it.
  if (kind === "time") return { forgetAt: Math.min((value as Millis) + 2 * CLOCK_MARGIN_MS, Number.MAX_SAFE_INTEGER) }
  const { forgetAt: until, reserved = 0 } = value as { forgetAt: Millis | null; reserved?: number }
  if (kind === "reservation" && until === null) {
    const { leaseEnd, setAside } = value as StoredReservation
    return setAside === true ? {} : { at: leaseEnd }
  }
  if (until === null || reserved !== 0) return {}
  return { forgetAt: Math.min(until + CLOCK_MARGIN_MS, Number.MAX_SAFE_INTEGER) }
}
