import { type Position, type Records, type Storage, StoreError, type Write } from "../../src/store"

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
const SCAN_PAGE = 100

export interface TestStorageOptions {
  now: () => number
  state?: TestState | undefined
  maxBatch?: number | undefined
}

/** A storage in memory that can be broken in the ways in which a database breaks. */
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
  /** How many of the next transactions find that others have written, and run their body again. */
  conflicts = 0
  transactions = 0
  bodies = 0
  readonly batchSizes: number[] = []
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: TestStorageOptions) {
    this.#now = options.now
    this.state = options.state ?? new Map()
    this.maxBatch = options.maxBatch ?? 64
  }

  transaction<T>(
    partition: string,
    body: (records: Records) => Promise<{ result: T; writes: Write[] }>,
    options: { readOnly: boolean },
  ): Promise<T> {
    return this.#alone(async () => {
      this.transactions++
      for (;;) {
        if (this.failure !== undefined) throw this.failure
        const clock = this.#now()
        this.bodies++
        const { result, writes } = await body(this.#records(partition, clock))
        if (options.readOnly && writes.length > 0) throw new Error("A read-only transaction writes.")
        if (this.conflicts > 0) {
          this.conflicts--
          continue
        }
        if (Array.isArray(result)) this.batchSizes.push(result.length)
        if (writes.length > 0 && this.transactions % FORGET_EVERY === 0) this.#forget(clock)
        for (const write of writes) this.#apply(partition, write)
        if (this.losesNextAnswer && writes.length > 0) {
          this.losesNextAnswer = false
          throw new StoreError("The answer was lost.", { code: "store-unavailable", applied: "maybe" })
        }
        return result
      }
    })
  }

  async *scan(
    partition: string,
    { newestFirst, after }: { newestFirst: boolean; after?: Position | undefined },
  ): AsyncIterable<string> {
    const table = this.#table(partition, "entry")
    let last = after
    for (;;) {
      // Like a database, lets other calls run between two pages.
      await new Promise((resolve) => setImmediate(resolve))
      if (this.failure !== undefined) throw this.failure
      const from = last
      const keys = newestFirst ? [...table.timed()].reverse() : table.timed()
      const start = keys.findIndex(
        (one) => from === undefined || (newestFirst ? order(one, from) < 0 : order(one, from) > 0),
      )
      const page = start === -1 ? [] : keys.slice(start, start + SCAN_PAGE)
      for (const { key } of page) yield table.byKey.get(key)!.value
      last = page.at(-1)
      if (page.length < SCAN_PAGE) return
    }
  }

  async keys(partition: string, kind: string, { after, limit }: { after: string; limit: number }): Promise<string[]> {
    if (this.failure !== undefined) throw this.failure
    return [...this.#table(partition, kind).byKey.keys()]
      .filter((key) => key > after)
      .sort()
      .slice(0, limit)
  }

  async prune(partition: string, before: number): Promise<number> {
    if (this.failure !== undefined) throw this.failure
    const table = this.#table(partition, "entry")
    const old = table.timed().filter(({ at }) => at < before)
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

  read(partition: string, kind: string, key: string): unknown {
    const text = this.#table(partition, kind).byKey.get(key)?.value
    return text === undefined ? undefined : JSON.parse(text)
  }

  /** Without usage entries and times. */
  size(): number {
    const tables = [...this.state].filter(([name]) => /\/(counter|reservation|adjustment)$/.test(name))
    return tables.reduce((sum, [, { byKey }]) => sum + byKey.size, 0)
  }

  #records(partition: string, clock: number): Records {
    return {
      clock,
      get: async (kind, keys) => {
        const { byKey } = this.#table(partition, kind)
        const found = keys.flatMap((key) => {
          const record = byKey.get(key)
          return record === undefined ? [] : [[key, record.value] as const]
        })
        return new Map(found)
      },
      due: async (limit) => {
        const first = this.#table(partition, "reservation").timed().slice(0, limit)
        return first.filter(({ at }) => at <= clock).map(({ key }) => key)
      },
    }
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

  #alone<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task)
    this.#last = result.catch(() => undefined)
    return result
  }
}

function order(a: Position, b: Position): number {
  return a.at - b.at || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
}
