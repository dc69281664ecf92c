import { readFile, rename, writeFile } from "node:fs/promises"
import { type RecordKind, type Storage, StoreError, type Write } from "@p2/budget/store"

/** One record of the file: partition, kind and key say which. */
interface FileRecord extends Write {
  partition: string
  value: string
}

/** Records by `recordId`. A map, not an object: `__proto__` is a key like any other. */
type FileState = Map<string, FileRecord>

const recordId = (partition: string, kind: RecordKind, key: string) => JSON.stringify([partition, kind, key])

/**
 * Text records in one JSON file, which is read whole and replaced whole. For one process: nothing locks the file.
 *
 * @throws StoreError when the file can neither be read nor created.
 */
export async function openJsonFileStorage(path: string, options: { now?: () => number } = {}): Promise<Storage> {
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

  /** Writes beside the file and renames: a killed process leaves the old file or the new one, never half of it. */
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

  // After this, a missing file is a fault, not an empty budget.
  await writeFile(path, "[]", { flag: "wx" }).catch((cause) => {
    if (cause.code === "EEXIST") return
    throw new StoreError(`Cannot create ${path}.`, { code: "store-misconfigured", applied: "no", cause })
  })

  return {
    name: "json-file",
    shared: false,
    clock: "process",
    transaction: (partition, body) =>
      runAlone(async () => {
        const state = await load()
        const clock = now()
        const { result, writes } = await body({
          clock,
          get: async (kind, keys) => {
            const records = keys.map((key) => [key, state.get(recordId(partition, kind, key))?.value] as const)
            return new Map(records.filter((record): record is [string, string] => record[1] !== undefined))
          },
          due: async (limit) => {
            const due = recordsOf(state, partition, "reservation").filter(({ at }) => at !== undefined && at <= clock)
            return sortByTime(due)
              .slice(0, limit)
              .map(({ key }) => key)
          },
        })
        if (writes.length === 0) return result
        for (const [id, { forgetAt }] of state) if (forgetAt !== undefined && forgetAt <= clock) state.delete(id)
        for (const { value, ...write } of writes) {
          const id = recordId(partition, write.kind, write.key)
          if (value === null) state.delete(id)
          else state.set(id, { ...write, partition, value })
        }
        await save(state)
        return result
      }),
    async *scan(partition, { filter, newestFirst, after }) {
      const sorted = sortByTime(recordsOf(await runAlone(load), partition, "entry"))
      for (const { at, key, value } of newestFirst ? sorted.reverse() : sorted) {
        const order = after === undefined ? 1 : compare([at!, key], [after.at, after.key])
        if (newestFirst && after !== undefined ? order >= 0 : order <= 0) continue
        // Optional: the caller filters in any case.
        if ((filter.from ?? 0) <= at! && at! < (filter.to ?? Number.POSITIVE_INFINITY)) yield value
      }
    },
    async keys(partition, kind, { after, limit }) {
      const keys = recordsOf(await runAlone(load), partition, kind).map(({ key }) => key)
      return keys
        .filter((key) => key > after)
        .sort()
        .slice(0, limit)
    },
    prune: (partition, before) =>
      runAlone(async () => {
        const state = await load()
        const old = recordsOf(state, partition, "entry").filter(({ at }) => at! < before)
        for (const { key } of old) state.delete(recordId(partition, "entry", key))
        await save(state)
        return old.length
      }),
  }
}

function sortByTime(records: FileRecord[]): FileRecord[] {
  return records.sort((a, b) => compare([a.at!, a.key], [b.at!, b.key]))
}

/** By time, then by key. Keys are ASCII, so that the order of strings is the order of bytes. */
function compare(a: readonly [number, string], b: readonly [number, string]): number {
  return a[0] - b[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0)
}
