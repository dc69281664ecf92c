import { equal, match } from "../expect"
import { adjusted, adjustRequest, cell, expectCell, hold, reserveRequest, settleRequest } from "../requests"
import { casesOf } from "../store-case"

/** The same call once more: after a lost answer, out of order, or with other content. */
export const idempotencyCases = casesOf("idempotency", "Rules", [
  [
    "a reserve sent again gives the same decision and the same end of the lease",
    [],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 10, 10)])
      for (let round = 0; round < 3; round++) {
        const answer = await bench.store.reserve(held.request)
        match(answer, { result: "ok", replayed: true, expiresAt: held.expiresAt }, `copy ${round}`)
        equal(answer.cells, [{ key: "a", spent: 0, reserved: 10, granted: 0 }], `cells of copy ${round}`)
      }
      await expectCell(bench, "a", { reserved: 10 })
    },
  ],
  [
    "a reserve sent again is the same one, though limit and lease have changed",
    [],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 10, 10)])
      const tighter = { ...held.request, leaseMs: 1_000, cells: [cell("a", 10, 3)] }
      match(
        await bench.store.reserve(tighter),
        { result: "ok", replayed: true, expiresAt: held.expiresAt },
        "a tighter limit",
      )
      await expectCell(bench, "a", { reserved: 10 })
    },
  ],
  [
    "an id with other content is a mismatch, and changes nothing",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 10, 100)])
      const other = await bench.store.reserve(reserveRequest(bench.root, "r1", [cell("a", 11, 100)]))
      match(other, { result: "mismatch" }, "another amount")
      const elsewhere = await bench.store.reserve(reserveRequest(bench.root, "r1", [cell("b", 10, 100)]))
      match(elsewhere, { result: "mismatch" }, "another cell")
      await expectCell(bench, "a", { reserved: 10 })
      await expectCell(bench, "b", {})
    },
  ],
  [
    "fingerprints that differ in case, or at the end of a long text, are different contents",
    [],
    async (bench) => {
      const long = "f".repeat(300)
      for (const [index, [one, other]] of [
        ["Fp", "fp"],
        [`${long}a`, `${long}b`],
        ["f", "f "],
      ].entries()) {
        const cells = [cell("a", 1)]
        const held = await hold(bench, `r${index}`, cells, { fingerprint: one! })
        const again = reserveRequest(bench.root, `r${index}`, cells, { fingerprint: other! })
        match(await bench.store.reserve(again), { result: "mismatch" }, `reserve with the content ${index}`)
        match(await bench.store.settle(settleRequest(again, [1])), { result: "mismatch" }, `settle of content ${index}`)
        match(await held.commit([0]), { result: "committed", replayed: false }, "the commit of the first")
      }
    },
  ],
  [
    "a refused reserve sent again is decided anew",
    [],
    async (bench) => {
      const first = await hold(bench, "r1", [cell("a", 10, 10)])
      const request = reserveRequest(bench.root, "r2", [cell("a", 1, 10)])
      match(await bench.store.reserve(request), { result: "exceeded" }, "full")
      await first.release()
      match(await bench.store.reserve(request), { result: "ok", replayed: false }, "room again")
    },
  ],
  [
    "a commit sent again answers the same and charges nothing",
    [],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 10), cell("b", 10)])
      const first = await held.commit([3, 12])
      for (let round = 0; round < 3; round++) {
        const again = await held.commit([3, 12])
        match(again, { result: "committed", replayed: true }, `copy ${round}`)
        equal(
          again.cells.map((change) => [change.key, change.spent, change.reserved]),
          first.cells.map((change) => [change.key, change.spent, change.reserved]),
          `cells of copy ${round}`,
        )
        for (const change of again.cells) equal(change.peakBefore, change.peak, "a replay passes no threshold")
      }
      await expectCell(bench, "a", { spent: 3 })
      await expectCell(bench, "b", { spent: 12 })
    },
  ],
  [
    "a release sent again gives back once",
    [],
    async (bench) => {
      await hold(bench, "keep", [cell("a", 4)])
      const held = await hold(bench, "r1", [cell("a", 10)])
      match(await held.release(), { result: "released", replayed: false }, "release")
      for (let round = 0; round < 3; round++)
        match(await held.release(), { result: "released", replayed: true }, "again")
      await expectCell(bench, "a", { reserved: 4 })
    },
  ],
  [
    "a release that overtakes its reserve wins: the reserve may not be sent on",
    [],
    async (bench) => {
      const request = reserveRequest(bench.root, "r1", [cell("a", 10, 10)])
      const release = settleRequest(request, [], { outcome: "release" })
      match(await bench.store.settle(release), { result: "released", replayed: false }, "release first")
      match(await bench.store.reserve(request), { result: "resolved", state: "released" }, "reserve afterwards")
      match(await bench.store.settle(release), { result: "released", replayed: true }, "release again")
      await expectCell(bench, "a", {})
    },
  ],
  [
    "a commit of an unknown id sent again charges once",
    [],
    async (bench) => {
      const settle = settleRequest(reserveRequest(bench.root, "r1", [cell("a", 10)]), [7])
      match(await bench.store.settle(settle), { result: "committed", recovered: true, replayed: false }, "commit")
      match(await bench.store.settle(settle), { result: "committed", replayed: true }, "again")
      await expectCell(bench, "a", { spent: 7 })
    },
  ],
  [
    "a recovered commit frees nothing that it did not reserve",
    [],
    async (bench) => {
      await hold(bench, "other", [cell("a", 10)])
      const settle = settleRequest(reserveRequest(bench.root, "lost", [cell("a", 10)]), [7])
      await bench.store.settle(settle)
      await expectCell(bench, "a", { spent: 7, reserved: 10 })
    },
  ],
  [
    "revisions replace upwards only, and the peak never goes back",
    [],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 10), cell("b", 10)])
      await held.commit([10, 10])
      const down = await held.commit([2, 12], { revision: 1 })
      match(down, { result: "committed", replayed: false, late: false }, "revision 1")
      match(down.cells[0]!, { spent: 2, peakBefore: 10, peak: 10 }, "cell a, corrected down")
      match(down.cells[1]!, { spent: 12, peakBefore: 10, peak: 12 }, "cell b, corrected up")
      match(await held.commit([2, 12], { revision: 1 }), { result: "committed", replayed: true }, "revision 1 again")
      await held.commit([10, 10])
      await expectCell(bench, "a", { spent: 2 }, "cell a after revision 0 came late")
      match(await held.commit([5, 5], { revision: 1 }), { result: "mismatch" }, "revision 1 with other amounts")
      await expectCell(bench, "b", { spent: 12 })
    },
  ],
  [
    "an adjustment sent again applies once and answers the same",
    [],
    async (bench) => {
      const spent = await hold(bench, "r1", [cell("a", 10)])
      await spent.commit([10])
      for (const [id, kind, delta] of [
        ["c1", "spent", -4],
        ["g1", "granted", 3],
        ["x1", "reset", 0],
      ] as const) {
        const first = await adjusted(bench, id, "a", kind, delta)
        const again = await adjusted(bench, id, "a", kind, delta)
        match(again, { replayed: true, applied: first.applied }, `${kind} again`)
        equal(again.cell.peakBefore, again.cell.peak, "a replay passes no threshold")
      }
      await expectCell(bench, "a", { granted: 3 })
    },
  ],
  [
    "a reset sent again does not reset what was spent since",
    [],
    async (bench) => {
      await (await hold(bench, "r1", [cell("a", 10)])).commit([10])
      await adjusted(bench, "x1", "a", "reset", 0)
      await (await hold(bench, "r2", [cell("a", 10)])).commit([6])
      match(await adjusted(bench, "x1", "a", "reset", 0), { replayed: true, applied: -10 }, "again")
      await expectCell(bench, "a", { spent: 6 })
    },
  ],
  [
    "an adjustment's id with other content is a mismatch",
    [],
    async (bench) => {
      await adjusted(bench, "a1", "a", "spent", 5)
      for (const [key, kind, delta] of [
        ["a", "spent", 6],
        ["a", "granted", 5],
        ["b", "spent", 5],
      ] as const) {
        const answer = await bench.store.adjust(adjustRequest(bench.root, "a1", key, kind, delta))
        match(answer, { result: "mismatch" }, `${kind} ${delta} on ${key}`)
      }
      await expectCell(bench, "a", { spent: 5 })
      await expectCell(bench, "b", {})
    },
  ],
  [
    "extend of an id says how it stands and reserves nothing",
    [],
    async (bench) => {
      const { store, root } = bench
      equal((await store.extend({ root, id: "nobody", leaseMs: 1_000 })).state, "unknown", "an id that never was")
      await hold(bench, "nobody", [cell("a", 1)])
      equal((await store.extend({ root, id: "nobody", leaseMs: 1_000 })).state, "held", "held")
      await expectCell(bench, "a", { reserved: 1 })
    },
  ],
])
