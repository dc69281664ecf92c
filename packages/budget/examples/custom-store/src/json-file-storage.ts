import { readFile, rename, writeFile } from "node:fs/promises"
import { type Found, type Reads, type RecordKind, type Storage, StoreError, type Write } from "@p2/budget/store"

/** One record of the file, identified by partition, kind and key. */
interface FileRecord extends Write {
  partition: string
  value: string
}

/** Records by `recordId`. A map, not an object: `__proto__` is a key like any other. */
type FileState = Map<string, FileRecord>

const recordId = (partition: string, kind: RecordKind, key: string) => JSON.stringify([partition, kind, key])

/** Text records in one JSON file, always read and replaced as a whole. For one process: nothing locks the file. */
export function createJsonFileStorage(path: string, options: { now?: () => number } = {}): Storage {
  const { now = Date.now } = options
  let last: Promise<unknown> = Promise.resolve()

  /** Runs one task at a time, so that no other write falls between a task's read and its write. */
  function runAlone<T>(task: () => Promise<T>): Promise<T> {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }

  async function load(): Promise<FileState> {
    try {
      return new Map(JSON.parse(await readFile(path, "utf8")) as [string, FileRecord][])
    } catch (cause) {
      throw new StoreError(`Cannot read ${path}.`, { code: "store-unavailable", applied: "no", cause })
    }
  }

  /** Writes a temporary file and renames it: a killed process leaves the old file or the new one, never half of it. */
  async function save(state: FileState): Promise<void> {
    try {
      await writeFile(`${path}.new`, JSON.stringify([...state]))
    } catch (cause) {
      throw new StoreError(`Cannot write ${path}.new.`, { code: "store-unavailable", applied: "no", cause })
    }
    try {
      await rename(`${path}.new`, path)
    } catch (cause) {
      throw new StoreError(`Cannot replace ${path}.`, { code: "store-unavailable", applied: "maybe", cause })
    }
  }

  const recordsOf = (state: FileState, partition: string, kind: RecordKind) =>
    [...state.values()].filter((record) => record.partition === partition && record.kind === kind)

  function find(state: FileState, partition: string, { records, due }: Reads): Found {
    const clock = now()
    const reservations = recordsOf(state, partition, "reservation")
    const ended = sortByTime(reservations.filter(({ at }) => at !== undefined && at <= clock))
    return {
      clock,
      records: records.flatMap(({ kind, key }) => state.get(recordId(partition, kind, key)) ?? []),
      due: ended.slice(0, due).map(({ key }) => key),
    }
  }

  return {
    name: "json-file",
    shared: false,
    clock: "process",
    // After this, a missing file is a fault, not an empty budget.
    open: () =>
      writeFile(path, "[]", { flag: "wx" }).catch((cause) => {
        if (cause.code === "EEXIST") return
        throw new StoreError(`Cannot create ${path}.`, { code: "store-misconfigured", applied: "no", cause })
      }),
    transaction: (partition, reads, decide) =>
      runAlone(async () => {
        const state = await load()
        const found = find(state, partition, reads)
        const { result, writes } = decide(found)
        if (writes.length === 0) return result
        for (const [id, { forgetAt }] of state) if (forgetAt !== undefined && forgetAt <= found.clock) state.delete(id)
        for (const { value, ...write } of writes) {
          const id = recordId(partition, write.kind, write.key)
          if (value === null) state.delete(id)
          else state.set(id, { ...write, partition, value })
        }
        await save(state)
        return result
      }),
    read: async (partition, reads) => find(await runAlone(load), partition, reads),
    async entries(partition, { filter, newestFirst, after, limit }) {
      const sorted = sortByTime(recordsOf(await runAlone(load), partition, "entry"))
      const direction = newestFirst ? -1 : 1
      const behind = sorted.filter((entry) => direction * compare([entry.at!, entry.key], [after.at, after.key]) > 0)
      // Optional: the caller filters in any case.
      const matching = behind.filter(
        ({ at }) => (filter.from ?? 0) <= at! && at! < (filter.to ?? Number.POSITIVE_INFINITY),
      )
      const page = (newestFirst ? matching.reverse() : matching).slice(0, limit)
      return page.map(({ at, key, value }) => ({ at: at!, key, value }))
    },
    async keys(partition, kind, { after, limit }) {
      const keys = recordsOf(await runAlone(load), partition, kind).map(({ key }) => key)
      return keys
        .filter((key) => key > after)
        .sort()
        .slice(0, limit)
    },
    prune: (partition, before, limit) =>
      runAlone(async () => {
        const state = await load()
        const old = recordsOf(state, partition, "entry").filter(({ at }) => at! < before)
        const some = old.slice(0, limit)
        for (const { key } of some) state.delete(recordId(partition, "entry", key))
        await save(state)
        return some.length
      }),
  }
}

function sortByTime(records: FileRecord[]): FileRecord[] {
  return records.sort((a, b) => compare([a.at!, a.key], [b.at!, b.key]))
}

/** By time, then by key. Keys are ASCII, so string order is byte order. */
function compare(a: readonly [number, string], b: readonly [number, string]): number {
  return a[0] - b[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0)
}
