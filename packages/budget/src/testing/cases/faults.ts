import type { CaseContext } from "../case-context"
import { equal, expectReply, match, outcomeOf, storeError, valuesOf } from "../expect"
import { counter, DAY_MS, LEASE_MS, pendingEntry, usageEntry } from "../requests"
import { defineCases } from "../store-case"

type Call = (t: CaseContext) => Promise<unknown>

/** Every member, as a call that gets a reply while the state can be reached. */
function everyMember({ store, partition }: CaseContext): Record<string, Call> {
  const { ledger } = store
  return {
    reserve: (t) => t.tryReserve("fault", [counter("a", 5, 10), counter("b", 5, 10)]),
    settle: (t) => t.settle("open", [3]),
    extend: (t) => t.extend("open", 1_000),
    expire: (t) => t.expire("open"),
    listDue: (t) => t.due(),
    read: (t) => t.read("a"),
    adjust: (t) => t.tryAdjust("fault", "a", "spent", 3),
    listCounters: () => store.listCounters({ partition, cursor: null, limit: 10 }),
    acceptClock: () => store.acceptClock({ partition }),
    ...(ledger && {
      "ledger.record": (t) => t.record("fault", usageEntry("q", 0, { status: "denied" })),
      "ledger.get": (t) => t.attempts("q"),
      "ledger.list": (t) => t.entries(),
      "ledger.totals": (t) => t.totals(),
      "ledger.prune": (t) => t.prune(0),
    }),
  }
}

/** The connection between the caller and the state breaks. */
const connectionCases = defineCases({ level: "faults", rule: "Errors", needs: ["down"] }, (test) => {
  test("every member rejects with store-unavailable while the state cannot be reached", async (t) => {
    await t.reserve("open", [counter("a", 1)])
    await t.faults.down()
    for (const [name, call] of Object.entries(everyMember(t)))
      await storeError(() => call(t), { code: "store-unavailable" }, name)
    await t.faults.up()
    await t.expectCounters({ a: { reserved: 1 } }, "counters, once the state can be reached")
  })

  test("a reserve that failed with applied no was not applied, and a release settles either way", async (t) => {
    t.prepare("r1", [counter("a", 5, 10)])
    await t.faults.down()
    const { applied } = await storeError(() => t.tryReserve("r1"), {}, "reserve")
    await t.faults.up()
    if (applied === "no") await t.expectCounters({ a: {} })
    await expectReply(t.release("r1"), "released")
    await expectReply(t.tryReserve("r1"), "resolved: released")
    await t.expectCounters({ a: {} })
  })

  test("a settle that failed is sent again and charges once", async (t) => {
    await t.reserve("r1", [counter("a", 5, 10)])
    await t.faults.down()
    for (const copy of [1, 2]) await storeError(() => t.settle("r1", [4]), {}, `settle ${copy}`)
    await t.faults.up()
    await t.settle("r1", [4])
    await expectReply(t.settle("r1", [4]), "settled, replayed")
    await t.expectCounters({ a: { spent: 4 } })
  })
})

const reserved: Call = (t) => t.reserve("r1", [counter("a", 5, 5, { onExpire: 2 })])
const settled: Call = async (t) => {
  await reserved(t)
  await t.settle("r1", [4])
}
const leaseEnded: Call = async (t) => {
  await reserved(t)
  await t.clock.advance(LEASE_MS)
}
const expired: Call = async (t) => {
  await leaseEnded(t)
  await t.expire("r1")
}
const nothing: Call = async (t) => t.prepare("r1", [counter("a", 5, 5)])

