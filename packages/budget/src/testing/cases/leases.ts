import type { Expired, SettleResult } from "../../store"
import { canonical, equal, fail, match, ok } from "../expect"
import {
  adjusted,
  adjustRequest,
  cell,
  cellState,
  expectCell,
  heldReservation,
  hold,
  LEASE_MS,
  reserveRequest,
  settleRequest,
} from "../requests"
import { type CaseBench, casesOf } from "../store-case"

const DAY_MS = 86_400_000
const ids = (expired: readonly Expired[]) => expired.map((one) => one.id)

/** A window around now: from `before` ago to `after` ahead. */
async function windowed(bench: CaseBench, before: number, after: number) {
  const now = await bench.now()
  return { startsAt: now - before, endsAt: now + after }
}

/** A lease well inside the retention, so that a store with a short retention can be tested too. */
function leaseOf(bench: CaseBench): number {
  return Math.min(LEASE_MS, Math.floor(bench.store.capabilities.retentionMs / 4))
}

/** Commits 3 in cell a now, and again until long after the retention: it is replayed or forgotten, and never charged. */
async function chargedOnce(bench: CaseBench, commit: () => Promise<SettleResult>): Promise<void> {
  const { retentionMs } = bench.store.capabilities
  match(await commit(), { result: "committed", replayed: false }, "the first commit")
  for (let step = 0; step < 14; step++) {
    await bench.clock.advance(Math.floor(retentionMs / 8))
    await bench.store.sweep({ root: bench.root, max: 10 })
    const answer = await commit()
    ok(
      answer.result === "forgotten" || (answer.result === "committed" && answer.replayed),
      `${step + 1} eighths of the retention after the commit: expected forgotten or replayed, got ${canonical(answer)}`,
    )
  }
  await expectCell(bench, "a", { spent: 3 })
}

