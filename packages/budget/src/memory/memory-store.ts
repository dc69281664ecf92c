import { checkOptions, InvalidArgumentError } from "@p2/core"
import type {
  AdjustReply,
  AdjustRequest,
  BudgetStore,
  ExpireReply,
  ExpireRequest,
  ExtendReply,
  ExtendRequest,
  ListCountersReply,
  ListDueReply,
  Millis,
  Name,
  ReadReply,
  ReserveReply,
  ReserveRequest,
  SettleReply,
  SettleRequest,
  StoreCapabilities,
  StoreCheck,
} from "../store/budget-store"
import { withPartition } from "../store/partition-check"
import { StoreError } from "../store/store-error"
import type { Counter, Moment, Writes } from "../store/transition"
import * as transition from "../store/transition"
import { ForgetQueue, type Forgettable } from "./forget-queue"
import { MemoryLedger } from "./memory-ledger"
import { Partition } from "./partition"

/** Maximum number of records that one operation deletes: more than it can add, so that ended records do not accumulate. */
const MAX_FORGOTTEN_PER_OPERATION = 64
const FORGET_ALL_EVERY_MS = 1_000

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
  return new MemoryBudgetStore({
    now: options.now ?? Date.now,
    retentionMs: readInteger(options.retentionMs, 3_600_000, 1, "retentionMs"),
    maxReservations: readInteger(options.maxReservations, 500_000, 1, "maxReservations"),
    maxCounters: readInteger(options.maxCounters, 500_000, 1, "maxCounters"),
    maxEntries: readInteger(options.maxEntries, 100_000, 0, "maxEntries"),
    maxContentChars: readInteger(options.maxContentChars, 67_108_864, 0, "maxContentChars"),
  })
}

/** Where a record is. */
interface Place {
  partition: Name
  key: Name
}

interface Settings {
  now: () => Millis
  retentionMs: number
  maxReservations: number
  maxCounters: number
  maxEntries: number
  maxContentChars: number
}

/** Every member reads, decides with `transition`, and writes in one synchronous step. */
class MemoryBudgetStore implements MemoryStore {
  readonly name = "memory"
  readonly capabilities: StoreCapabilities
  readonly ledger: MemoryLedger | undefined
  readonly #settings: Settings
  readonly #partitions = new Map<Name, Partition>()
  readonly #forgetQueue = new ForgetQueue()
  #reservations = 0
  #counters = 0
  #adjustments = 0
  #forgotAllAt = Number.NEGATIVE_INFINITY

  constructor(settings: Settings) {
    this.#settings = settings
    const { retentionMs, maxEntries, maxContentChars } = settings
    this.capabilities = { shared: false, clock: "process", retentionMs, maxCounters: 32, timeoutMs: 1_000 }
    const now = (partition: Name) => this.#begin(partition).moment.now
    this.ledger = maxEntries === 0 ? undefined : new MemoryLedger({ now, maxEntries, maxContentChars })
  }

  async reserve(request: ReserveRequest): Promise<ReserveReply> {
    const { partition, moment } = this.#begin(request.partition)
    const records = this.#recordsOf(partition, request)
    const { reply, writes } = transition.reserve(records, request, moment, partition.hasDue(moment.clock))
    this.#apply(partition, request, writes)
    if (writes.reservation !== undefined) partition.addLease(request.key, writes.reservation.leaseEnd)
    return reply
  }