/** Every call that writes, whose reply is lost or which the network delivers twice. */
const repeatedCases = defineCases({ level: "faults", rule: "Errors" }, (test) => {
  /** `outcomes`: of the first call and of the second. `after`: counter a after both; `adjusted`: the part of it that no entry has. */
  const row = (
    name: string,
    before: Call,
    call: (t: CaseContext) => Promise<{ status: string }>,
    outcomes: readonly [string, string],
    after: { spent?: number; reserved?: number; granted?: number },
    adjusted = 0,
  ) => {
    const clock = before === leaseEnded || before === expired ? (["clock"] as const) : []
    const expectApplied = async (t: CaseContext) => {
      await t.expectCounters({ a: after })
      if (t.store.ledger !== undefined) await t.expectSums(["a"], { a: adjusted })
    }
    const title = `${name} whose reply is lost is applied once: sent again it gets ${outcomes[1]}`
    test(title, { needs: ["loseAnswer", ...clock] }, async (t) => {
      await before(t)
      await t.faults.loseAnswer()
      await storeError(() => call(t), { applied: "maybe" }, name)
      await expectReply(call(t), outcomes[1])
      await expectApplied(t)
    })
    test(`${name} delivered twice at once is applied once`, { needs: clock }, async (t) => {
      await before(t)
      const replies = await Promise.all([call(t), call(t)])
      equal(replies.map(outcomeOf).sort(), [...outcomes].sort(), "outcomes")
      await expectApplied(t)
    })
  }

  const settle = (t: CaseContext) => t.settle("r1", [4])
  const adjusts = ["ok", "ok, replayed"] as const
  row("a reserve", nothing, (t) => t.tryReserve("r1"), adjusts, { reserved: 5 })
  row("a settle", reserved, settle, ["settled", "settled, replayed"], { spent: 4 })
  row("a settle of a lost key", nothing, settle, ["settled, recovered", "settled, replayed"], { spent: 4 })
  row("a late settle", expired, settle, ["settled, late", "settled, replayed"], { spent: 4 })
  const revise = (t: CaseContext) => t.settle("r1", [3], { revision: 1 })
  row("a settle of a higher revision", settled, revise, ["settled", "settled, replayed"], { spent: 3 })
  row("a release", reserved, (t) => t.release("r1"), ["released", "released, replayed"], {})
  row("a late release", expired, (t) => t.release("r1"), ["released, late", "released, replayed"], {})
  row("an extend", reserved, (t) => t.extend("r1", 2 * LEASE_MS), ["held", "held"], { reserved: 5 })
  row("an expire", leaseEnded, (t) => t.expire("r1"), ["expired", "not-due"], { spent: 2 })
  row("a correction", settled, (t) => t.tryAdjust("a1", "a", "spent", 3), adjusts, { spent: 7 }, 3)
  row("a grant", settled, (t) => t.tryAdjust("a1", "a", "granted", 3), adjusts, { spent: 4, granted: 3 })
  row("a reset", settled, (t) => t.tryAdjust("a1", "a", "reset", 0), adjusts, {}, -4)

  test("a reserve whose reply is lost is freed by a release", { needs: ["loseAnswer"] }, async (t) => {
    t.prepare("r1", [counter("a", 5, 5)])
    await t.faults.loseAnswer()
    await storeError(() => t.tryReserve("r1"), {}, "reserve")
    await expectReply(t.release("r1"), "released")
    await t.reserve("r2", [counter("a", 5, 5)])
  })

  test("a record sent again after a lost reply is counted twice", {
    needs: ["loseAnswer", "ledger"],
  }, async (t) => {
    const record = () => t.record("x1", usageEntry("q1", 0, { status: "denied", costSource: "none" }))
    await t.faults.loseAnswer()
    await storeError(record, { applied: "maybe" }, "record")
    await record()
    equal(valuesOf(await t.entries(), "count"), [2], "count")
  })
})

