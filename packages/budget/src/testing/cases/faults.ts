import type { BudgetStore } from "../../store"
import { usageEntry } from "../entries"
import { equal, match, mistake, ok, storeError } from "../expect"
import { adjusted, adjustRequest, cell, expectCell, hold, LEASE_MS, reserveRequest, settleRequest } from "../requests"
import { type CaseBench, casesOf } from "../store-case"

/** Every member, as a call that would be answered if the store were well. */
function everyMember(bench: CaseBench): [name: string, call: () => Promise<unknown>][] {
  const { store, root } = bench
  const request = reserveRequest(root, "fault", [cell("a", 5, 10), cell("b", 5, 10)])
  const calls: [string, () => Promise<unknown>][] = [
    ["reserve", () => store.reserve(request)],
    ["settle", () => store.settle(settleRequest(request, [3, 3]))],
    ["extend", () => store.extend({ root, id: "held", leaseMs: 1_000 })],
    ["read", () => store.read({ root, keys: ["a"] })],
    ["adjust", () => store.adjust(adjustRequest(root, "fault", "a", "spent", 3))],
    ["sweep", () => store.sweep({ root, max: 10 })],
  ]
  if (store.ledger === undefined) return calls
  const { ledger } = store
  return calls.concat([
    ["ledger.record", () => ledger.record({ root, id: "fault", entry: usageEntry("q", 0) })],
    ["ledger.get", () => ledger.get({ root, requestId: "q" })],
    ["ledger.list", () => ledger.list({ root, filter: {}, limit: 10 })],
    ["ledger.totals", () => ledger.totals({ root, filter: {}, groupBy: [] })],
    ["ledger.prune", () => ledger.prune({ root, before: 0 })],
  ])
}

async function afterRestart(bench: CaseBench): Promise<CaseBench> {
  const store: BudgetStore = await bench.target.faults!.restart!()
  return { ...bench, store, clock: bench.target.clock as never }
}

