import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { memoryStore, type UsageEntry, type UsageTotals } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import { afterAll, expect, it } from "vitest"

const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-text-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** Texts that a database may merge, cut or read as something else. */
const TEXTS = [
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

it("keeps users, models and tags apart whatever their texts are, as the memory store does", async () => {
  const stores = [memoryStore(), sqliteStore(join(folder, "p2.db"))]
  for (const { ledger } of stores) {
    for (const [index, text] of TEXTS.entries()) {
      const entry: UsageEntry = {
        ...{ requestId: `r${index}`, attempt: 1, model: text, provider: text, userId: text, clientId: text },
        ...{ status: "refused", tokens: { [text]: 1 }, costNanoUsd: 0, costSource: "none", reservedNanoUsd: 0 },
        tags: Object.fromEntries([[text, text]]),
        errorCode: text,
      }
      await ledger!.record({ root: "main", id: `e${index}`, entry })
    }
  }
  const [memory, sqlite] = stores.map((store) => store.ledger!)
  for (const by of ["userId", "clientId", "model", "provider"] as const) {
    const groups = (rows: { group: unknown[] }[]) => rows.map(({ group }) => JSON.stringify(group)).sort()
    const query = { root: "main", filter: {}, groupBy: [by] }
    expect(groups(await sqlite!.totals(query)), by).toEqual(groups(await memory!.totals(query)))
  }
  const [[all] = [], [every] = []] = await Promise.all(
    [sqlite, memory].map((ledger) => ledger!.totals({ root: "main", filter: {}, groupBy: [] })),
  )
  expect(Object.entries(all!.tokens).sort()).toEqual(Object.entries(every!.tokens).sort())
  for (const tag of TEXTS) {
    const query = { root: "main", filter: {}, groupBy: [{ tag }] }
    const counts = (rows: UsageTotals[]) => rows.map(({ group, attempts }) => JSON.stringify([group, attempts])).sort()
    expect(counts(await sqlite!.totals(query))).toEqual(counts(await memory!.totals(query)))
  }
  for (const text of TEXTS)
    for (const filter of [
      { userId: text },
      { clientId: text },
      { model: text },
      { provider: text },
      { tag: { name: text, value: text } },
    ]) {
      const found = async (ledger: typeof memory) =>
        (await ledger!.list({ root: "main", filter, limit: 99 })).entries.map(({ id, at: _at, ...rest }) => ({
          id,
          ...rest,
        }))
      expect(
        (await found(sqlite)).map((e) => ({ ...e, at: 0 })),
        JSON.stringify(filter),
      ).toEqual((await found(memory)).map((e) => ({ ...e, at: 0 })))
    }
  await stores[1]!.close!()
})

it("tells fingerprints apart whatever their texts are, in a draft as well", async () => {
  const store = sqliteStore(join(folder, "fingerprints.db"))
  const draft = { requestId: "\ud800", attempt: 1, model: "\udc00", reservedNanoUsd: 0, tags: { "\ud800": "\0" } }
  for (const [index, fingerprint] of TEXTS.entries()) {
    const request = { root: "main", id: `i${index}`, fingerprint, cells: [], leaseMs: 60_000, draft }
    expect(await store.reserve(request)).toMatchObject({ result: "ok", replayed: false })
    expect(await store.reserve(request)).toMatchObject({ result: "ok", replayed: true })
    for (const other of TEXTS)
      if (other !== fingerprint)
        expect(await store.reserve({ ...request, fingerprint: other })).toMatchObject({ result: "mismatch" })
  }
  await store.close!()
})