/** The store is closed and opened again on the same state. */
const restartCases = defineCases({ level: "faults", rule: "Errors", needs: ["restart"] }, (test) => {
  test("a restart loses nothing that was confirmed", async (t) => {
    await t.charge("settled", [counter("a", 10), counter("b", 10)], [3, 4])
    await t.reserve("released", [counter("a", 10)])
    await t.release("released")
    const { expiresAt } = await t.reserve("held", [counter("a", 10, 20)])
    await t.adjust("g1", "a", "granted", 5)
    const again = await t.restart()
    await again.expectCounters({ a: { spent: 3, reserved: 10, granted: 5 } })
    await expectReply(again.tryReserve("held"), "ok, replayed", { expiresAt })
    await expectReply(again.tryReserve("settled"), "resolved: settled")
    await expectReply(again.tryReserve("released"), "resolved: released")
    await expectReply(again.tryAdjust("g1", "a", "granted", 5), "ok, replayed")
    await expectReply(again.settle("held", [7]), "settled", { counter: { peakBefore: 3, peak: 10 } })
    await again.expectCounters({ a: { spent: 10, granted: 5 } })
  })

  test("a restart keeps extended leases, revisions, releases of unknown keys and resets", async (t) => {
    await t.reserve("r1", [counter("a", 10)])
    const moved = await t.extend("r1", 10 * LEASE_MS)
    await t.charge("r2", [counter("b", 10)], [3])
    await t.settle("r2", [5], { revision: 2 })
    t.prepare("r3", [counter("c", 10)])
    await t.release("r3")
    await t.adjust("x1", "b", "reset", 0)
    const again = await t.restart()
    const expiresAt = moved.status === "held" ? moved.expiresAt : null
    await expectReply(again.tryReserve("r1"), "ok, replayed", { expiresAt })
    await expectReply(again.settle("r2", [9], { revision: 1 }), "mismatch")
    await expectReply(again.settle("r2", [5], { revision: 2 }), "settled, replayed")
    await expectReply(again.tryReserve("r3"), "resolved: released")
    await expectReply(again.tryAdjust("x1", "b", "reset", 0), "ok, replayed", { applied: -5 })
    await again.expectCounters({ b: {} })
  })

  test("a lease that ended while the store was closed is expired afterwards", { needs: ["clock"] }, async (t) => {
    await t.reserve("r1", [counter("a", 10, null, { onExpire: 6 })])
    const again = await t.restart()
    await t.clock.advance(LEASE_MS)
    await again.expectSwept("r1")
    await again.expectCounters({ a: { spent: 6 } })
  })

  test("a lease that ended while the store was closed becomes its pending entry", {
    needs: ["clock", "ledger"],
  }, async (t) => {
    const pending = pendingEntry("q1", 6, { reservedNanoUsd: 10, tags: { team: "x" } })
    await t.reserve("r1", [counter("a", 10, null, { onExpire: 6 })], { pendingEntry: pending })
    const again = await t.restart()
    await t.clock.advance(LEASE_MS)
    await again.sweep()
    const [entry] = await again.entries()
    match(entry ?? {}, { ...pending, idempotencyKey: "r1", state: "expired", charges: { a: 6 } }, "entry")
  })

  test("a restart keeps the ledger, its order and its times", { needs: ["ledger"] }, async (t) => {
    for (let index = 0; index < 5; index++) await t.spend(`r${index}`, index)
    const before = await t.entries()
    equal(before.length, 5, "entries before the restart")
    equal(await (await t.restart()).entries(), before, "entries after the restart")
  })

  test("a restart keeps the partition's latest time", { needs: ["clock"], rule: "Time" }, async (t) => {
    await t.clock.advance(DAY_MS)
    await t.reserve("r1", [counter("a", 1)])
    const latest = t.clock.now()
    await t.clock.advance(-DAY_MS)
    equal(await (await t.restart()).now(), latest, "now after the restart, with the clock a day behind")
  })
})

export const faultCases = [...connectionCases, ...repeatedCases, ...restartCases]

