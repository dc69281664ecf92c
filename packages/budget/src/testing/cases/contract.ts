import { equal, match, ok } from "../expect"
import { adjusted, adjustRequest, cell, expectCell, hold, reserveRequest, settleRequest } from "../requests"
import { casesOf } from "../store-case"

/** What a single caller sees of the six members, in the ordinary course of things. */
export const contractCases = casesOf("contract", "Rules", [
  [
    "says its name and capabilities",
    [],
    async ({ store }) => {
      ok(typeof store.name === "string" && store.name.length > 0, "name: expected a string")
      const { shared, clock, retentionMs, maxCells } = store.capabilities
      ok(typeof shared === "boolean", "capabilities.shared: expected a boolean")
      ok(clock === "server" || clock === "process", 'capabilities.clock: expected "server" or "process"')
      ok(Number.isSafeInteger(retentionMs) && retentionMs > 0, "capabilities.retentionMs: expected a positive integer")
      ok(Number.isSafeInteger(maxCells) && maxCells >= 16, "capabilities.maxCells: expected at least 16")
      const check = await store.check?.()
      if (check === undefined) return
      ok(check.ok, `check: expected ok, got the warnings ${check.warnings.join("; ")}`)
      ok(["none", "process", "second", "disk"].includes(check.durability), `check: durability ${check.durability}`)
    },
  ],
  ["an unseen key reads as zeros", [], async (bench) => expectCell(bench, "user:nobody", {})],
  [
    "read answers the keys in the order in which they were asked",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("b", 2), cell("a", 1)])
      const { cells, due } = await bench.store.read({ root: bench.root, keys: ["a", "missing", "b"] })
      equal(
        cells.map((state) => [state.key, state.reserved]),
        [
          ["a", 1],
          ["missing", 0],
          ["b", 2],
        ],
        "cells",
      )
      equal(due, 0, "due")
    },
  ],
  [
    "reserve sets the amount aside in every cell",
    [],
    async (bench) => {
      const request = reserveRequest(bench.root, "r1", [cell("a", 30, 100), cell("b", 5, 10)])
      const answer = await bench.store.reserve(request)
      match(answer, { result: "ok", replayed: false, expired: [], backlog: false }, "reserve")
      equal(
        answer.cells,
        [
          { key: "a", spent: 0, reserved: 30, granted: 0 },
          { key: "b", spent: 0, reserved: 5, granted: 0 },
        ],
        "cells of the answer",
      )
      if (answer.result === "ok") equal(answer.expiresAt, answer.now + request.leaseMs, "expiresAt")
      await expectCell(bench, "a", { reserved: 30 })
      await expectCell(bench, "b", { reserved: 5 })
    },
  ],
  [
    "spent and reserved add up to the limit and not over it",
    [],
    async (bench) => {
      const first = await hold(bench, "r1", [cell("a", 40, 100)])
      await first.commit([40])
      await hold(bench, "r2", [cell("a", 59, 100)])
      const over = await bench.store.reserve(reserveRequest(bench.root, "r3", [cell("a", 2, 100)]))
      match(over, { result: "exceeded", which: [0] }, "2 over the last 1")
      await hold(bench, "r4", [cell("a", 1, 100)])
      await expectCell(bench, "a", { spent: 40, reserved: 60 })
    },
  ],
  [
    "a refusal names every cell that refuses, and shows what is in them",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 10, 10), cell("c", 7, 10)])
      const cells = [cell("a", 1, 10), cell("b", 1, 10), cell("c", 4, 10)]
      const answer = await bench.store.reserve(reserveRequest(bench.root, "r2", cells))
      match(answer, { result: "exceeded", which: [0, 2] }, "reserve")
      equal(
        answer.cells.map((state) => state.reserved),
        [10, 0, 7],
        "reserved in the cells of the answer",
      )
    },
  ],
  [
    "a refusal leaves no trace in any cell, wherever the refusing cell stands",
    [],
    async (bench) => {
      await hold(bench, "full", [cell("full", 10, 10)])
      for (const [index, order] of [
        ["full", "a", "b"],
        ["a", "full", "b"],
        ["a", "b", "full"],
      ].entries()) {
        const cells = order.map((key) => cell(key, 1, 10))
        const answer = await bench.store.reserve(reserveRequest(bench.root, `r${index}`, cells))
        match(answer, { result: "exceeded" }, `full at ${index}`)
        await expectCell(bench, "a", {}, `cell a with the full one at ${index}`)
        await expectCell(bench, "b", {}, `cell b with the full one at ${index}`)
        await expectCell(bench, "full", { reserved: 10 })
      }
    },
  ],
  [
    "a refused id is unknown afterwards: it may come again with other content",
    [],
    async (bench) => {
      const answer = await bench.store.reserve(reserveRequest(bench.root, "r1", [cell("a", 11, 10)]))
      match(answer, { result: "exceeded" }, "11 of 10")
      const extended = await bench.store.extend({ root: bench.root, id: "r1", leaseMs: 1_000 })
      equal(extended.state, "unknown", "extend of a refused id")
      await hold(bench, "r1", [cell("a", 9, 10)])
      await expectCell(bench, "a", { reserved: 9 })
    },
  ],
  [
    "an amount of zero is never refused, and holds its id",
    [],
    async (bench) => {
      const full = await hold(bench, "r1", [cell("a", 10, 10)])
      await full.commit([25])
      const held = await hold(bench, "r2", [cell("a", 0, 10), cell("b", 0, 0)])
      match(await held.commit([3, 0]), { result: "committed" }, "commit")
      await expectCell(bench, "a", { spent: 28 })
    },
  ],
  [
    "a limit of zero admits zero and nothing else",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 0, 0)])
      const answer = await bench.store.reserve(reserveRequest(bench.root, "r2", [cell("a", 1, 0)]))
      match(answer, { result: "exceeded", which: [0] }, "1 of 0")
    },
  ],
  [
    "a cell without a limit only counts",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 1_000_000_000_000, null)])
      const held = await hold(bench, "r2", [cell("a", 2_000_000_000_000, null)])
      await held.commit([2_500_000_000_000])
      await expectCell(bench, "a", { spent: 2_500_000_000_000, reserved: 1_000_000_000_000 })
    },
  ],
  [
    "the limit is the caller's, call by call",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 10, 10)])
      await hold(bench, "r2", [cell("a", 10, 20)])
      const answer = await bench.store.reserve(reserveRequest(bench.root, "r3", [cell("a", 1, 15)]))
      match(answer, { result: "exceeded" }, "a smaller limit later")
    },
  ],
  [
    "commit replaces the reservation by the truth",
    [],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 30, 100), cell("b", 7, 7)])
      const answer = await held.commit([12, 7])
      match(answer, { result: "committed", replayed: false, late: false, recovered: false }, "commit")
      equal(
        answer.cells,
        [
          { key: "a", spent: 12, reserved: 0, granted: 0, peakBefore: 0, peak: 12 },
          { key: "b", spent: 7, reserved: 0, granted: 0, peakBefore: 0, peak: 7 },
        ],
        "cells",
      )
      await expectCell(bench, "a", { spent: 12 })
    },
  ],
  [
    "commit frees only its own reservation",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 30)])
      const second = await hold(bench, "r2", [cell("a", 20)])
      await second.commit([20])
      await expectCell(bench, "a", { spent: 20, reserved: 30 })
    },
  ],
  [
    "commit of more than was reserved is recorded in full, even over the limit",
    [],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 10, 10)])
      const answer = await held.commit([35])
      match(answer, { result: "committed" }, "commit")
      await expectCell(bench, "a", { spent: 35 })
      const next = await bench.store.reserve(reserveRequest(bench.root, "r2", [cell("a", 1, 10)]))
      match(next, { result: "exceeded" }, "reserve after the overrun")
    },
  ],
  [
    "commit of zero gives everything back",
    [],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 10, 10)])
      match(await held.commit([0]), { result: "committed" }, "commit")
      await expectCell(bench, "a", {})
      await hold(bench, "r2", [cell("a", 10, 10)])
    },
  ],
  [
    "release gives the reservation back untouched",
    [],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 10, 10), cell("b", 1, 1)])
      const answer = await held.release()
      match(answer, { result: "released", replayed: false, late: false }, "release")
      equal(answer.cells[0], { key: "a", spent: 0, reserved: 0, granted: 0, peakBefore: 0, peak: 0 }, "cell a")
      await hold(bench, "r2", [cell("a", 10, 10), cell("b", 1, 1)])
    },
  ],
  [
    "sixteen cells in one call, all or none",
    [],
    async (bench) => {
      const keys = Array.from({ length: 16 }, (_, index) => `cell.${index}`)
      const cells = keys.map((key, index) => cell(key, index, 100))
      const held = await hold(bench, "r1", cells)
      const tight = keys.map((key, index) => cell(key, 1, index === 15 ? 15 : 100))
      match(await bench.store.reserve(reserveRequest(bench.root, "r2", tight)), { which: [15] }, "the last refuses")
      await held.commit(keys.map((_, index) => index * 2))
      const { cells: states } = await bench.store.read({ root: bench.root, keys })
      equal(
        states.map((state) => [state.spent, state.reserved]),
        keys.map((_, index) => [index * 2, 0]),
        "cells",
      )
    },
  ],
  [
    "roots do not see each other",
    [],
    async (bench) => {
      const other = bench.otherRoot("other")
      await hold(bench, "r1", [cell("a", 10, 10)])
      match(
        await bench.store.reserve(reserveRequest(other, "r1", [cell("a", 9, 10)])),
        { result: "ok", replayed: false },
        other,
      )
      await bench.store.adjust(adjustRequest(other, "a1", "b", "spent", 5))
      await expectCell(bench, "a", { reserved: 10 })
      await expectCell(bench, "b", {})
      await expectCell({ store: bench.store, root: other }, "a", { reserved: 9 })
    },
  ],
  [
    "read writes nothing: it makes no cell and moves no time",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 10)])
      const before = await bench.target.size?.()
      for (let round = 0; round < 50; round++) {
        await bench.store.read({ root: bench.root, keys: ["a", `unseen.${round}`] })
        await bench.store.read({ root: bench.otherRoot(`r${round}`), keys: ["a"] })
      }
      equal(await bench.target.size?.(), before, "number of records after a hundred reads")
      await expectCell(bench, "a", { reserved: 10 })
    },
  ],
  // ── Peaks ──
  [
    "the peak is the high-water mark of spent: every step of it is reported once",
    [],
    async (bench) => {
      const [first, second, third] = [
        await hold(bench, "r1", [cell("a", 10)]),
        await hold(bench, "r2", [cell("a", 10)]),
        await hold(bench, "r3", [cell("a", 10)]),
      ]
      match((await first.commit([5])).cells[0]!, { peakBefore: 0, peak: 5 }, "first")
      match((await second.commit([0])).cells[0]!, { peakBefore: 5, peak: 5 }, "a commit of zero")
      match((await third.commit([7])).cells[0]!, { peakBefore: 5, peak: 12 }, "third")
    },
  ],
  [
    "a correction downwards leaves the peak, so that no threshold fires twice",
    [],
    async (bench) => {
      const first = await hold(bench, "r1", [cell("a", 10)])
      await first.commit([10])
      match((await adjusted(bench, "c1", "a", "spent", -6)).cell, { spent: 4, peakBefore: 10, peak: 10 }, "correction")
      const second = await hold(bench, "r2", [cell("a", 10)])
      match((await second.commit([5])).cells[0]!, { spent: 9, peakBefore: 10, peak: 10 }, "back under the old peak")
      const third = await hold(bench, "r3", [cell("a", 10)])
      match((await third.commit([3])).cells[0]!, { spent: 12, peakBefore: 10, peak: 12 }, "over the old peak")
    },
  ],
  [
    "of many commits at once the peaks join without a gap or an overlap",
    [],
    async (bench) => {
      const held = await Promise.all(Array.from({ length: 40 }, (_, index) => hold(bench, `r${index}`, [cell("a", 5)])))
      const answers = await Promise.all(held.map((one, index) => one.commit([index % 6])))
      const steps = answers
        .map((answer) => answer.cells[0]!)
        .sort((a, b) => a.peak - b.peak || a.peakBefore - b.peakBefore)
      let reached = 0
      for (const step of steps) {
        equal(step.peakBefore, reached, "each step begins where the one before ended")
        reached = step.peak
      }
      equal(reached, steps.at(-1)!.spent, "the last peak is what was spent")
    },
  ],
  // ── Adjustments ──
  [
    "a grant widens the room, and what is taken back narrows it",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 10, 10)])
      const grant = await adjusted(bench, "g1", "a", "granted", 5)
      match(grant, { replayed: false, applied: 5 }, "grant")
      match(grant.cell, { key: "a", spent: 0, reserved: 10, granted: 5 }, "cell of the grant")
      await hold(bench, "r2", [cell("a", 5, 10)])
      match(
        await bench.store.reserve(reserveRequest(bench.root, "r3", [cell("a", 1, 10)])),
        { result: "exceeded" },
        "full",
      )
      await adjusted(bench, "g2", "a", "granted", 4)
      await adjusted(bench, "g3", "a", "granted", -3)
      await expectCell(bench, "a", { reserved: 15, granted: 6 })
      match(
        await bench.store.reserve(reserveRequest(bench.root, "r4", [cell("a", 2, 10)])),
        { result: "exceeded" },
        "2 of 1",
      )
      await hold(bench, "r5", [cell("a", 1, 10)])
    },
  ],
  [
    "more may be taken back than was granted: the room is then smaller than the limit",
    [],
    async (bench) => {
      match(await adjusted(bench, "g1", "a", "granted", -4), { applied: -4 }, "taken back")
      await expectCell(bench, "a", { granted: -4 })
      const over = await bench.store.reserve(reserveRequest(bench.root, "r1", [cell("a", 7, 10)]))
      match(over, { result: "exceeded", which: [0] }, "7 of 10 − 4")
      await hold(bench, "r2", [cell("a", 6, 10)])
      await adjusted(bench, "g2", "a", "granted", -9)
      const none = await bench.store.reserve(reserveRequest(bench.root, "r3", [cell("a", 1, 10), cell("b", 0, 0)]))
      match(none, { result: "exceeded", which: [0] }, "1 of 10 − 13")
    },
  ],
  [
    "a correction moves spent up and down, below zero if need be, and passes thresholds upwards",
    [],
    async (bench) => {
      const up = await adjusted(bench, "c1", "a", "spent", 7)
      match(up, { applied: 7 }, "up")
      match(up.cell, { spent: 7, peakBefore: 0, peak: 7 }, "a correction upwards passes thresholds, as a commit does")
      match(await adjusted(bench, "c2", "a", "spent", -10), { applied: -10 }, "down")
      await expectCell(bench, "a", { spent: -3 })
      await hold(bench, "r1", [cell("a", 13, 10)])
      match(
        await bench.store.reserve(reserveRequest(bench.root, "r2", [cell("a", 1, 10)])),
        { result: "exceeded" },
        "full",
      )
    },
  ],
  [
    "a reset makes spent and peak zero and keeps reservations and grants",
    [],
    async (bench) => {
      const spent = await hold(bench, "r1", [cell("a", 10)])
      await spent.commit([9])
      const open = await hold(bench, "r2", [cell("a", 4)])
      await adjusted(bench, "g1", "a", "granted", 3)
      const reset = await adjusted(bench, "x1", "a", "reset", 0)
      match(reset, { applied: -9 }, "reset")
      match(reset.cell, { spent: 0, reserved: 4, granted: 3, peakBefore: 9, peak: 0 }, "cell of the reset")
      await expectCell(bench, "a", { reserved: 4, granted: 3 })
      match(
        (await open.commit([2])).cells[0]!,
        { spent: 2, reserved: 0, peakBefore: 0, peak: 2 },
        "commit after the reset",
      )
    },
  ],
  [
    "a reset of nothing is ok and applies nothing",
    [],
    async (bench) => {
      const reset = await adjusted(bench, "x1", "a", "reset", 0)
      equal(reset.applied, 0, "applied")
      await expectCell(bench, "a", {})
    },
  ],
  [
    "an adjustment touches its own cell only",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 1), cell("b", 2)])
      await adjusted(bench, "c1", "a", "spent", 5)
      await adjusted(bench, "x1", "a", "reset", 0)
      await expectCell(bench, "b", { reserved: 2 })
    },
  ],
  [
    "adjustments and reservations have ids of their own",
    [],
    async (bench) => {
      const held = await hold(bench, "same", [cell("a", 5)])
      match(await adjusted(bench, "same", "a", "granted", 2), { replayed: false }, "adjust with the reservation's id")
      match(await held.commit([5]), { result: "committed", replayed: false }, "commit with the adjustment's id")
      await expectCell(bench, "a", { spent: 5, granted: 2 })
    },
  ],
  [
    "sweep without anything due does nothing",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 5)])
      match(await bench.store.sweep({ root: bench.root, max: 100 }), { expired: [], more: false }, "sweep")
      match(
        await bench.store.sweep({ root: bench.otherRoot("empty"), max: 1 }),
        { expired: [], more: false },
        "empty root",
      )
      await expectCell(bench, "a", { reserved: 5 })
    },
  ],
  [
    "a reservation without cells has an id like any other",
    [],
    async (bench) => {
      const held = await hold(bench, "r1", [])
      match(await bench.store.reserve(held.request), { result: "ok", replayed: true, cells: [] }, "reserve again")
      match(await held.commit([]), { result: "committed", replayed: false, cells: [] }, "commit")
      match(await held.commit([]), { result: "committed", replayed: true }, "commit again")
      match(await bench.store.reserve(held.request), { result: "resolved", state: "committed" }, "reserve afterwards")
    },
  ],
  [
    "a store copies what it is given before it waits: what the caller changes meanwhile changes nothing",
    [],
    async (bench) => {
      const request = reserveRequest(bench.root, "r1", [cell("a", 5, 10)])
      const reserving = bench.store.reserve(request)
      Object.assign(request.cells[0]!, { amount: 7, onExpire: 7, key: "b" })
      match(await reserving, { result: "ok" }, "reserve")
      await expectCell(bench, "a", { reserved: 5 })
      const settle = settleRequest(reserveRequest(bench.root, "r1", [cell("a", 5, 10)]), [3])
      const settling = bench.store.settle(settle)
      Object.assign(settle.cells[0]!, { amount: 4, key: "b" })
      match(await settling, { result: "committed" }, "settle")
      const adjust = adjustRequest(bench.root, "a1", "a", "spent", 2)
      const adjusting = bench.store.adjust(adjust)
      adjust.delta = 20
      adjust.cell.key = "b"
      match(await adjusting, { result: "ok", applied: 2 }, "adjust")
      await expectCell(bench, "a", { spent: 5 })
      await expectCell(bench, "b", {})
    },
  ],
  [
    "a store works on a copy: what the caller changes afterwards changes nothing",
    [],
    async (bench) => {
      const request = reserveRequest(bench.root, "r1", [cell("a", 5, 10)])
      const settle = settleRequest(request, [3])
      const answer = await bench.store.reserve(request)
      request.cells[0]!.amount = 1_000
      request.cells[0]!.key = "b"
      answer.cells[0]!.reserved = 77
      await expectCell(bench, "a", { reserved: 5 })
      await bench.store.settle(settle)
      await expectCell(bench, "a", { spent: 3 })
      await expectCell(bench, "b", {})
    },
  ],
])
