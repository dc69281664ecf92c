import { type Found, type Position, type Reads, type Storage, StoreError, type Write } from "../../src/store"

interface TestRecord {
  value: string
  at: number | undefined
  forgetAt: number | undefined
}

/** The records of one partition and kind, by key. */
class RecordTable {
  readonly byKey = new Map<string, TestRecord>()
  /** Those that have a time, in order, until one is added or removed. */
  #timed: { at: number; key: string }[] | undefined

  set(key: string, record: TestRecord): void {
    if (this.byKey.get(key)?.at !== record.at) this.#timed = undefined
    this.byKey.set(key, record)
  }

  delete(key: string): void {
    if (this.byKey.get(key)?.at !== undefined) this.#timed = undefined
    this.byKey.delete(key)
  }

  timed(): readonly { at: number; key: string }[] {
    this.#timed ??= [...this.byKey].flatMap(([key, { at }]) => (at === undefined ? [] : [{ at, key }])).sort(order)
    return this.#timed
  }
}

/** Records by partition and kind. Storages that share it see one state, as after a restart. */
export type TestState = Map<string, RecordTable>

/** Transactions between two that delete what is forgotten. */
const FORGET_EVERY = 16

export interface TestStorageOptions {
  now: () => number
  state?: TestState | undefined
  maxBatch?: number | undefined
}

/** An in-memory storage that can fail in the ways a database fails. */
export class TestStorage implements Storage {
  readonly name = "test"
  readonly shared = false
  readonly clock = "process"
  readonly maxBatch: number
  readonly state: TestState
  readonly #now: () => number
  /** What every call rejects with, while it is set. */
  failure: StoreError | undefined
  /** The next transaction that writes is applied, and then rejects. */
  losesNextAnswer = false
  /** How many times the next transaction finds that others have written, and decides again. */
  conflicts = 0
  transactions = 0
  decisions = 0
  readonly batchSizes: number[] = []

  constructor(options: TestStorageOptions) {
    this.#now = options.now
    this.state = options.state ?? new Map()
    this.maxBatch = options.maxBatch ?? 64
  }

  async transaction<T>(
    partition: string,
    reads: Reads,
    decide: (found: Found) => { result: T; writes: Write[] },
  ): Promise<T> {
    this.transactions++
    await this.#turn()
    for (;;) {
      const found = this.#find(partition, reads)
      this.decisions++
      const { result, writes } = decide(found)
      if (this.conflicts > 0) {
        this.conflicts--
        continue
      }
      if (Array.isArray(result)) this.batchSizes.push(result.length)
      if (writes.length > 0 && this.transactions % FORGET_EVERY === 0) this.#forget(found.clock)
      for (const write of writes) this.#apply(partition, write)
      if (this.losesNextAnswer && writes.length > 0) {
        this.losesNextAnswer = false
        throw new StoreError("The answer was lost.", { code: "store-unavailable", applied: "maybe" })
      }
      return result
    }
  }

  async read(partition: string, reads: Reads): Promise<Found> {
    await this.#turn()
    return this.#find(partition, reads)
  }

  async entries(
    partition: string,
    { newestFirst, after, limit }: { newestFirst: boolean; after: Position; limit: number },
  ): Promise<(Position & { value: string })[]> {
    await this.#turn()
    const table = this.#table(partition, "entry")
    const all = newestFirst ? [...table.timed()].reverse() : table.timed()
    const start = all.findIndex((one) => (newestFirst ? order(one, after) < 0 : order(one, after) > 0))
    const page = start === -1 ? [] : all.slice(start, start + limit)
    return page.map(({ at, key }) => ({ at, key, value: table.byKey.get(key)!.value }))
  }

  async keys(partition: string, kind: string, { after, limit }: { after: string; limit: number }): Promise<string[]> {
    await this.#turn()
    return [...this.#table(partition, kind).byKey.keys()]
      .filter((key) => key > after)
      .sort()
      .slice(0, limit)
  }

  async prune(partition: string, before: number, limit: number): Promise<number> {
    await this.#turn()
    const table = this.#table(partition, "entry")
    const old = table
      .timed()
      .filter(({ at }) => at < before)
      .slice(0, limit)
    for (const { key } of old) table.delete(key)
    return old.length
  }

  /** Overwrites a record with text that is not JSON; its place among the leases stays. */
  damage(partition: string, kind: string, key: string, value = '{"spent": nonsense'): void {
    const table = this.#table(partition, kind)
    const record = table.byKey.get(key)
    if (record === undefined) throw new Error(`There is no ${kind} ${key}.`)
    table.set(key, { ...record, value })
  }

  recordOf(partition: string, kind: string, key: string): unknown {
    const text = this.#table(partition, kind).byKey.get(key)?.value
    return text === undefined ? undefined : JSON.parse(text)
  }

  /** Without usage entries and times. */
  size(): number {
    const tables = [...this.state].filter(([name]) => /\/(counter|reservation|adjustment)$/.test(name))
    return tables.reduce((sum, [, { byKey }]) => sum + byKey.size, 0)
  }

  #find(partition: string, { records, due }: Reads): Found {
    if (this.failure !== undefined) throw this.failure
    const clock = this.#now()
    const found = records.flatMap(({ kind, key }) => {
      const record = this.#table(partition, kind).byKey.get(key)
      return record === undefined ? [] : [{ kind, key, value: record.value }]
    })
    const first = this.#table(partition, "reservation").timed().slice(0, due)
    return { clock, records: found, due: first.filter(({ at }) => at <= clock).map(({ key }) => key) }
  }

  #apply(partition: string, { kind, key, value, at, forgetAt }: Write): void {
    const table = this.#table(partition, kind)
    if (value === null) table.delete(key)
    else table.set(key, { value, at, forgetAt })
  }

  #forget(clock: number): void {
    for (const table of this.state.values())
      for (const [key, { forgetAt }] of table.byKey) if (forgetAt !== undefined && forgetAt <= clock) table.delete(key)
  }

  #table(partition: string, kind: string): RecordTable {
    const name = `${partition}/${kind}`
    const table = this.state.get(name) ?? new RecordTable()
    this.state.set(name, table)
    return table
  }

  /** Lets other tasks run first, as a database does. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.failure !== undefined) throw this.failure
  }
}

function order(a: Position, b: Position): number {
  return a.at - b.at || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
}
