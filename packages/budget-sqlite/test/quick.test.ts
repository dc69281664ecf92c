import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { sqliteStore } from "../src/index"

it("reserves, settles and shows the entry", async () => {
  const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
  const store = sqliteStore(join(folder, "p2.db"))
  const cell = { key: "user:ann|usd|day", startsAt: null, endsAt: null, keepMs: null }
  const request = {
    root: "main",
    id: "r1",
    fingerprint: "f",
    leaseMs: 60_000,
    cells: [{ ...cell, amount: 70, limit: 100, onExpire: 70 }],
  }
  expect(await store.reserve(request)).toMatchObject({ result: "ok", replayed: false })
  expect(await store.reserve({ ...request, id: "r2" })).toMatchObject({ result: "exceeded", which: [0] })
  const entry = {
    requestId: "q",
    attempt: 1,
    model: "m",
    reservedNanoUsd: 70,
    status: "succeeded",
    tokens: { inputTokens: 3, odd: 4 },
    costNanoUsd: 50,
    costSource: "table",
    userId: "ann",
    tags: { team: "x" },
  } as const
  const settled = await store.settle({
    root: "main",
    id: "r1",
    fingerprint: "f",
    outcome: "commit",
    revision: 0,
    expiresAt: null,
    cells: [{ ...cell, reserved: 70, amount: 50 }],
    entry,
  })
  expect(settled).toMatchObject({ result: "committed", cells: [{ spent: 50, reserved: 0, peak: 50, peakBefore: 0 }] })
  expect(await store.read({ root: "main", keys: [cell.key, "other"] })).toMatchObject({
    due: 0,
    cells: [{ spent: 50 }, { spent: 0 }],
  })
  expect(await store.ledger!.get({ root: "main", requestId: "q" })).toMatchObject([
    { ...entry, id: "r1", charges: { [cell.key]: 50 } },
  ])
  expect(await store.ledger!.totals({ root: "main", filter: {}, groupBy: ["model"] })).toMatchObject([
    { group: ["m"], requests: 1, attempts: 1, tokens: { inputTokens: 3, odd: 4 }, costNanoUsd: 50 },
  ])
  expect(
    await store.ledger!.totals({ root: "main", filter: { userId: "ann" }, groupBy: [{ tag: "team" }] }),
  ).toMatchObject([{ group: ["x"], requests: 1 }])
  expect((await store.ledger!.list({ root: "main", filter: {}, limit: 10 })).entries).toHaveLength(1)
  expect(await store.check!()).toEqual({ ok: true, durability: "process", warnings: [] })
  await store.close!()
  rmSync(folder, { recursive: true })
})
