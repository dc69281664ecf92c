import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { memoryStore } from "@p2/budget"
import type { UsageTotals } from "@p2/budget/store"
import { sqliteStore } from "@p2/budget-sqlite"
import { afterAll, expect, it } from "vitest"
import { entryOf, reserveOf } from "../../budget/test/adapters/requests"

const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-text-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** Strings that a database may merge, cut or misread. */
const STRINGS = [
  "\ud800",
  "\ud801",
  "\udc00x",
  "a\0b",
  "a\0c",
  "a",
  "A",
  "é",
  "e\u0301",
  "",
  " ",
  "__proto__",
  "toString",
  "'\"--",
  "null",
  "\ufffd",
]

it("keeps users, models and tags with any characters apart, as the memory store does", async () => {
  const stores = [memoryStore(), sqliteStore(join(folder, "p2.db"))]
  for (const { ledger } of stores) {
    for (const [index, value] of STRINGS.entries()) {
      const scopes = { model: value, provider: value, userId: value, clientId: value, errorCode: value }
      const cost = { status: "denied", costNanoUsd: 0, costSource: "none", reservedNanoUsd: 0 } as const
      const tags = Object.fromEntries([[value, value]])
      const entry = entryOf(`r${index}`, { ...scopes, ...cost, tags, tokens: { [value]: 1 } })
      await ledger!.record({ partition: "main", key: `e${index}`, entry })
    }
  }
  const [memory, sqlite] = stores.map((store) => store.ledger!)
  for (const by of ["userId", "clientId", "model", "provider"] as const) {
    const groups = (rows: { group: unknown[] }[]) => rows.map(({ group }) => JSON.stringify(group)).sort()
    const query = { partition: "main", filter: {}, groupBy: [by], buckets: null }
    expect(groups(await sqlite!.totals(query)), by).toEqual(groups(await memory!.totals(query)))
  }
  const [[all] = [], [every] = []] = await Promise.all(
    [sqlite, memory].map((ledger) => ledger!.totals({ partition: "main", filter: {}, groupBy: [], buckets: null })),
  )
  expect(Object.entries(all!.tokens).sort()).toEqual(Object.entries(every!.tokens).sort())
  for (const tag of STRINGS) {
    const query = { partition: "main", filter: {}, groupBy: [{ tag }], buckets: null }
    const counts = (rows: UsageTotals[]) => rows.map(({ group, attempts }) => JSON.stringify([group, attempts])).sort()
    expect(counts(await sqlite!.totals(query))).toEqual(counts(await memory!.totals(query)))
  }
  for (const value of STRINGS)
    for (const filter of [
      { userId: value },
      { clientId: value },
      { model: value },
      { provider: value },
      { tag: { name: value, value: value } },
    ]) {
      const found = async (ledger: typeof memory) => {
        const query = { partition: "main", filter, cursor: null, limit: 99, newestFirst: false }
        return (await ledger!.list(query)).entries.map((entry) => ({ ...entry, at: 0 }))
      }
      expect(await found(sqlite), JSON.stringify(filter)).toEqual(await found(memory))
    }
  await stores[1]!.close!()
})

it("keeps pending entries and fingerprints unchanged", async () => {
  const store = sqliteStore(join(folder, "pending.db"))
  const pendingEntry = entryOf("\ud800", { status: "expired", model: "\udc00", tags: { "\ud800": "\0" } })
  for (const [index, fingerprint] of STRINGS.entries()) {
    const request = { ...reserveOf(`i${index}`), fingerprint, pendingEntry }
    expect(await store.reserve(request)).toMatchObject({ status: "ok", replayed: false })
    expect(await store.reserve(request)).toMatchObject({ status: "ok", replayed: true })
    for (const other of STRINGS)
      if (other !== fingerprint)
        expect(await store.reserve({ ...request, fingerprint: other })).toMatchObject({ status: "mismatch" })
  }
  await store.close!()
})
