import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { BudgetStore, Millis, Name, StoreCheck } from "../store/budget-store"
import { withPartition } from "../store/partition-check"
import { check, integerFrom } from "../store/shape"
import { unavailable } from "../store/store-error"
import * as transition from "../store/transition"
import { CLOCK_MARGIN_MS, type KeyRecords, type Moment, type Step, type Writes } from "../store/transition"
import { MemoryLedger } from "./memory-ledger"
import { Partition, type RecordKind, TimeHeap } from "./partition"

/** Maximum number of records that one operation deletes: more than it can add, so that ended records do not accumulate. */
const MAX_FORGOTTEN_PER_OPERATION = 64
const FORGET_ALL_EVERY_MS = 1_000
/** Maximum elapsed time that one step of the clock counts. */
const MAX_STEP_MS = 10_000

export interface MemoryStoreOptions {
  /** The clock, in epoch milliseconds. @defaultValue Date.now */
  now?: (() => Millis) | undefined
  /** How long resolved keys, and counters after the end of their window, are kept, in milliseconds. @defaultValue 3600000 */
  retentionMs?: number | undefined
  /** Maximum number of reservations and adjustments, open or resolved. Calls on a full store fail. @defaultValue 500000 */
  maxReservations?: number | undefined
  /** Maximum number of counters. A full store fails calls that need a new one. @defaultValue 500000 */
  maxCounters?: number | undefined
  /** Maximum number of usage entries; the oldest are dropped, and `list` returns how many. 0: no ledger. @defaultValue 100000 */
  maxEntries?: number | undefined
  /** Maximum number of characters of prompts and answers in all usage entries together. @defaultValue 67108864 */
  maxContentChars?: number | undefined
}

const OPTION_NAMES: ReadonlySet<string> = new Set([
  "now",
  "retentionMs",
  "maxReservations",
  "maxCounters",
  "maxEntries",
  "maxContentChars",
])

/** A memory store, which also reports its size. */
export interface MemoryStore extends BudgetStore {
  /** The number of records in the store. */
  size(): { reservations: number; counters: number; adjustments: number; entries: number }
}

/**
 * A budget store in the memory of this process, with a usage ledger. Its memory is bounded: when it is full, calls fail
 * with `store-unavailable`. It loses everything when the process ends.
 *
 * @throws InvalidArgumentError
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  checkOptions(options, OPTION_NAMES)
  if (options.now !== undefined && typeof options.now !== "function")
    throw new InvalidArgumentError("now", "a function that returns epoch milliseconds", options.now)
  const { now = Date.now, retentionMs = 3_600_000, maxReservations = 500_000 } = options
  const { maxCounters = 500_000, maxEntries = 100_000, maxContentChars = 67_108_864 } = options
  for (const [name, value] of Object.entries({ retentionMs, maxReservations, maxCounters }))
    check(value, integerFrom(1), name)
  for (const [name, value] of Object.entries({ maxEntries, maxContentChars })) check(value, integerFrom(0), name)
  const settings = { now, retentionMs, maxReservations, maxCounters, maxEntries, maxContentChars }
  const records = new MemoryRecords(settings)
  const { ledger } = records
  // Every member reads, decides with `transition`, and writes in one synchronous step.
  return {
    name: "memory",
    capabilities: { shared: false, clock: "process", retentionMs, maxCounters: 32, timeoutMs: 1_000 },
    ledger,
    reserve: async (request) =>
      records.step(request, (read, moment, partition) =>
        transition.reserve(read, request, moment, partition.hasDue(moment.clock)),
      ),
    settle: async (request) => records.step(request, (read, moment) => transition.settle(read, request, moment)),
    extend: async (request) => records.step(request, (read, moment) => transition.extend(read, request, moment)),
    expire: async (request) => records.step(request, (read, moment) => transition.expire(read, request, moment)),
    adjust: async (request) =>
      records.step(request, ({ counters }, moment, { adjustments }) =>
        transition.adjust(adjustments.get(request.key), counters, request, moment),
      ),
    async read(request) {
      const { partition, moment } = records.begin(request.partition)
      const counters = transition.readCounters(partition.counters, request.counters, moment.now)
      return { now: moment.now, due: partition.hasDue(moment.clock), counters }
    },
    async listDue(request) {
      const { partition, moment } = records.begin(request.partition)
      const due = partition.dueKeys(moment.clock, request.limit).map((key) => ({
        key,
        counters: partition.reservations.get(key)!.counters.map(({ name }) => name),
      }))
      return { now: moment.now, due }
    },
    async listCounters(request) {
      const { partition, moment } = records.begin(request.partition)
      const after = request.cursor ?? ""
      const names = [...partition.counters.keys()].filter((name) => name > after).sort()
      const page = names.slice(0, request.limit)
      const kept = page.filter((name) => !transition.isForgotten(partition.counters.get(name)!, moment.now))
      return {
        now: moment.now,
        counters: transition.readCounters(partition.counters, kept, moment.now),
        damaged: [],
        cursor: names.length > page.length ? page.at(-1)! : null,
      }
    },
    async acceptClock(request) {
      const { partition, moment } = records.begin(request.partition)
      partition.time = moment.clock
      return { now: moment.clock, before: moment.now }
    },
    async check(request = {}) {
      const checked: StoreCheck = { ok: true, durability: "none", warnings: [] }
      if (request.partition === undefined) return checked
      const { clock, now } = records.begin(request.partition).moment
      return withPartition(checked, { damaged: [], clockBehindMs: now - clock })
    },
    size: () => records.size(),
  }
}

type Settings = { [Option in keyof MemoryStoreOptions]-?: NonNullable<MemoryStoreOptions[Option]> }

/** A record that may have to be deleted, and the elapsed time at which to check. */
interface Forgettable {
  at: number
  partition: Name
  kind: RecordKind
  key: Name
}