/** Records that cannot be read. */
export const damageCases = defineCases({ level: "faults", rule: "Damage", needs: ["damage"] }, (test) => {
  const corrupt = (call: () => Promise<unknown>, what: string) =>
    storeError(call, { code: "store-corrupt", applied: "no" }, what)
  const damagedKeys = async ({ store, partition }: CaseContext) => (await store.check({ partition })).damaged

  test("a damaged counter is reported, never read as zero and never overwritten", async (t) => {
    await t.charge("r1", [counter("a", 10, 10), counter("b", 10, 10)], [10, 1])
    await t.reserve("r2", [counter("a", 0), counter("b", 2, 10)])
    await t.reserve("r3", [counter("b", 1, 10)])
    await t.damage("counter", "a")
    for (const round of [1, 2]) {
      await corrupt(() => t.read("b", "a"), `read ${round}`)
      await corrupt(() => t.tryReserve("r4", [counter("b", 5, 10), counter("a", 1, 10)]), `reserve ${round}`)
      await corrupt(() => t.settle("r2", [0, 2]), `settle ${round}`)
      await corrupt(() => t.tryAdjust("a1", "a", "reset", 0), `adjust ${round}`)
    }
    await t.expectCounters({ b: { spent: 1, reserved: 3 } }, "the counter beside it")
    await expectReply(t.extend("r2", 1), "held")
    await expectReply(t.settle("r3", [2]), "settled")
    const page = await t.store.listCounters({ partition: t.partition, cursor: null, limit: 100 })
    equal([valuesOf(page.counters, "name"), page.damaged], [["b"], ["a"]], "counters that are listed")
  })

  test("a damaged counter fails only the callers that need it, also of calls that are sent together", async (t) => {
    await t.reserve("r0", [counter("bad", 1), counter("good", 1)])
    await t.damage("counter", "bad")
    const name = (index: number) => (index % 4 === 0 ? "bad" : "good")
    const calls = Array.from({ length: 20 }, (_, index) => t.tryReserve(`r${index + 1}`, [counter(name(index), 1)]))
    for (const [index, result] of (await Promise.allSettled(calls)).entries()) {
      const outcome = result.status === "rejected" ? result.reason.code : result.value.status
      equal(outcome, name(index) === "bad" ? "store-corrupt" : "ok", `reserve ${index} of ${name(index)}`)
    }
    await t.expectCounters({ good: { reserved: 16 } })
  })

  for (const outcome of ["settled", "released"] as const) {
    test(`a key whose record is damaged is not reserved again, and a settle frees the request's amounts (${outcome})`, async (t) => {
      await t.reserve("other", [counter("a", 4)])
      await t.reserve("r1", [counter("a", 10), counter("b", 20)])
      await t.damage("reservation", "r1")
      await corrupt(() => t.tryReserve("r1"), "reserve of the damaged key")
      const settle = () => t.settle("r1", [3, 7], { outcome })
      match(await settle(), { status: outcome, replayed: false, recovered: true, late: false }, outcome)
      const spent = outcome === "settled" ? { a: 3, b: 7 } : { a: 0, b: 0 }
      await t.expectCounters({ a: { spent: spent.a, reserved: 4 }, b: { spent: spent.b } })
      await expectReply(settle(), `${outcome}, replayed`)
      await expectReply(t.tryReserve("r1"), `resolved: ${outcome}`)
      if (t.store.ledger === undefined) return
      const found = (await t.entries()).map(({ idempotencyKey, state }) => `${idempotencyKey} ${state}`)
      equal(found, [`r1 ${outcome}`], "entries")
      await t.expectSums(["a", "b"])
    })
  }

  test("sixty-five damaged leases do not block the good one behind them", { needs: ["clock"] }, async (t) => {
    const damaged = Array.from({ length: 65 }, (_, index) => `bad.${index}`)
    for (const key of damaged) {
      await t.reserve(key, [counter("a", 1)], { leaseMs: 1_000 })
      await t.damage("reservation", key)
    }
    await t.reserve("good", [counter("a", 10, null, { onExpire: 5 })], { leaseMs: 2_000 })
    await t.clock.advance(2_000)
    const { due } = await t.store.listDue({ partition: t.partition, limit: 64 })
    for (const { key, counters } of due) equal(counters, [], `counters of ${key}, which is damaged`)
    await t.expectSwept("good")
    equal([await t.due(), (await t.read()).due], [[], false], "due afterwards")
    await t.expectCounters({ a: { spent: 5, reserved: 65 } })
    equal([...((await damagedKeys(t)) ?? [])].sort(), damaged.sort(), "damaged keys that check reports")
  })

  test("a lease that is set aside keeps its money reserved until it is settled", { needs: ["clock"] }, async (t) => {
    await t.reserve("r1", [counter("a", 10)])
    await t.damage("reservation", "r1")
    await t.clock.advance(LEASE_MS)
    await expectReply(t.expire("r1", []), "damaged")
    equal((await t.read()).due, false, "due")
    await t.expectCounters({ a: { reserved: 10 } })
    equal(await damagedKeys(t), ["r1"], "damaged keys that check reports")
    await corrupt(() => t.tryReserve("r1"), "reserve")
    await expectReply(t.settle("r1", [4]), "settled, recovered")
    await t.expectCounters({ a: { spent: 4 } })
    equal(await damagedKeys(t), [], "damaged keys that check reports after the settle")
    await expectReply(t.expire("r1", []), "not-due")
  })

  test("a lease whose counter is damaged is set aside, and the others end", { needs: ["clock"] }, async (t) => {
    await t.reserve("r1", [counter("bad", 1), counter("a", 1)], { leaseMs: 1_000 })
    await t.reserve("r2", [counter("a", 10, null, { onExpire: 3 })], { leaseMs: 2_000 })
    await t.damage("counter", "bad")
    await t.clock.advance(2_000)
    await expectReply(t.expire("r1"), "damaged")
    await t.expectSwept("r2")
    await t.expectCounters({ a: { spent: 3, reserved: 1 } })
    equal(await damagedKeys(t), ["r1"], "damaged keys that check reports")
  })

  test("damage in one partition does not reach another", async (t) => {
    const other = t.inPartition("other")
    for (const one of [t, other]) await one.reserve("r1", [counter("a", 5)])
    await t.damage("counter", "a")
    await t.damage("reservation", "r1")
    await other.expectCounters({ a: { reserved: 5 } })
    await expectReply(other.tryReserve("r1"), "ok, replayed")
    equal(await damagedKeys(other), [], "damaged keys that check reports")
  })
})