  async settle(request: SettleRequest): Promise<SettleReply> {
    const { partition, moment } = this.#begin(request.partition)
    const { reply, writes } = transition.settle(this.#recordsOf(partition, request), request, moment)
    this.#apply(partition, request, writes)
    return reply
  }

  async extend(request: ExtendRequest): Promise<ExtendReply> {
    const { partition, moment } = this.#begin(request.partition)
    const { reply, writes } = transition.extend(this.#recordsOf(partition, request), request, moment)
    this.#apply(partition, request, writes)
    return reply
  }

  async expire(request: ExpireRequest): Promise<ExpireReply> {
    const { partition, moment } = this.#begin(request.partition)
    const { reply, writes } = transition.expire(this.#recordsOf(partition, request), request, moment)
    this.#apply(partition, request, writes)
    return reply
  }

  async adjust(request: AdjustRequest): Promise<AdjustReply> {
    const { partition, moment } = this.#begin(request.partition)
    const { adjustments, counters } = partition
    const { reply, writes } = transition.adjust(adjustments.get(request.key), counters, request, moment)
    this.#apply(partition, request, writes)
    return reply
  }

  async read(request: { partition: Name; counters: Name[] }): Promise<ReadReply> {
    const { partition, moment } = this.#begin(request.partition)
    const { clock, now } = moment
    const counters = transition.readCounters(partition.counters, request.counters, now)
    return { now, due: partition.hasDue(clock), counters }
  }

  async listDue(request: { partition: Name; limit: number }): Promise<ListDueReply> {
    const { partition, moment } = this.#begin(request.partition)
    const due = partition.dueKeys(moment.clock, request.limit).map((key) => ({
      key,
      counters: partition.reservations.get(key)!.counters.map(({ name }) => name),
    }))
    return { now: moment.now, due }
  }

  async listCounters(request: { partition: Name; cursor: string | null; limit: number }): Promise<ListCountersReply> {
    const { partition, moment } = this.#begin(request.partition)
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
  }

  async acceptClock(request: { partition: Name }): Promise<{ now: Millis; before: Millis }> {
    const { partition, moment } = this.#begin(request.partition)
    partition.time = moment.clock
    return { now: moment.clock, before: moment.now }
  }

  async check(request: { partition?: Name | undefined } = {}): Promise<StoreCheck> {
    const check: StoreCheck = { ok: true, durability: "none", warnings: [] }
    if (request.partition === undefined) return check
    const { clock, now } = this.#begin(request.partition).moment
    return withPartition(check, { damaged: [], clockBehindMs: now - clock })
  }

  size(): { reservations: number; counters: number; adjustments: number; entries: number } {
    return {
      reservations: this.#reservations,
      counters: this.#counters,
      adjustments: this.#adjustments,
      entries: this.ledger?.size ?? 0,
    }
  }

  /** Starts every operation: reads the clock and forgets ended records. */
  #begin(name: Name): { partition: Partition; moment: Moment } {
    const clock = this.#settings.now()
    if (!Number.isSafeInteger(clock) || clock < 0)
      throw new InvalidArgumentError("now", "a function that returns epoch milliseconds as an integer", clock)
    this.#forgetQueue.advance(clock)
    this.#forgetSome(clock)
    const partition = this.#partitions.get(name) ?? new Partition()
    const { retentionMs, maxEntries } = this.#settings
    return { partition, moment: transition.momentOf(clock, partition.time, { retentionMs, ledger: maxEntries > 0 }) }
  }

  #recordsOf(partition: Partition, { partition: name, key }: Place): transition.KeyRecords {
    return {
      reservation: partition.reservations.get(key),
      entry: this.ledger?.find(name, key),
      counters: partition.counters,
    }
  }

  /** Writes everything, or nothing if there is no room. */
  #apply(partition: Partition, { partition: name, key }: Place, writes: Writes): void {
    const { reservation, counters, adjustment, entry, time } = writes
    this.#requireRoom(partition, key, writes)
    const now = time ?? this.#settings.now()
    if (reservation !== undefined) this.#writeReservation(partition, { partition: name, key }, reservation, now)
    for (const write of counters ?? [])
      this.#writeCounter(partition, { partition: name, key: write.name }, write.counter, now)
    if (adjustment !== undefined) this.#writeAdjustment(partition, { partition: name, key }, adjustment, now)
    if (entry !== undefined) this.ledger?.write(name, entry)
    if (time === undefined) return
    partition.time = time
    // Making room may have removed it while it was empty.
    this.#partitions.set(name, partition)
  }

