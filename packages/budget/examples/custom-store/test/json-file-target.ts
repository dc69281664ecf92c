import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createStore } from "@p2/budget/store"
import type { SuiteFactory } from "@p2/budget/testing"
import { createJsonFileStorage } from "../src/index"

/** A store in a file of its own, with a clock and faults. */
export const jsonFileTarget: SuiteFactory = async () => {
  const folder = await mkdtemp(join(tmpdir(), "p2-json-"))
  const path = join(folder, "budget.json")
  let time = Date.UTC(2026, 0, 31, 23)
  const open = () => createStore(createJsonFileStorage(path, { now: () => time }))
  const readRecords = async () => JSON.parse(await readFile(path, "utf8")) as [string, { kind: string }][]
  const store = open()
  // Creates the file, so that a fault hits an operation.
  await store.read({ partition: "nobody", counters: [] })
  return {
    store,
    clock: {
      now: () => time,
      advance: (ms) => {
        time += ms
      },
    },
    size: async () => {
      const kinds = (await readRecords()).map(([, { kind }]) => kind)
      return kinds.filter((kind) => ["counter", "reservation", "adjustment"].includes(kind)).length
    },
    faults: {
      down: () => rename(path, `${path}.away`),
      up: () => rename(`${path}.away`, path),
      damage: async ({ partition, kind, key }) => {
        const id = JSON.stringify([partition, kind, key])
        const records = (await readRecords()).map(([each, record]) =>
          each === id ? [each, { ...record, value: '{"spent":0.5}' }] : [each, record],
        )
        await writeFile(path, JSON.stringify(records))
      },
      restart: async () => open(),
    },
    close: () => rm(folder, { recursive: true }),
  }
}
