import { CLOCK_MARGIN_MS } from "./clock-margin"
import type { Millis, Name } from "./name"
import { parseRecord, type StoredReservation, type StoredValues } from "./record-text"
import type { RecordKind, Write } from "./storage"
import { StoreError } from "./store-error"
import { type KeyRecords, type Moment, momentOf, type Writes } from "./transition"

const KINDS: readonly RecordKind[] = ["counter", "reservation", "adjustment", "entry", "time", "damaged"]
/** The one key of kind `time`. */
export const TIME_KEY = "time"

type Values = { [Kind in RecordKind]: Map<string, StoredValues[Kind] | null> }

/**
 * The records that one transaction has read, with the writes of its calls: each call sees the writes of earlier calls. Records are parsed when a call needs them, so that a damaged one fails that call only.
 */
export class RecordView {
  readonly #clock: Millis
  readonly #settings: { retentionMs: number }
  readonly #texts: { [Kind in RecordKind]: Map<string, string> } = mapsByKind()
  readonly #parsed: Values = mapsByKind()
  readonly #changes: Values = mapsByKind()
  /** Reservations that this transaction sets aside: they keep their text and leave the order of leases. */
  readonly #keptTexts = new Map<Name, string>()
  #dueKeys: readonly Name[] = []

  constructor(clock: Millis, settings: { retentionMs: number }) {
    if (!Number.isSafeInteger(clock) || clock < 0)
      throw new StoreError("The storage's clock is not a time in epoch milliseconds.", {
        code: "store-misconfigured",
        applied: "no",
      })
    this.#clock = clock
    this.#settings = settings
  }

  add(kind: RecordKind, texts: ReadonlyMap<string, string>): void {
    for (const [key, text] of texts) this.#texts[kind].set(key, text)
  }

  addDue(keys: readonly Name[]): void {
    this.#dueKeys = keys
  }

  /** @throws StoreError `store-corrupt` if the partition's time is damaged */
  moment(): Moment {
    return momentOf(this.#clock, this.get("time", TIME_KEY), { ...this.#settings, ledger: true })
  }

  get clock(): Millis {
    return this.#clock
  }

  /** A record with the writes of earlier calls. @throws StoreError `store-corrupt` */
  get<Kind extends RecordKind>(kind: Kind, key: string): StoredValues[Kind] | undefined {
    const changed = this.#changes[kind].get(key)
    if (changed !== undefined) return changed ?? undefined
    const parsedBefore = this.#parsed[kind].get(key)
    if (parsedBefore !== undefined) return parsedBefore ?? undefined
    const text = this.#texts[kind].get(key)
    if (text === undefined) return undefined
    const parsed = parseRecord(kind, key, text)
    this.#parsed[kind].set(key, parsed)
    return parsed
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
      if (this.#keptTexts.has(key)) return false
      const changed = this.#changes.reservation.get(key)
      if (changed === undefined || changed === null) return true
      return changed.state === "held" && changed.leaseEnd <= this.#clock && changed.setAside !== true
    })
  }

  /** Adds the writes of a call to the view. */
  apply(key: Name, writes: Writes): void {
    const { reservation, counters, adjustment, entry, time } = writes
    if (reservation !== undefined) {
      if (this.#isSetAside(key)) this.put("damaged", key, null)
      this.#keptTexts.delete(key)
      this.put("reservation", key, { ...reservation, setAside: undefined })
    }
    for (const { name, counter } of counters ?? []) this.put("counter", name, counter)
    if (adjustment !== undefined) this.put("adjustment", key, adjustment)
    if (entry !== undefined) this.put("entry", key, entry)
    if (time !== undefined && time !== this.get("time", TIME_KEY)) this.put("time", TIME_KEY, time)
  }

  put<Kind extends RecordKind>(kind: Kind, key: string, value: StoredValues[Kind] | null): void {
    this.#changes[kind].set(key, value)
  }

  /** Takes a damaged reservation, or one with a damaged counter, out of the leases that are due. */
  setAside(key: Name): void {
    const reservation = this.isDamaged("reservation", key) ? undefined : this.get("reservation", key)
    const text = this.#texts.reservation.get(key)
    if (reservation !== undefined) this.put("reservation", key, { ...reservation, setAside: true })
    else if (text !== undefined) this.#keptTexts.set(key, text)
    this.put("damaged", key, { since: this.#clock })
  }

  writes(): Write[] {
    const changed = KINDS.flatMap((kind) =>
      [...this.#changes[kind]].map(([key, value]): Write => {
        const text = value === null ? null : JSON.stringify(value)
        return { kind, key, value: text, ...orderOf(kind, value) }
      }),
    )
    const kept = [...this.#keptTexts].map(([key, value]): Write => ({ kind: "reservation", key, value }))
    return [...changed, ...kept]
  }

  #isSetAside(key: Name): boolean {
    return this.isDamaged("reservation", key) || this.get("reservation", key)?.setAside === true
  }
}

/** `at` and `forgetAt` of a record. */
function orderOf(kind: RecordKind, value: unknown): Pick<Write, "at" | "forgetAt"> {
  if (value === null) return {}
  if (kind === "entry") return { at: (value as StoredValues["entry"]).at }
  if (kind === "damaged") return {}
  // Every call writes it again; an unused partition does not need it.
  if (kind === "time") return { forgetAt: Math.min((value as Millis) + 2 * CLOCK_MARGIN_MS, Number.MAX_SAFE_INTEGER) }
  const { forgetAt, reserved = 0 } = value as { forgetAt: Millis | null; reserved?: number }
  if (kind === "reservation" && forgetAt === null) {
    const { leaseEnd, setAside } = value as StoredReservation
    return setAside === true ? {} : { at: leaseEnd }
  }
  if (forgetAt === null || reserved !== 0) return {}
  return { forgetAt: Math.min(forgetAt + CLOCK_MARGIN_MS, Number.MAX_SAFE_INTEGER) }
}

function mapsByKind() {
  const maps = KINDS.map((kind) => [kind, new Map()] as const)
  return Object.fromEntries(maps) as { [Kind in RecordKind]: Map<string, never> }
}