/** The records of all partitions. Deletes them when they are forgotten. */
class MemoryRecords {
  readonly ledger: MemoryLedger | undefined
  readonly #settings: Settings
  readonly #partitions = new Map<Name, Partition>()
  readonly #size = { reservations: 0, counters: 0, adjustments: 0 }
  readonly #forgettable = new TimeHeap<Forgettable>()
  #elapsedMs = 0
  #clock: Millis | undefined
  #forgotAllAt = Number.NEGATIVE_INFINITY

  constructor(settings: Settings) {
    this.#settings = settings
    const { maxEntries, maxContentChars } = settings
    const now = (partition: Name) => this.begin(partition).moment.now
    this.ledger = maxEntries === 0 ? undefined : new MemoryLedger({ now, maxEntries, maxContentChars })
  }

  size(): ReturnType<MemoryStore["size"]> {
    return { ...this.#size, entries: this.ledger?.size ?? 0 }
  }

  /** Runs a step on the records of a key, and writes everything, or nothing if the store is full. */
  step<Reply>(
    request: { partition: Name; key: Name },
    step: (records: KeyRecords, moment: Moment, partition: Partition) => Step<Reply>,
  ): Reply {
    const { partition: name, key } = request
    const { partition, moment } = this.begin(name)
    const reservation = partition.reservations.get(key)
    const records = { reservation, entry: this.ledger?.find(name, key), counters: partition.counters }
    const { reply, writes } = step(records, moment, partition)
    this.#throwIfFull(partition, key, writes, moment.clock)
    const { counters, adjustment, entry, time } = writes
    if (writes.reservation !== undefined) {
      this.#write(partition, "reservations", key, writes.reservation, moment.now)
      if (writes.reservation.state === "held" && reservation?.state !== "held")
        partition.addLease(key, writes.reservation.leaseEnd)
    }
    for (const { name: counter, counter: record } of counters ?? [])
      this.#write(partition, "counters", counter, record, moment.now)
    if (adjustment !== undefined) this.#write(partition, "adjustments", key, adjustment, moment.now)
    if (entry !== undefined) this.ledger?.write(name, entry)
    if (time !== undefined) {
      partition.time = time
      // Deleting ended records may have deleted it while it was empty.
      this.#partitions.set(name, partition)
    }
    return reply
  }

  /** Starts every operation: reads the clock and forgets ended records. */
  begin(name: Name): { partition: Partition; moment: Moment } {
    const clock = this.#settings.now()
    if (!Number.isSafeInteger(clock) || clock < 0)
      throw new InvalidArgumentError("now", "a function that returns epoch milliseconds as an integer", clock)
    this.#forgetSome(clock)
    const partition = this.#partitions.get(name) ?? new Partition(name)
    const { retentionMs, maxEntries } = this.#settings
    return { partition, moment: transition.momentOf(clock, partition.time, { retentionMs, ledger: maxEntries > 0 }) }
  }

  #write<Kind extends RecordKind>(
    partition: Partition,
    kind: Kind,
    key: Name,
    record: { forgetAt: Millis | null },
    now: Millis,
  ): void {
    const records = partition[kind] as Map<Name, { forgetAt: Millis | null }>
    const before = records.get(key)
    records.set(key, record)
    if (before === undefined) this.#size[kind]++
    const isQueued = before !== undefined && before.forgetAt !== null
    if (!isQueued && record.forgetAt !== null)
      this.#forgettable.push({ at: this.#elapsedMs + record.forgetAt - now, partition: partition.name, kind, key })
  }