/** What ends by itself: leases, windows, and what a store remembers of them. */
export const leaseCases = casesOf("leases", "What leaves, and what stays", [
  [
    "time is the injected clock's, in every answer",
    ["clock"],
    async (bench) => {
      const { store, root, clock } = bench
      for (let step = 0; step < 3; step++) {
        const request = reserveRequest(root, `r${step}`, [cell("a", 1)])
        const answer = await store.reserve(request)
        equal(answer.now, clock.now(), "reserve")
        if (answer.result === "ok") equal(answer.expiresAt, clock.now() + LEASE_MS, "expiresAt")
        equal((await store.extend({ root, id: `r${step}`, leaseMs: 1 })).now, clock.now(), "extend")
        equal((await store.settle(settleRequest(request, [1]))).now, clock.now(), "settle")
        equal((await store.adjust(adjustRequest(root, `a${step}`, "a", "spent", 1))).now, clock.now(), "adjust")
        equal((await store.read({ root, keys: ["a"] })).now, clock.now(), "read")
        equal((await store.sweep({ root, max: 1 })).now, clock.now(), "sweep")
        await clock.advance(12_345)
      }
    },
  ],
  [
    "a lease lasts until its end and not beyond",
    ["clock"],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 10, 10, { onExpire: 0 })])
      await bench.clock.advance(LEASE_MS - 1)
      equal((await bench.store.sweep({ root: bench.root, max: 10 })).expired, [], "one millisecond before its end")
      await bench.clock.advance(1)
      equal(ids((await bench.store.sweep({ root: bench.root, max: 10 })).expired), ["r1"], "at its end")
      await expectCell(bench, "a", {})
    },
  ],
  [
    "what expired is freed before anyone is refused because of it",
    ["clock"],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 10, 10, { onExpire: 4 })])
      await bench.clock.advance(LEASE_MS)
      const answer = await bench.store.reserve(reserveRequest(bench.root, "r2", [cell("a", 6, 10)]))
      match(answer, { result: "ok" }, "reserve of the rest")
      equal(ids(answer.expired), ["r1"], "expired")
      await expectCell(bench, "a", { spent: 4, reserved: 6 })
    },
  ],
  [
    "a refusal and a stale window also tell what expired in the call",
    ["clock"],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 10, 10)])
      await bench.clock.advance(LEASE_MS)
      const refused = await bench.store.reserve(reserveRequest(bench.root, "r2", [cell("a", 1, 10)]))
      match(refused, { result: "exceeded" }, "reserve of 1 after 10 were charged")
      equal(ids(refused.expired), ["r1"], "expired, told by a refusal")
      await expectCell(bench, "a", { spent: 10 }, "what a refusal told as expired has ended")
      await hold(bench, "r3", [cell("b", 1)])
      await bench.clock.advance(LEASE_MS)
      const { startsAt, endsAt } = await windowed(bench, DAY_MS, 0)
      const stale = await bench.store.reserve(reserveRequest(bench.root, "r4", [cell("c", 1, 1, { startsAt, endsAt })]))
      match(stale, { result: "stale-window" }, "reserve in a window that is over")
      equal(ids(stale.expired), ["r3"], "expired, told by a stale window")
      await expectCell(bench, "b", { spent: 1 }, "what a stale window told as expired has ended")
    },
  ],
  [
    "expiry charges each cell its onExpire, never more, and frees all of them",
    ["clock"],
    async (bench) => {
      const cells = [cell("a", 10), cell("b", 10, null, { onExpire: 3 }), cell("c", 10, null, { onExpire: 0 })]
      await hold(bench, "r1", cells)
      await bench.clock.advance(LEASE_MS)
      const { expired } = await bench.store.sweep({ root: bench.root, max: 10 })
      equal(
        expired[0]?.cells.map((change) => [change.key, change.charged, change.spent, change.reserved]),
        [
          ["a", 10, 10, 0],
          ["b", 3, 3, 0],
          ["c", 0, 0, 0],
        ],
        "cells of the expiry",
      )
      for (const [key, spent] of [["a", 10] as const, ["b", 3] as const, ["c", 0] as const])
        await expectCell(bench, key, { spent })
    },
  ],
  [
    "expiry goes in order of the end of the lease, then of the id",
    ["clock"],
    async (bench) => {
      for (const [id, leaseMs] of [
        ["z1", 3_000],
        ["b", 2_000],
        ["a10", 2_000],
        ["a9", 2_000],
        ["z0", 1_000],
        ["B", 2_000],
      ] as const) {
        await hold(bench, id, [cell("a", 1)], { leaseMs })
      }
      await bench.clock.advance(5_000)
      const { expired } = await bench.store.sweep({ root: bench.root, max: 10 })
      equal(ids(expired), ["z0", "B", "a10", "a9", "b", "z1"], "order")
      equal(
        expired.map((one) => one.cells[0]!.peak),
        [1, 2, 3, 4, 5, 6],
        "peaks",
      )
    },
  ],
  [
    "sweep ends at most as many as it was told, and says whether more are due",
    ["clock"],
    async (bench) => {
      for (let index = 0; index < 10; index++) await hold(bench, `r${index}`, [cell("a", 1)])
      await bench.clock.advance(LEASE_MS)
      const first = await bench.store.sweep({ root: bench.root, max: 4 })
      equal([ids(first.expired), first.more], [["r0", "r1", "r2", "r3"], true], "first")
      equal((await bench.store.read({ root: bench.root, keys: [] })).due, 6, "due")
      const second = await bench.store.sweep({ root: bench.root, max: 6 })
      equal([second.expired.length, second.more], [6, false], "second")
      await expectCell(bench, "a", { spent: 10 })
    },
  ],
  [
    "sweep loops over its steps: five hundred due leases end in one call",
    ["clock"],
    async (bench) => {
      await Promise.all(
        Array.from({ length: 500 }, (_, index) => hold(bench, `r${index}`, [cell("a", 2, null, { onExpire: 1 })])),
      )
      await bench.clock.advance(LEASE_MS)
      const { expired, more } = await bench.store.sweep({ root: bench.root, max: 1_000 })
      equal([expired.length, new Set(ids(expired)).size, more], [500, 500, false], "swept")
      await expectCell(bench, "a", { spent: 500 })
    },
  ],
  [
    "reserve with a long backlog says so, ends some of it, and decides about its own id",
    ["clock"],
    async (bench) => {
      const cells = [cell("a", 1, 300, { onExpire: 0 })]
      await Promise.all(Array.from({ length: 300 }, (_, index) => hold(bench, `r${1_000 + index}`, cells)))
      const own = reserveRequest(bench.root, "zzz", [cell("b", 1)])
      await bench.store.reserve(own)
      await bench.clock.advance(LEASE_MS)
      const answer = await bench.store.reserve(own)
      match(answer, { result: "resolved", state: "expired" }, "the caller's own lease, last of the backlog")
      ok(answer.expired.length > 0, "some leases are ended by the way")
      const { due } = await bench.store.read({ root: bench.root, keys: [] })
      equal(answer.backlog, due > 0, `backlog with ${due} due`)
      equal(due + answer.expired.length, 301, "nothing is lost between due and expired")
      await bench.store.sweep({ root: bench.root, max: 1_000 })
      await expectCell(bench, "a", {})
      match(
        await bench.store.reserve(reserveRequest(bench.root, "last", [cell("a", 300, 300)])),
        { result: "ok", backlog: false },
        "all free",
      )
    },
  ],
  [
    "an expiry is told once, by whoever ends it, and charges once",
    ["clock"],
    async (bench) => {
      for (let index = 0; index < 12; index++) await hold(bench, `r${index}`, [cell("a", 1)])
      await bench.clock.advance(LEASE_MS)
      const told = await Promise.all([
        ...Array.from({ length: 6 }, () => bench.store.sweep({ root: bench.root, max: 3 })),
        ...Array.from({ length: 6 }, (_, index) =>
          bench.store.reserve(reserveRequest(bench.root, `n${index}`, [cell("b", 1)])),
        ),
      ])
      const all = told.flatMap((answer) => ids(answer.expired))
      equal(all.sort(), Array.from({ length: 12 }, (_, index) => `r${index}`).sort(), "told")
      await expectCell(bench, "a", { spent: 12 })
    },
  ],
  [
    "leases end in their own root: due, sweep, extend and settle leave the others alone, and so do adjustments",
    ["clock"],
    async (bench) => {
      const other = { ...bench, root: bench.otherRoot("other"), clock: bench.clock }
      for (const one of [bench, other]) {
        await hold(one, "r1", [cell("a", 10, null, { onExpire: 4 })])
        match(await adjusted(one, "g1", "a", "granted", 5), { replayed: false }, `a grant in ${one.root}`)
      }
      const third = { ...other, root: bench.otherRoot("third") }
      const settled = await hold(third, "r1", [cell("a", 10, null, { onExpire: 4 })])
      await bench.store.extend({ root: third.root, id: "r1", leaseMs: 2 * LEASE_MS })
      await bench.clock.advance(LEASE_MS)
      equal((await bench.store.read({ root: bench.root, keys: [] })).due, 1, "due")
      match(await settled.commit([7]), { result: "committed", late: false }, "a commit in the third root")
      equal((await bench.store.read({ root: bench.root, keys: [] })).due, 1, "due after a commit in another root")
      equal(ids((await bench.store.sweep({ root: bench.root, max: 10 })).expired), ["r1"], "swept")
      await bench.store.reserve(reserveRequest(bench.root, "r2", [cell("b", 1)]))
      equal((await bench.store.read({ root: bench.root, keys: [] })).due, 0, "due after the sweep")
      equal((await bench.store.read({ root: other.root, keys: [] })).due, 1, "due in the other root")
      await expectCell(bench, "a", { spent: 4, granted: 5 })
      await expectCell(other, "a", { reserved: 10, granted: 5 }, "cell a of the other root")
    },
  ],
  [
    "large amounts keep every digit through expiry, a late commit, a correction and a release",
    ["clock"],
    async (bench) => {
      for (const [index, amount] of [2 ** 31 + 1, 1e14 + 1, Number.MAX_SAFE_INTEGER].entries()) {
        const [key, other] = [`a.${index}`, `b.${index}`]
        const first = await hold(bench, `r${index}`, [cell(key, amount)])
        const second = await hold(bench, `s${index}`, [cell(other, amount)])
        await bench.clock.advance(LEASE_MS)
        const { expired } = await bench.store.sweep({ root: bench.root, max: 10 })
        equal(
          expired.map(({ cells }) => [cells[0]!.charged, cells[0]!.spent, cells[0]!.peak]),
          [
            [amount, amount, amount],
            [amount, amount, amount],
          ],
          `charged by the expiry of ${amount}`,
        )
        await first.commit([amount - 1])
        await expectCell(bench, key, { spent: amount - 1 }, `${amount} expired, then ${amount - 1} committed`)
        match(await first.commit([amount - 1]), { replayed: true }, "the same commit again")
        await first.commit([1], { revision: 1 })
        await expectCell(bench, key, { spent: 1 }, `${amount - 1} corrected to 1`)
        await second.release()
        await expectCell(bench, other, {}, `${amount} expired, then released`)
      }
    },
  ],
  [
    "extend moves the end to now plus the lease, and never back",
    ["clock"],
    async (bench) => {
      const { store, root, clock } = bench
      const held = await hold(bench, "r1", [cell("a", 10)])
      match(
        await store.extend({ root, id: "r1", leaseMs: 1_000 }),
        { state: "held", expiresAt: held.expiresAt },
        "shorter",
      )
      await clock.advance(LEASE_MS / 2)
      const expiresAt = clock.now() + LEASE_MS
      match(await store.extend({ root, id: "r1", leaseMs: LEASE_MS }), { state: "held", expiresAt }, "longer")
      match(await store.reserve(held.request), { result: "ok", replayed: true, expiresAt }, "a replay afterwards")
      await clock.advance(LEASE_MS - 1)
      equal((await store.sweep({ root, max: 10 })).expired, [], "after the old end")
      await clock.advance(1)
      equal(ids((await store.sweep({ root, max: 10 })).expired), ["r1"], "at the new end")
    },
  ],
  [
    "read counts what is due and ends nothing",
    ["clock"],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 10)])
      await hold(bench, "r2", [cell("a", 10)])
      await bench.clock.advance(LEASE_MS)
      for (let round = 0; round < 3; round++) {
        const { due, cells } = await bench.store.read({ root: bench.root, keys: ["a"] })
        equal([due, cells[0]?.reserved, cells[0]?.spent], [2, 20, 0], `read ${round}`)
      }
    },
  ],
  [
    "a committed or released lease never expires",
    ["clock"],
    async (bench) => {
      await (await hold(bench, "r1", [cell("a", 10)])).commit([2])
      await (await hold(bench, "r2", [cell("a", 10)])).release()
      await hold(bench, "r3", [cell("a", 10, null, { onExpire: 5 })])
      await bench.clock.advance(LEASE_MS)
      equal((await bench.store.read({ root: bench.root, keys: [] })).due, 1, "due")
      equal(ids((await bench.store.sweep({ root: bench.root, max: 10 })).expired), ["r3"], "swept")
      await expectCell(bench, "a", { spent: 7 })
    },
  ],
  [
    "a late commit may be corrected by a higher revision, and replays",
    ["clock"],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 10)])
      await bench.clock.advance(LEASE_MS)
      await bench.store.sweep({ root: bench.root, max: 10 })
      match(await held.commit([3]), { result: "committed", late: true }, "late")
      match(await held.commit([3]), { result: "committed", replayed: true }, "again")
      match(await held.commit([4], { revision: 1 }), { result: "committed", replayed: false }, "corrected")
      match(await held.release(), { result: "mismatch" }, "a release of what was committed late")
      await expectCell(bench, "a", { spent: 4 })
    },
  ],
  [
    "a late commit of several cells replaces the charge of each",
    ["clock"],
    async (bench) => {
      const held = await hold(bench, "r1", [
        cell("a", 10),
        cell("b", 10, null, { onExpire: 2 }),
        cell("c", 10, null, { onExpire: 0 }),
      ])
      await bench.clock.advance(LEASE_MS)
      await bench.store.sweep({ root: bench.root, max: 10 })
      match(await held.commit([1, 20, 0]), { result: "committed", late: true }, "late")
      await expectCell(bench, "a", { spent: 1 })
      await expectCell(bench, "b", { spent: 20 })
      await expectCell(bench, "c", {})
    },
  ],
  // ── Windows ──
  [
    "a window is open from its start to its end, the end excluded",
    ["clock"],
    async (bench) => {
      const now = bench.clock.now()
      const window = { startsAt: now + 1_000, endsAt: now + 5_000 }
      const reserve = (id: string) =>
        bench.store.reserve(reserveRequest(bench.root, id, [cell("a", 1), cell("w", 1, 9, window)]))
      match(await reserve("before"), { result: "stale-window", which: [1] }, "before its start")
      await bench.clock.advance(999)
      match(await reserve("before2"), { result: "stale-window", which: [1] }, "one millisecond before its start")
      await bench.clock.advance(1)
      match(await reserve("first"), { result: "ok" }, "at its start")
      await bench.clock.advance(3_999)
      match(await reserve("last"), { result: "ok" }, "one millisecond before its end")
      await bench.clock.advance(1)
      match(await reserve("after"), { result: "stale-window", which: [1] }, "at its end")
      await expectCell(bench, "a", { reserved: 2 })
    },
  ],
  [
    "a fast clock cannot spend tomorrow's money",
    ["clock"],
    async (bench) => {
      const now = bench.clock.now()
      const tomorrow = { startsAt: now + 600_000, endsAt: now + 600_000 + DAY_MS }
      const early = await bench.store.reserve(reserveRequest(bench.root, "r1", [cell("tomorrow", 1, 10, tomorrow)]))
      match(early, { result: "stale-window", which: [0] }, "ten minutes too early")
      await bench.clock.advance(600_000)
      await hold(bench, "r1", [cell("tomorrow", 10, 10, tomorrow)])
    },
  ],
  [
    "a stale window leaves no trace: the same id comes again with new windows",
    ["clock"],
    async (bench) => {
      const old = await windowed(bench, DAY_MS, 0)
      const stale = reserveRequest(bench.root, "r1", [cell("day.1", 5, 10, old), cell("a", 5, 10)])
      match(await bench.store.reserve(stale), { result: "stale-window", which: [0] }, "yesterday")
      await expectCell(bench, "a", {})
      await hold(bench, "r1", [cell("day.2", 5, 10, await windowed(bench, 0, DAY_MS)), cell("a", 5, 10)])
    },
  ],
  [
    "the id is looked up before the windows: a retry across midnight is ok",
    ["clock"],
    async (bench) => {
      const today = await windowed(bench, DAY_MS - 1_000, 1_000)
      const held = await hold(bench, "r1", [cell("day.1", 5, 10, today)])
      await bench.clock.advance(1_000)
      match(
        await bench.store.reserve(held.request),
        { result: "ok", replayed: true, expiresAt: held.expiresAt },
        "retry",
      )
      match(await held.commit([4]), { result: "committed", late: false }, "commit after midnight")
      await expectCell(bench, "day.1", { spent: 4 })
    },
  ],
  [
    "a settle after a retry across midnight is charged in the day of the reserve, whatever windows it names",
    ["clock"],
    async (bench) => {
      const ends = [
        ["commit", [4], { spent: 4 }],
        ["release", [], {}],
      ] as const
      const today = await windowed(bench, DAY_MS - 1_000, 1_000)
      const tomorrow = { startsAt: today.endsAt, endsAt: today.endsAt + DAY_MS }
      for (const [outcome] of ends) await hold(bench, outcome, [cell(`${outcome}.1`, 5, 10, today)])
      await bench.clock.advance(1_000)
      for (const [outcome, amounts, left] of ends) {
        // Core computes the windows anew. The fingerprint is of what was asked, not of when.
        const { fingerprint } = reserveRequest(bench.root, outcome, [cell(`${outcome}.1`, 5)])
        const cells = [cell(`${outcome}.2`, 5, 10, tomorrow)]
        const retry = reserveRequest(bench.root, outcome, cells, { fingerprint })
        const answer = await bench.store.reserve(retry)
        if (answer.result !== "ok") fail(`retry of ${outcome}: expected ok, got ${answer.result}`)
        ok(answer.replayed, `retry of ${outcome}: expected a replay`)
        const settle = settleRequest(retry, amounts, { outcome, expiresAt: answer.expiresAt })
        const settled = await bench.store.settle(settle)
        match(settled, { result: outcome === "commit" ? "committed" : "released", replayed: false }, outcome)
        equal(
          settled.cells.map(({ key }) => key),
          [`${outcome}.1`],
          `the cells that the ${outcome} changed`,
        )
        await expectCell(bench, `${outcome}.1`, left, `today after the ${outcome}`)
        await expectCell(bench, `${outcome}.2`, {}, `tomorrow after the ${outcome}`)
        match(await bench.store.settle(settle), { replayed: true }, `${outcome} sent again`)
        await expectCell(bench, `${outcome}.1`, left, `today after the ${outcome} was sent again`)
      }
    },
  ],
  [
    "windows are the caller's: a short February, a long January, a day of 23 hours",
    ["clock"],
    async (bench) => {
      const start = bench.clock.now()
      const months = [
        [28, "feb"],
        [29, "leap"],
        [30, "apr"],
        [31, "jan"],
      ] as const
      const window = (days: number) => ({ startsAt: start, endsAt: start + days * DAY_MS })
      const short = { startsAt: start, endsAt: start + 23 * 3_600_000 }
      const long = { startsAt: start, endsAt: start + 25 * 3_600_000 }
      const reserve = (id: string, key: string, bounds: { startsAt: number; endsAt: number }) =>
        bench.store.reserve(reserveRequest(bench.root, id, [cell(key, 1, 100, bounds)], { leaseMs: 1_000 }))
      await bench.clock.advance(23 * 3_600_000 - 1)
      match(await reserve("s1", "short", short), { result: "ok" }, "the last moment of a day of 23 hours")
      await bench.clock.advance(1)
      match(await reserve("s2", "short", short), { result: "stale-window" }, "the end of a day of 23 hours")
      await bench.clock.advance(2 * 3_600_000 - 1)
      match(await reserve("l1", "long", long), { result: "ok" }, "the last moment of a day of 25 hours")
      await bench.clock.advance(1)
      match(await reserve("l2", "long", long), { result: "stale-window" }, "the end of a day of 25 hours")
      for (const [days, key] of months) {
        await bench.clock.advance(start + days * DAY_MS - 1 - bench.clock.now())
        match(await reserve(`${key}1`, key, window(days)), { result: "ok" }, `the last moment of ${days} days`)
        await bench.clock.advance(1)
        match(
          await reserve(`${key}2`, key, window(days)),
          { result: "stale-window", which: [0] },
          `the end of ${days} days`,
        )
      }
    },
  ],
  [
    "what was reserved before the window closed is settled in it afterwards, late too",
    ["clock"],
    async (bench) => {
      const today = await windowed(bench, DAY_MS - 1_000, 1_000)
      const first = await hold(bench, "r1", [cell("day.1", 5, 10, today)])
      const second = await hold(bench, "r2", [cell("day.1", 5, 10, { ...today, onExpire: 2 })])
      await bench.clock.advance(LEASE_MS)
      await first.commit([3])
      equal(
        ids((await bench.store.sweep({ root: bench.root, max: 10 })).expired),
        ["r2"],
        "swept after the window's end",
      )
      await expectCell(bench, "day.1", { spent: 5 })
      match(await second.commit([4]), { late: true }, "late commit in a closed window")
      await expectCell(bench, "day.1", { spent: 7 })
    },
  ],
  [
    "an adjustment of a window that is not open is stale",
    ["clock"],
    async (bench) => {
      const over = { key: "w", ...(await windowed(bench, DAY_MS, 0)), keepMs: null }
      const ahead = { key: "w", ...(await windowed(bench, -1_000, DAY_MS)), keepMs: null }
      for (const [id, ref] of [
        ["a1", over],
        ["a2", ahead],
      ] as const) {
        const answer = await bench.store.adjust({ root: bench.root, id, cell: ref, kind: "granted", delta: 5 })
        match(answer, { result: "stale-window" }, id)
      }
      await expectCell(bench, "w", {})
      await bench.clock.advance(1_000)
      match(
        await bench.store.adjust({ root: bench.root, id: "a2", cell: ahead, kind: "granted", delta: 5 }),
        { result: "ok", replayed: false },
        "open now",
      )
    },
  ],
  // ── What is kept, and how long ──
  [
    "a closed window is kept for the retention, and gone after it",
    ["clock"],
    async (bench) => {
      const { retentionMs } = bench.store.capabilities
      const window = await windowed(bench, 0, 10_000)
      const held = await hold(bench, "r1", [cell("w", 5, 10, window)], { leaseMs: 1_000 })
      await held.commit([5])
      await bench.clock.advance(10_000 + retentionMs - 1_000)
      await expectCell(bench, "w", { spent: 5 }, "shortly before the end of the retention")
      await bench.clock.advance(2_000)
      await expectCell(bench, "w", {}, "shortly after the end of the retention")
    },
  ],
  [
    "an endless cell is kept for ever, unless told to leave when idle",
    ["clock"],
    async (bench) => {
      const { retentionMs } = bench.store.capabilities
      const keepMs = 3 * retentionMs
      await (await hold(bench, "r1", [cell("forever", 5), cell("idle", 5, null, { keepMs })])).commit([5, 5])
      await bench.clock.advance(2 * retentionMs)
      await (await hold(bench, "r2", [cell("idle", 1, null, { keepMs })])).commit([1])
      await bench.clock.advance(2 * retentionMs)
      await expectCell(bench, "idle", { spent: 6 }, "touched in between")
      await bench.clock.advance(2 * retentionMs)
      await expectCell(bench, "idle", {}, "untouched for longer than keepMs")
      await expectCell(bench, "forever", { spent: 5 })
    },
  ],
  [
    "an idle cell is kept as long as it was told, be that sixty days",
    ["clock"],
    async (bench) => {
      // More milliseconds than 32 bits hold.
      const keepMs = 60 * DAY_MS
      await (await hold(bench, "r1", [cell("idle", 5, null, { keepMs })])).commit([5])
      await bench.clock.advance(DAY_MS)
      await expectCell(bench, "idle", { spent: 5 }, "after one day")
      await bench.clock.advance(58 * DAY_MS)
      await expectCell(bench, "idle", { spent: 5 }, "after 59 days")
      await bench.clock.advance(2 * DAY_MS)
      await expectCell(bench, "idle", {}, "after 61 days")
    },
  ],
  [
    "an endless cell with something reserved in it is never idle",
    ["clock"],
    async (bench) => {
      const leaseMs = leaseOf(bench)
      const held = await hold(bench, "r1", [cell("idle", 5, 9, { keepMs: Math.floor(leaseMs / 4) })], { leaseMs })
      await bench.clock.advance(leaseMs - 1)
      await expectCell(bench, "idle", { reserved: 5 })
      match(
        await bench.store.reserve(reserveRequest(bench.root, "r2", [cell("idle", 5, 9)])),
        { result: "exceeded" },
        "5 of the last 4",
      )
      await held.commit([5])
      await expectCell(bench, "idle", { spent: 5 })
    },
  ],
  [
    "a window that closes while a lease is open keeps cell and id together, so that nothing stays reserved",
    ["clock"],
    async (bench) => {
      const { retentionMs } = bench.store.capabilities
      const leaseMs = leaseOf(bench)
      const window = await windowed(bench, 0, Math.floor(leaseMs / 2))
      await hold(bench, "r1", [cell("w", 5, 10, { ...window, onExpire: 3 }), cell("endless", 5, 10, { onExpire: 3 })], {
        leaseMs,
      })
      // Nobody comes by until long after lease, window and retention.
      await bench.clock.advance(leaseMs + 3 * retentionMs)
      await bench.store.sweep({ root: bench.root, max: 10 })
      await expectCell(bench, "endless", { spent: 3 }, "the endless cell of a reservation that nobody ended in time")
      equal((await cellState(bench, "w")).reserved, 0, "reserved in the closed window")
      equal((await bench.store.read({ root: bench.root, keys: [] })).due, 0, "due")
    },
  ],
  [
    "a resolved id is remembered for the retention: committed, released, expired",
    ["clock"],
    async (bench) => {
      const { retentionMs } = bench.store.capabilities
      const committed = await hold(bench, "r1", [cell("a", 10)])
      await committed.commit([3])
      const released = await hold(bench, "r2", [cell("a", 10)])
      await released.release()
      const expired = await hold(bench, "r3", [cell("a", 10, null, { onExpire: 1 })], { leaseMs: 1 })
      await bench.clock.advance(1)
      await bench.store.sweep({ root: bench.root, max: 10 })
      await bench.clock.advance(retentionMs - 1_000)
      match(await bench.store.reserve(committed.request), { result: "resolved", state: "committed" }, "committed")
      match(await bench.store.reserve(released.request), { result: "resolved", state: "released" }, "released")
      match(await bench.store.reserve(expired.request), { result: "resolved", state: "expired" }, "expired")
      match(await committed.commit([3]), { result: "committed", replayed: true }, "commit again")
      match(await expired.commit([4]), { result: "committed", late: true }, "late commit")
      await expectCell(bench, "a", { spent: 7 })
    },
  ],
  [
    "an id that was resolved and forgotten long ago is reported, not charged again",
    ["clock"],
    async (bench) => {
      const { retentionMs } = bench.store.capabilities
      const held = await hold(bench, "r1", [cell("a", 10)])
      await held.commit([3])
      await bench.clock.advance(2 * retentionMs + LEASE_MS)
      match(await held.commit([3]), { result: "forgotten" }, "commit")
      await expectCell(bench, "a", { spent: 3 })
    },
  ],
  [
    "an id that was committed early in a long lease is not charged again at any time",
    ["clock"],
    async (bench) => {
      const leaseMs = Math.floor(bench.store.capabilities.retentionMs / 2)
      const held = await hold(bench, "r1", [cell("a", 10)], { leaseMs })
      await chargedOnce(bench, () => held.commit([3]))
    },
  ],
  [
    "an id whose lease was extended is not charged again at any time",
    ["clock"],
    async (bench) => {
      const { retentionMs } = bench.store.capabilities
      const leaseMs = Math.floor(retentionMs / 2)
      const held = await hold(bench, "r1", [cell("a", 10)], { leaseMs: 1_000 })
      const extended = await bench.store.extend({ root: bench.root, id: "r1", leaseMs })
      if (extended.state !== "held") fail(`extend: expected held, got ${extended.state}`)
      await chargedOnce(bench, () => held.commit([3], { expiresAt: extended.expiresAt }))
    },
  ],
  [
    "a lost id that was recovered before the end of its lease is not charged again at any time",
    ["clock"],
    async (bench) => {
      const expiresAt = bench.clock.now() + Math.floor(bench.store.capabilities.retentionMs / 2)
      const settle = settleRequest(reserveRequest(bench.root, "r1", [cell("a", 10)]), [3], { expiresAt })
      await chargedOnce(bench, () => bench.store.settle(settle))
    },
  ],
  [
    "a release of an unknown id is remembered for the retention: its reserve may come late",
    ["clock"],
    async (bench) => {
      const request = reserveRequest(bench.root, "r1", [cell("a", 10)])
      await bench.store.settle(settleRequest(request, [], { outcome: "release" }))
      await bench.clock.advance(bench.store.capabilities.retentionMs - 1_000)
      await bench.store.sweep({ root: bench.root, max: 10 })
      match(await bench.store.reserve(request), { result: "resolved", state: "released" }, "the reserve, late")
      await expectCell(bench, "a", {})
    },
  ],
  [
    "a commit of a lost id is charged in its window, though that has closed",
    ["clock"],
    async (bench) => {
      const today = await windowed(bench, DAY_MS - 1_000, 1_000)
      const request = reserveRequest(bench.root, "r1", [cell("day.1", 5, 10, today)])
      const expiresAt = bench.clock.now() + LEASE_MS
      await bench.clock.advance(1_000)
      const answer = await bench.store.settle(settleRequest(request, [4], { expiresAt }))
      match(answer, { result: "committed", recovered: true, replayed: false }, "commit after midnight")
      await expectCell(bench, "day.1", { spent: 4 })
    },
  ],
  [
    "an adjustment sent again after its window has closed is the same one",
    ["clock"],
    async (bench) => {
      const ref = { key: "w", ...(await windowed(bench, 0, 1_000)), keepMs: null }
      const adjust = { root: bench.root, id: "a1", cell: ref, kind: "granted", delta: 5 } as const
      match(await bench.store.adjust(adjust), { result: "ok", replayed: false, applied: 5 }, "while it is open")
      await bench.clock.advance(1_000)
      match(await bench.store.adjust(adjust), { result: "ok", replayed: true, applied: 5 }, "after it has closed")
      await expectCell(bench, "w", { granted: 5 })
    },
  ],
  [
    "an adjustment's id is remembered for the retention",
    ["clock"],
    async (bench) => {
      const request = adjustRequest(bench.root, "a1", "a", "granted", 5)
      await bench.store.adjust(request)
      await bench.clock.advance(bench.store.capabilities.retentionMs - 1_000)
      match(await bench.store.adjust(request), { result: "ok", replayed: true, applied: 5 }, "again")
      await expectCell(bench, "a", { granted: 5 })
    },
  ],
  [
    "a held id is never forgotten, however long nobody looks",
    ["clock"],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 10, null, { onExpire: 4 })])
      await bench.clock.advance(5 * bench.store.capabilities.retentionMs)
      await expectCell(bench, "a", { reserved: 10 })
      equal(ids((await bench.store.sweep({ root: bench.root, max: 10 })).expired), ["r1"], "swept")
      await expectCell(bench, "a", { spent: 4 })
      match(await held.commit([6]), { result: "committed", late: true }, "late commit")
      await expectCell(bench, "a", { spent: 6 })
    },
  ],
  [
    "memory is bounded: closed windows, resolved ids and idle cells leave",
    ["clock", "size"],
    async (bench) => {
      const size = bench.target.size!
      const { retentionMs } = bench.store.capabilities
      const round = async (name: string) => {
        const window = await windowed(bench, 0, 10_000)
        const calls = Array.from({ length: 100 }, async (_, index) => {
          const cells = [cell(`w.${name}.${index}`, 1, 9, window), cell(`i.${name}.${index}`, 1, 9, { keepMs: 5_000 })]
          const request = reserveRequest(bench.root, `r.${name}.${index}`, cells, { leaseMs: 1_000 })
          const answer = await bench.store.reserve(request)
          if (answer.result !== "ok") throw new Error(`reserve: ${answer.result}`)
          const held = heldReservation(bench.store, request, answer)
          if (index % 3 === 0) await held.commit([1, 1])
          if (index % 3 === 1) await held.release()
          const adjust = adjustRequest(bench.root, `a.${name}.${index}`, `i.${name}.${index}`, "spent", 1)
          await bench.store.adjust({ ...adjust, cell: { ...adjust.cell, keepMs: 5_000 } })
        })
        await Promise.all(calls)
        await bench.clock.advance(2_000)
        await bench.store.sweep({ root: bench.root, max: 1_000 })
        await bench.clock.advance(3 * retentionMs + 20_000)
      }
      for (const name of ["one", "two", "three", "four"]) await round(name)
      // Stores may forget by the way, as calls come in.
      for (let index = 0; index < 100; index++) {
        const held = await hold(bench, `last.${index}`, [cell("last", 1)])
        await held.commit([1])
      }
      await bench.store.sweep({ root: bench.root, max: 10 })
      // The 100 ids of the last loop and their cell are to be there; of the 4 × 400 records before, a few may linger.
      const found = await size()
      ok(found <= 101 + 40, `expected about 101 records, at most 141, got ${found}`)
    },
  ],
])