/** What lies between the caller and the state breaks. */
export const faultCases = casesOf("faults", "One step at a time", [
  [
    "while the state cannot be reached, every member rejects with a StoreError; none makes an answer up",
    ["down"],
    async (bench) => {
      await hold(bench, "held", [cell("a", 1)])
      await bench.target.faults!.down!()
      for (const [name, call] of everyMember(bench)) {
        const { code } = await storeError(call, name)
        equal(code, "unavailable", `${name}: code`)
      }
      await bench.target.faults!.up!()
      await expectCell(bench, "a", { reserved: 1 }, "cell a, once the state is back")
    },
  ],
  [
    "what was refused for a fault with applied no was not applied",
    ["down"],
    async (bench) => {
      const request = reserveRequest(bench.root, "r1", [cell("a", 5, 10)])
      await bench.target.faults!.down!()
      const { applied } = await storeError(() => bench.store.reserve(request), "reserve")
      await bench.target.faults!.up!()
      if (applied === "no") await expectCell(bench, "a", {})
      match(
        await bench.store.settle(settleRequest(request, [], { outcome: "release" })),
        { result: "released" },
        "release",
      )
      match(await bench.store.reserve(request), { result: "resolved", state: "released" }, "the same reserve, late")
      await expectCell(bench, "a", {})
    },
  ],
  [
    "a settle that failed is sent again and charges once",
    ["down"],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 5, 10)])
      await bench.target.faults!.down!()
      await storeError(() => held.commit([4]), "commit")
      await storeError(() => held.commit([4]), "commit again")
      await bench.target.faults!.up!()
      match(await held.commit([4]), { result: "committed" }, "commit, once the state is back")
      match(await held.commit([4]), { result: "committed", replayed: true }, "and again")
      await expectCell(bench, "a", { spent: 4 })
    },
  ],
  [
    "a mistake is a mistake also while the state cannot be reached",
    ["down"],
    async (bench) => {
      await bench.target.faults!.down!()
      await mistake(() => bench.store.reserve(reserveRequest(bench.root, "r1", [cell("a b", 1)])), "reserve")
      await bench.target.faults!.up!()
    },
  ],
  [
    "a reserve whose answer was lost may have been applied: sent again it is the same one",
    ["loseAnswer"],
    async (bench) => {
      const request = reserveRequest(bench.root, "r1", [cell("a", 5, 5)])
      await bench.target.faults!.loseAnswer!()
      equal((await storeError(() => bench.store.reserve(request), "reserve")).applied, "maybe", "applied")
      match(await bench.store.reserve(request), { result: "ok", replayed: true }, "sent again")
      await expectCell(bench, "a", { reserved: 5 })
    },
  ],
  [
    "a reserve whose answer was lost is given back by a release",
    ["loseAnswer"],
    async (bench) => {
      const request = reserveRequest(bench.root, "r1", [cell("a", 5, 5)])
      await bench.target.faults!.loseAnswer!()
      await storeError(() => bench.store.reserve(request), "reserve")
      match(
        await bench.store.settle(settleRequest(request, [], { outcome: "release" })),
        { result: "released" },
        "release",
      )
      await hold(bench, "r2", [cell("a", 5, 5)])
    },
  ],
  [
    "a settle, a release and an adjustment whose answers were lost apply once",
    ["loseAnswer"],
    async (bench) => {
      const { faults } = bench.target
      const [first, second] = [await hold(bench, "r1", [cell("a", 5)]), await hold(bench, "r2", [cell("a", 5)])]
      await faults!.loseAnswer!()
      equal((await storeError(() => first.commit([4]), "commit")).applied, "maybe", "applied")
      match(await first.commit([4]), { result: "committed", replayed: true }, "commit sent again")
      await faults!.loseAnswer!()
      await storeError(() => second.release(), "release")
      match(await second.release(), { result: "released", replayed: true }, "release sent again")
      await faults!.loseAnswer!()
      await storeError(() => bench.store.adjust(adjustRequest(bench.root, "a1", "a", "spent", 3)), "adjust")
      match(await adjusted(bench, "a1", "a", "spent", 3), { replayed: true, applied: 3 }, "adjust sent again")
      await expectCell(bench, "a", { spent: 7 })
    },
  ],
  [
    "a settle whose answer was lost wrote its entry once",
    ["loseAnswer", "ledger"],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 5)])
      await bench.target.faults!.loseAnswer!()
      await storeError(() => held.commit([4], { entry: usageEntry("q1", 4) }), "commit")
      await held.commit([4], { entry: usageEntry("q1", 4) })
      const entries = await bench.store.ledger!.get({ root: bench.root, requestId: "q1" })
      equal(
        entries.map((entry) => entry.charges),
        [{ a: 4 }],
        "charges",
      )
    },
  ],
  [
    "a damaged cell is reported, never read as zero and never overwritten",
    ["damage"],
    async (bench) => {
      const { store, root } = bench
      await (await hold(bench, "r1", [cell("a", 10, 10), cell("b", 10, 10)])).commit([10, 1])
      const open = await hold(bench, "r2", [cell("b", 1, 10)])
      await bench.target.faults!.damage!({ root, key: "a" })
      for (let round = 0; round < 2; round++) {
        equal((await storeError(() => store.read({ root, keys: ["a"] }), "read")).code, "corrupt", "read")
        const reserve = () => store.reserve(reserveRequest(root, "r3", [cell("b", 5, 10), cell("a", 1, 10)]))
        equal((await storeError(reserve, "reserve")).code, "corrupt", "reserve")
      }
      await expectCell(bench, "b", { spent: 1, reserved: 1 }, "the cell beside it")
      match(await open.commit([2]), { result: "committed" }, "what does not touch it goes on")
    },
  ],
  [
    "a restart loses nothing that was answered",
    ["restart"],
    async (bench) => {
      const committed = await hold(bench, "r1", [cell("a", 10), cell("b", 10)])
      await committed.commit([3, 4])
      const released = await hold(bench, "r2", [cell("a", 10)])
      await released.release()
      const open = await hold(bench, "r3", [cell("a", 10, 20)])
      await adjusted(bench, "g1", "a", "granted", 5)
      const again = await afterRestart(bench)
      await expectCell(again, "a", { spent: 3, reserved: 10, granted: 5 })
      match(
        await again.store.reserve(open.request),
        { result: "ok", replayed: true, expiresAt: open.expiresAt },
        "held",
      )
      match(await again.store.reserve(committed.request), { result: "resolved", state: "committed" }, "committed")
      match(await again.store.reserve(released.request), { result: "resolved", state: "released" }, "released")
      match(await adjusted(again, "g1", "a", "granted", 5), { replayed: true }, "adjusted")
      const settle = settleRequest(open.request, [7], { expiresAt: open.expiresAt })
      const answer = await again.store.settle(settle)
      match(answer, { result: "committed", replayed: false, recovered: false }, "commit after the restart")
      match(answer.cells[0]!, { peakBefore: 3, peak: 10 }, "peaks after the restart")
      await expectCell(again, "a", { spent: 10, granted: 5 })
    },
  ],
  [
    "a restart keeps what an extend moved, which revision is the truth, and the tombstone of an unknown id",
    ["restart"],
    async (bench) => {
      const extended = await hold(bench, "r1", [cell("a", 10)])
      const { store, root } = bench
      const moved = await store.extend({ root, id: "r1", leaseMs: 10 * LEASE_MS })
      const corrected = await hold(bench, "r2", [cell("b", 10)])
      await corrected.commit([3])
      await corrected.commit([5], { revision: 2 })
      const unknown = reserveRequest(root, "r3", [cell("c", 10)])
      await store.settle(settleRequest(unknown, [], { outcome: "release" }))
      await adjusted(bench, "x1", "b", "reset", 0)
      const again = await afterRestart(bench)
      const expiresAt = moved.state === "held" ? moved.expiresAt : undefined
      match(await again.store.reserve(extended.request), { result: "ok", expiresAt }, "the end that extend set")
      const { request } = corrected
      const lower = settleRequest(request, [9], { revision: 1, expiresAt: corrected.expiresAt })
      match(await again.store.settle(lower), { result: "committed", replayed: true }, "a revision below the truth")
      match(await again.store.reserve(unknown), { result: "resolved", state: "released" }, "the late reserve")
      match(await adjusted(again, "x1", "b", "reset", 0), { replayed: true, applied: -5 }, "the reset sent again")
      await expectCell(again, "b", {})
    },
  ],
  [
    "a lease that ran out while the store was closed becomes the entry of its draft",
    ["restart", "clock", "ledger"],
    async (bench) => {
      const {
        tokens: _tokens,
        costNanoUsd: _cost,
        costSource: _source,
        status: _status,
        ...draft
      } = usageEntry("q1", 10)
      await hold(bench, "r1", [cell("a", 10, null, { onExpire: 6 })], { draft })
      const again = await afterRestart(bench)
      await bench.clock.advance(LEASE_MS)
      await again.store.sweep({ root: bench.root, max: 10 })
      const [entry] = await again.store.ledger!.get({ root: bench.root, requestId: "q1" })
      match(entry ?? {}, { id: "r1", status: "expired", userId: draft.userId, charges: { a: 6 } }, "entry")
    },
  ],
  [
    "a lease that ran out while the store was closed is ended afterwards",
    ["restart", "clock"],
    async (bench) => {
      await hold(bench, "r1", [cell("a", 10, null, { onExpire: 6 })])
      const again = await afterRestart(bench)
      await bench.clock.advance(LEASE_MS)
      const { expired } = await again.store.sweep({ root: bench.root, max: 10 })
      equal(
        expired.map((one) => [one.id, one.cells[0]?.charged]),
        [["r1", 6]],
        "expired",
      )
      await expectCell(again, "a", { spent: 6 })
    },
  ],
  [
    "a restart keeps the ledger, its order and its times",
    ["restart", "ledger"],
    async (bench) => {
      for (let index = 0; index < 5; index++) {
        const held = await hold(bench, `r${index}`, [cell("a", 10)])
        await held.commit([index], { entry: usageEntry(`q${index}`, index) })
      }
      const list = (store: BudgetStore) => store.ledger!.list({ root: bench.root, filter: {}, limit: 10 })
      const before = await list(bench.store)
      const again = await afterRestart(bench)
      equal((await list(again.store)).entries, before.entries, "entries")
      ok(before.entries.length === 5, "five entries were there")
    },
  ],
])