  #throwIfFull(partition: Partition, key: Name, writes: Writes, clock: Millis): void {
    if (this.#fullLimit(partition, key, writes) === undefined) return
    this.#forgetAll(clock)
    const option = this.#fullLimit(partition, key, writes)
    if (option === undefined) return
    const what = option === "maxCounters" ? "counters" : "reservations and adjustments"
    const { [option]: limit, retentionMs } = this.#settings
    throw unavailable(
      `The memory store is full: ${limit} ${what}, all of them open or younger than retentionMs (${retentionMs} ms). Raise \`${option}\`, lower \`retentionMs\`, or use a store outside this process.`,
    )
  }

  /** The limit that the writes would exceed. */
  #fullLimit(
    partition: Partition,
    key: Name,
    { reservation, counters = [], adjustment }: Writes,
  ): "maxReservations" | "maxCounters" | undefined {
    const { maxReservations, maxCounters } = this.#settings
    const isNewKey =
      (reservation !== undefined && !partition.reservations.has(key)) ||
      (adjustment !== undefined && !partition.adjustments.has(key))
    if (isNewKey && this.#size.reservations + this.#size.adjustments >= maxReservations) return "maxReservations"
    // Count the new counters only near the limit.
    if (this.#size.counters + counters.length <= maxCounters) return undefined
    const added = counters.filter(({ name }) => !partition.counters.has(name)).length
    return added > 0 && this.#size.counters + added > maxCounters ? "maxCounters" : undefined
  }

  /**
   * Deletes a few ended records. Measures elapsed time by the steps of the clock, and counts at most ten seconds of each, so
   * that a clock that jumps ahead and back deletes nothing that is still needed. Only a step beyond the margin counts in full.
   */
  #forgetSome(clock: Millis): void {
    const stepMs = clock - (this.#clock ?? clock)
    this.#clock = clock
    if (stepMs > 0) this.#elapsedMs += stepMs > CLOCK_MARGIN_MS ? stepMs : Math.min(stepMs, MAX_STEP_MS)
    for (let count = 0; count < MAX_FORGOTTEN_PER_OPERATION; count++) {
      const first = this.#forgettable.first()
      if (first === undefined || first.at > this.#elapsedMs) return
      this.#forgettable.pop()
      const waitMs = this.#forget(first, clock)
      if (waitMs !== undefined) this.#forgettable.push({ ...first, at: this.#elapsedMs + waitMs })
    }
  }

  /** Deletes a record if it is forgotten. Returns how long to wait before the next check, if the record must stay. */
  #forget({ partition: name, kind, key }: Forgettable, clock: Millis): number | undefined {
    const partition = this.#partitions.get(name)
    const record = partition?.[kind].get(key)
    if (partition === undefined || record === undefined || record.forgetAt === null) return undefined
    const now = Math.max(clock, partition.time ?? clock)
    if (record.forgetAt > now) return record.forgetAt - now
    if (!transition.isForgotten(record, now)) return this.#settings.retentionMs
    this.#delete(partition, kind, key)
    return undefined
  }

  /** Deletes all ended records. At most once a second, so that a full store does not become slow. */
  #forgetAll(clock: Millis): void {
    if (Math.abs(clock - this.#forgotAllAt) < FORGET_ALL_EVERY_MS) return
    this.#forgotAllAt = clock
    for (const partition of this.#partitions.values()) {
      const now = Math.max(clock, partition.time ?? clock)
      for (const kind of ["reservations", "counters", "adjustments"] as const)
        for (const [key, record] of partition[kind])
          if (transition.isForgotten(record, now)) this.#delete(partition, kind, key)
    }
  }

  #delete(partition: Partition, kind: RecordKind, key: Name): void {
    partition[kind].delete(key)
    this.#size[kind]--
    if (partition.isEmpty) this.#partitions.delete(partition.name)
  }
}
