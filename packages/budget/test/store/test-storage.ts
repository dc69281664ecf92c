import { type Position, type Records, type Storage, StoreError, type Write } from "../../src/store"

interface TestRecord {
  value: string
  at: number | undefined
  forgetAt: number | undefined
}

/** Records by partition, then by kind and key. Storages that share it see one state, as after a restart. */
export type TestState = Map<string, Map<string, TestRecord>>

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
  /** So many times, the next transaction finds that others have written, and runs its body again. */
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
        this.#forget(clock)
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
    let last = after
    for (;;) {
      if (this.failure !== undefined) throw this.failure
      const sorted = this.#sorted(partition, "entry")
      if (newestFirst) sorted.reverse()
      const from = last
      const page = sorted.filter(
        (one) => from === undefined || (newestFirst ? order(one, from) < 0 : order(one, from) > 0),
      )
      for (const { value } of page.slice(0, 100)) yield value
      last = page[99]
      if (last === undefined) return
    }
  }

  async keys(partition: string, kind: string, { after, limit }: { after: string; limit: number }): Promise<string[]> {
    if (this.failure !== undefined) throw this.failure
    const keys = this.#ofKind(partition, kind).map(([key]) => key)
    return keys
      .filter((key) => key > after)
      .sort()
      .slice(0, limit)
  }

  async prune(partition: string, before: number): Promise<number> {
    if (this.failure !== undefined) throw this.failure
    const old = this.#ofKind(partition, "entry").filter(([, { at }]) => at! < before)
    for (const [key] of old) this.#partition(partition).delete(`entry ${key}`)
    return old.length
  }

  /** Overwrites a record with text that is not JSON; its place among the leases stays. */
  damage(partition: string, kind: string, key: string, value = '{"spent": nonsense'): void {
    const record = this.#partition(partition).get(`${kind} ${key}`)
    if (record === undefined) throw new Error(`There is no ${kind} ${key}.`)
    this.#partition(partition).set(`${kind} ${key}`, { ...record, value })
  }

  read(partition: string, kind: string, key: string): unknown {
    const text = this.#partition(partition).get(`${kind} ${key}`)?.value
    return text === undefined ? undefined : JSON.parse(text)
  }

  /** Usage entries and times aside. */
  size(): number {
    const keys = [...this.state.values()].flatMap((records) => [...records.keys()])
    return keys.filter((key) => /^(counter|reservation|adjustment) /.test(key)).length
  }

  #records(partition: string, clock: number): Records {
    const records = this.#partition(partition)
    return {
      clock,
      get: async (kind, keys) => {
        const found = keys.flatMap((key) => {
          const record = records.get(`${kind} ${key}`)
          return record === undefined ? [] : [[key, record.value] as const]
        })
        return new Map(found)
      },
      due: async (limit) =>
        this.#sorted(partition, "reservation")
          .filter(({ at }) => at <= clock)
          .slice(0, limit)
          .map(({ key }) => key),
    }
  }

  #apply(partition: string, { kind, key, value, at, forgetAt }: Write): void {
    const records = this.#partition(partition)
    if (value === null) records.delete(`${kind} ${key}`)
    else records.set(`${kind} ${key}`, { value, at, forgetAt })
  }

  #forget(clock: number): void {
    for (const records of this.state.values())
      for (const [id, { forgetAt }] of records) if (forgetAt !== undefined && forgetAt <= clock) records.delete(id)
  }

  #partition(name: string): Map<string, TestRecord> {
    const records = this.state.get(name) ?? new Map<string, TestRecord>()
    this.state.set(name, records)
    return records
  }

  #ofKind(partition: string, kind: string): [key: string, record: TestRecord][] {
    return [...this.#partition(partition)].flatMap(([id, record]) =>
      id.startsWith(`${kind} `) ? [[id.slice(kind.length + 1), record]] : [],
    )
  }

  #sorted(partition: string, kind: string): { at: number; key: string; value: string }[] {
    const timed = this.#ofKind(partition, kind).flatMap(([key, { at, value }]) =>
      at === undefined ? [] : [{ at, key, value }],
    )
    return timed.sort(order)
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