  #writeReservation(partition: Partition, at: Place, reservation: transition.Reservation, now: Millis): void {
    const before = partition.reservations.get(at.key)
    partition.reservations.set(at.key, reservation)
    if (before === undefined) this.#reservations++
    const isResolvedNow = before === undefined || before.state === "held"
    if (isResolvedNow && reservation.forgetAt !== null)
      this.#forgetQueue.add({ partition: at.partition, kind: "reservation", key: at.key }, reservation.forgetAt - now)
  }

  #writeCounter(partition: Partition, at: Place, counter: Counter, now: Millis): void {
    const isNew = !partition.counters.has(at.key)
    partition.counters.set(at.key, counter)
    if (!isNew) return
    this.#counters++
    if (counter.forgetAt !== null)
      this.#forgetQueue.add({ partition: at.partition, kind: "counter", key: at.key }, counter.forgetAt - now)
  }

  #writeAdjustment(partition: Partition, at: Place, adjustment: transition.Adjustment, now: Millis): void {
    const isNew = !partition.adjustments.has(at.key)
    partition.adjustments.set(at.key, adjustment)
    if (!isNew) return
    this.#adjustments++
    this.#forgetQueue.add({ partition: at.partition, kind: "adjustment", key: at.key }, adjustment.forgetAt - now)
  }

  #requireRoom(partition: Partition, key: Name, writes: Writes): void {
    if (this.#fullLimit(partition, key, writes) === undefined) return
    this.#forgetAll(this.#settings.now())
    const option = this.#fullLimit(partition, key, writes)
    if (option === undefined) return
    const what = option === "maxCounters" ? "counters" : "reservations and adjustments"
    const { [option]: limit, retentionMs } = this.#settings
    throw new StoreError(
      `The memory store is full: ${limit} ${what}, all of them open or younger than retentionMs (${retentionMs} ms). Raise \`${option}\`, lower \`retentionMs\`, or use a store outside this process.`,
      { code: "store-unavailable", applied: "no" },
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
    if (isNewKey && this.#reservations + this.#adjustments >= maxReservations) return "maxReservations"
    // Count the new counters only near the limit.
    if (this.#counters + counters.length <= maxCounters) return undefined
    const added = counters.filter(({ name }) => !partition.counters.has(name)).length
    return added > 0 && this.#counters + added > maxCounters ? "maxCounters" : undefined
  }

  /** Deletes a few ended records. */
  #forgetSome(clock: Millis): void {
    for (let looked = 0; looked < MAX_FORGOTTEN_PER_OPERATION; looked++) {
      const record = this.#forgetQueue.take()
      if (record === undefined) return
      const waitMs = this.#forgetOne(record, clock)
      if (waitMs !== undefined) this.#forgetQueue.add(record, waitMs)
    }
  }

  /** How long to wait before the next check, if the record must stay; undefined: it is not checked again. */
  #forgetOne({ partition: name, kind, key }: Forgettable, clock: Millis): number | undefined {
    const partition = this.#partitions.get(name)
    const records = partition?.[`${kind}s`]
    const record = records?.get(key)
    // Not checked again until another write: a held reservation is added again when it is resolved.
    if (partition === undefined || record === undefined || record.forgetAt === null) return undefined
    const now = Math.max(clock, partition.time ?? clock)
    if (record.forgetAt > now) return record.forgetAt - now
    if (!transition.isForgotten(record, now)) return this.#settings.retentionMs
    this.#delete(partition, kind, key)
    if (partition.isEmpty) this.#partitions.delete(name)
    return undefined
  }

  /** Deletes all ended records. At most once a second, so that a full store does not become slow. */
  #forgetAll(clock: Millis): void {
    if (Math.abs(clock - this.#forgotAllAt) < FORGET_ALL_EVERY_MS) return
    this.#forgotAllAt = clock
    for (const [name, partition] of this.#partitions) {
      const now = Math.max(clock, partition.time ?? clock)
      for (const kind of ["reservation", "counter", "adjustment"] as const)
        for (const [key, record] of partition[`${kind}s`])
          if (transition.isForgotten(record, now)) this.#delete(partition, kind, key)
      if (partition.isEmpty) this.#partitions.delete(name)
    }
  }

  #delete(partition: Partition, kind: Forgettable["kind"], key: Name): void {
    partition[`${kind}s`].delete(key)
    if (kind === "reservation") this.#reservations--
    else if (kind === "counter") this.#counters--
    else this.#adjustments--
  }
}

function readInteger(value: number | undefined, fallback: number, least: number, argument: string): number {
  if (value === undefined) return fallback
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new InvalidArgumentError(argument, `an integer of at least ${least}`, value)
}
