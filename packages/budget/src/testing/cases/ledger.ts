import { nextTurn } from "../../store/batch-queue"
import type { StoredEntry, UsageEntry, UsageFilter } from "../../usage/entry"
import type { CaseContext } from "../case-context"
import { equal, expectReply, match, ok, valuesOf } from "../expect"
import { createRandom } from "../random"
import { counter, DAY_MS, LARGEST, LEASE_MS, pendingEntry, usageEntry } from "../requests"
import { defineCases } from "../store-case"
import { range } from "./concurrency"

/** Charges without the counters that were charged nothing: whether those are listed is the store's choice. */
const chargesOf = ({ charges }: StoredEntry) =>
  Object.fromEntries(Object.entries(charges).filter(([, amount]) => amount !== 0))
const byKey = (a: StoredEntry, b: StoredEntry) => (a.idempotencyKey < b.idempotencyKey ? -1 : 1)
const denied = usageEntry("q1", 0, { status: "denied", errorCode: "budget-exceeded", costSource: "none", tokens: {} })
const team = (value: string) => ({ tags: { team: value } })

/** Entries of settles and releases: each is written in one step with its amounts. */
const settleEntryCases = defineCases({ level: "ledger", rule: "Ledger", needs: ["ledger"] }, (test) => {
  test("settle writes the entry with the money, at the store's time", async (t) => {
    const entry = usageEntry("q1", 7, {
      tags: { team: "search", __proto__x: "y", constructor: "z" },
      modelUsed: "gpt-4o-mini-2024-07-18",
      mode: "json_schema+stream",
      costs: { input: 3, output: 4 },
      tableCostNanoUsd: 6,
      durationMs: 1_234,
      generationId: "gen-1",
      fingerprint: "f",
      prompt: "What?\n\0 {a} \ud83d\ude00 é e\u0301 \ud800",
      answer: "Yes.",
    })
    await t.reserve("r1", [counter("a", 10), counter("b", 10)])
    const { now: at } = await t.settle("r1", [7, 1], { entry })
    const stored = { ...entry, idempotencyKey: "r1", at, revision: 0, state: "settled", charges: { a: 7, b: 1 } }
    equal(await t.attempts("q1"), [stored], "entries")
  })

  test("an unknown request and an empty ledger are empty, not errors", async (t) => {
    for (const found of [await t.attempts("nothing"), await t.entries(), await t.totals(["model"])])
      equal(found, [], "get, list or totals")
    equal(await t.prune(LARGEST), { removed: 0 }, "prune")
  })

  test("a reservation has no entry while it is held, and exactly one once it is resolved", {
    needs: ["clock"],
  }, async (t) => {
    for (const key of ["settled", "released", "expired"]) await t.reserve(key, [counter("a", 10)])
    equal(await t.entries(), [], "entries while they are held")
    await t.settle("settled", [4])
    await t.release("released")
    await t.clock.advance(LEASE_MS)
    await t.expectSwept("expired")
    const found = (await t.entries()).sort(byKey)
    equal(valuesOf(found, "idempotencyKey"), ["expired", "released", "settled"], "keys")
    equal(valuesOf(found, "state"), ["expired", "released", "settled"], "states")
    equal(valuesOf(found, "status"), ["expired", "released", "succeeded"], "statuses")
    equal(found.map(chargesOf), [{ a: 10 }, {}, { a: 4 }], "charges")
    await t.expectSums(["a"])
  })

  test("the attempts of a request come in the order of their numbers, then of time and key", async (t) => {
    for (const attempt of [2, 10, 1, 3]) await t.spend(`r${attempt}`, attempt, { requestId: "q1", attempt })
    await t.spend("r3b", 5, { requestId: "q1", attempt: 3 })
    await t.spend("other", 5)
    equal(valuesOf(await t.attempts("q1"), "idempotencyKey"), ["r1", "r2", "r3", "r3b", "r10"], "attempts")
  })

  test("a replayed settle writes no second entry, a higher revision replaces it", async (t) => {
    await t.spend("r1", 10)
    const [first] = await t.entries()
    await t.settle("r1", [10], { entry: usageEntry("r1", 10, { userId: "replay" }) })
    equal(await t.entries(), [first], "the entry after a replay")
    await t.settle("r1", [4], { revision: 1, entry: usageEntry("r1", 4, { costSource: "provider" }) })
    await t.settle("r1", [10], { entry: usageEntry("r1", 10) })
    const [entry, ...more] = await t.entries()
    equal(more, [], "more entries")
    match(entry!, { at: first!.at, revision: 1, costNanoUsd: 4, costSource: "provider", charges: { a: 4 } }, "entry")
    await t.settle("r1", [4], { revision: 2, entry: usageEntry("r1", 4, { userId: "corrected" }) })
    match((await t.entries())[0]!, { revision: 2, userId: "corrected" }, "entry of revision 2 with the same amounts")
    await t.expectSums(["a"])
  })

  test("a settle that is a mismatch, forgotten or names other counters writes no entry", {
    needs: ["clock"],
  }, async (t) => {
    await t.spend("r1", 10)
    const before = await t.entries()
    await expectReply(t.settle("r1", [3], { entry: usageEntry("r1", 3) }), "mismatch")
    await expectReply(t.release("r1"), "mismatch")
    await expectReply(t.settle("r1", [3], { fingerprint: "other", revision: 1 }), "mismatch")
    await expectReply(t.settle("r1", [], { counters: [], revision: 1 }), "other-counters")
    t.prepare("r2", [counter("a", 5)], t.clock.now() - t.retentionMs - 1_000)
    await expectReply(t.settle("r2", [5]), "forgotten")
    equal(await t.entries(), before, "entries")
    await t.expectSums(["a"])
  })

  test("a settle of a lost key and a release of an unknown one write their entries", async (t) => {
    for (const key of ["settled", "released"]) t.prepare(key, [counter("a", 10)])
    await t.settle("settled", [8])
    await t.release("released")
    const found = (await t.entries()).sort(byKey)
    equal(valuesOf(found, "idempotencyKey"), ["released", "settled"], "keys")
    equal(valuesOf(found, "state"), ["released", "settled"], "states")
    equal(found.map(chargesOf), [{}, { a: 8 }], "charges")
    await t.expectSums(["a"])
  })

  test("counters named like properties of objects are charged like others", async (t) => {
    const names = ["0", "__proto__", "constructor", "length", "toString"]
    const counters = names.map((name) => counter(name, 10))
    await t.charge("r1", counters, [1, 2, 3, 4, 5])
    const charges = Object.entries((await t.entries())[0]!.charges).sort(([a], [b]) => (a < b ? -1 : 1))
    equal(
      charges.flat(),
      names.flatMap((name, index) => [name, index + 1]),
      "charges",
    )
  })

  test("prompt and answer of 64 KiB are kept to the last character", async (t) => {
    const entry = usageEntry("q1", 5, { prompt: `${"p".repeat(65_535)}!`, answer: "\u00e9".repeat(32_768) })
    await t.reserve("r1", [counter("a", 5)])
    await t.settle("r1", [5], { entry })
    const [stored] = await t.entries()
    ok(stored?.prompt === entry.prompt, `prompt: expected 65536 characters, got ${stored?.prompt?.length}`)
    ok(stored?.answer === entry.answer, `answer: expected 32768 characters, got ${stored?.answer?.length}`)
  })

  test("a reply is the caller's: a caller that changes it changes nothing in the store", async (t) => {
    await t.spend("r1", 5, team("x"))
    const before = structuredClone(await t.entries())
    for (const entry of [...(await t.entries()), ...(await t.attempts("r1"))]) {
      Object.assign(entry, { costNanoUsd: 99, model: "changed" })
      for (const part of [entry.tokens, entry.tags!, entry.charges]) Object.assign(part, { team: "changed", a: 99 })
    }
    Object.assign((await t.read("a")).counters[0]!, { spent: 99 })
    equal(await t.entries(), before, "entries")
    await t.expectCounters({ a: { spent: 5 } })
  })
})

/** Entries of leases that end, and of settles after that. */
const expiryEntryCases = defineCases({ level: "ledger", rule: "Ledger", needs: ["ledger", "clock"] }, (test) => {
  test("an expired lease becomes its pending entry, exactly as it is, at the time of the expiry", async (t) => {
    const full = { ...team("x"), fingerprint: "f", reservedNanoUsd: 10, mode: "text" }
    const pending = [pendingEntry("q1", 6, full), pendingEntry("q2", 0, { costSource: "none" }), pendingEntry("q3", 1)]
    const counters = [[counter("a", 10, null, { onExpire: 6 })], [counter("a", 10, null, { onExpire: 0 })], []]
    for (const [index, pendingEntry] of pending.entries())
      await t.reserve(`r${index}`, counters[index]!, { pendingEntry })
    await t.clock.advance(LEASE_MS + 1_234)
    await t.sweep()
    const expected = pending.map((entry, index) => ({
      ...entry,
      idempotencyKey: `r${index}`,
      at: t.clock.now(),
      revision: 0,
      state: "expired",
      charges: index === 0 ? { a: 6 } : {},
    }))
    const found = (await t.entries()).map((entry) => ({ ...entry, charges: chargesOf(entry) }))
    equal(found, expected, "entries")
    await t.expectSums(["a"])
  })

  test("a late settle overwrites the expired entry and keeps its time; a late release takes the charge back", async (t) => {
    for (const key of ["r1", "r2"]) await t.reserve(key, [counter("a", 10, null, { onExpire: 6 })])
    await t.clock.advance(LEASE_MS)
    await t.sweep()
    const { at } = (await t.entries())[0]!
    await t.clock.advance(5_000)
    await t.settle("r1", [3], { entry: usageEntry("r1", 3) })
    await t.release("r2")
    const [first, second, ...more] = await t.entries()
    equal(more, [], "more entries")
    match(first!, { state: "settled", status: "succeeded", costNanoUsd: 3, charges: { a: 3 }, at }, "late settle")
    match(second!, { state: "released", status: "released", costNanoUsd: 0, at }, "late release")
    equal((await t.entries({ status: "expired" })).length, 0, "entries of the old status")
    equal((await t.entries({ status: "succeeded" })).length, 1, "entries of the new status")
    await t.expectCounters({ a: { spent: 3 } })
    await t.expectSums(["a"])
  })

  test("after a retry across midnight the entry names the counters that were charged", async (t) => {
    const now = t.clock.now()
    await t.reserve("r1", [counter("day.1", 5, 10, { startsAt: now - 1_000, endsAt: now + 1_000 })])
    await t.clock.advance(1_000)
    const tomorrow = counter("day.2", 5, 10, { startsAt: now + 1_000, endsAt: now + 3_000 })
    await t.store.reserve({ ...t.requestOf("r1"), counters: [tomorrow] })
    await t.settle("r1", [4])
    equal((await t.entries()).map(chargesOf), [{ "day.1": 4 }], "charges")
    await t.expectSums(["day.1", "day.2"])
  })

  test("a later settle replaces the whole entry: nothing of the one before is kept or found", async (t) => {
    const first = { model: "m1", provider: "p1", userId: "u1", tags: { team: "x", old: "1" }, fingerprint: "f" }
    const second = {
      model: "m2",
      provider: "p2",
      userId: "u2",
      ...team("y"),
      status: "failed",
      errorCode: "e",
    } as const
    const third = { model: "m3", provider: "p3", userId: "u3", ...team("z"), clientId: "c3" }
    let before: UsageEntry = pendingEntry("q1", 10, first)
    await t.reserve("r1", [counter("a", 10)], { pendingEntry: before })
    await t.clock.advance(LEASE_MS)
    await t.sweep()
    const at = t.clock.now()
    for (const [revision, entry] of [usageEntry("q1", 3, second), usageEntry("q1", 5, third)].entries()) {
      await t.clock.advance(1_000)
      await t.settle("r1", [entry.costNanoUsd], { revision, entry })
      const stored = { idempotencyKey: "r1", at, revision, state: "settled", charges: { a: entry.costNanoUsd } }
      equal(await t.entries(), [{ ...entry, ...stored }], `the entry of revision ${revision}`)
      await expectFoundBy(t, entry, 1)
      await expectFoundBy(t, before, 0)
      before = entry
    }
    await t.expectSums(["a"])
  })
})

/** Every filter by a value of this entry finds this many entries, in pages and in totals. */
async function expectFoundBy(
  t: CaseContext,
  { model, provider, userId, tags }: UsageEntry,
  count: number,
): Promise<void> {
  const tag = { name: "team", value: tags!.team! }
  for (const filter of [{ model }, { provider }, { userId }, { tag }] satisfies UsageFilter[]) {
    const found = [(await t.entries(filter)).length, (await t.totals([], filter))[0]?.attempts ?? 0]
    equal(found, [count, count], `entries, and attempts in totals, of ${JSON.stringify(filter)}`)
  }
  const groups = valuesOf(await t.totals(["model", { tag: "team" }]), "group")
  equal(groups.filter(([value]) => value === model).length, count, `groups of the model ${model}`)
}

/** Entries without money. */
const recordCases = defineCases({ level: "ledger", rule: "Ledger", needs: ["ledger"] }, (test) => {
  test("record writes an entry without money, and adds to its count when repeated", async (t) => {
    const { now } = await t.record("x1", denied)
    const [first] = await t.entries()
    const stored = { idempotencyKey: "x1", at: now, revision: 0, state: "recorded", charges: {}, count: first?.count }
    equal(first, { ...denied, ...stored }, "entry")
    ok(first?.count === undefined || first.count === 1, `count: expected 1 or undefined, got ${first?.count}`)
    await t.record("x1", { ...denied, errorCode: "other" })
    await t.record("x1", { ...denied, count: 5 })
    const [repeated, ...more] = await t.entries()
    equal(more, [], "more entries")
    match(
      repeated!,
      { errorCode: "budget-exceeded", count: 7, at: now, state: "recorded" },
      "entry after three records",
    )
    await t.record("x2", { ...denied, requestId: "q2", count: 3 })
    match((await t.entries({ requestId: "q2" }))[0]!, { count: 3 }, "an entry that is recorded with a count")
  })

  test("records of one key from many callers at once are one entry with their count", async (t) => {
    await Promise.all(range(30).map(() => t.record("x1", denied)))
    equal(valuesOf(await t.entries(), "count"), [30], "counts")
  })

  test("record does nothing to a reservation's entry, and a settle overwrites a recorded one", async (t) => {
    await t.spend("r1", 5)
    const before = await t.entries()
    await t.record("r1", denied)
    equal(await t.entries(), before, "the entry of a settled key after a record")
    await t.record("r2", denied)
    await t.spend("r2", 7, { requestId: "q1" })
    const [entry, ...more] = await t.entries({ requestId: "q1" })
    equal(more, [], "more entries of the request")
    const overwritten = {
      idempotencyKey: "r2",
      state: "settled",
      status: "succeeded",
      charges: { a: 7 },
      count: undefined,
    }
    match(entry!, overwritten, "entry")
    await t.expectSums(["a"])
  })

  test("audit entries are listed, and totals omit them", async (t) => {
    await t.record("x1", { ...denied, status: "audit", errorCode: "accept-clock" })
    await t.spend("r1", 5)
    equal(valuesOf(await t.entries({ status: "audit" }), "idempotencyKey"), ["x1"], "list")
    match((await t.totals())[0]!, { attempts: 1, requests: 1, costNanoUsd: 5 }, "totals")
    equal(valuesOf(await t.totals(["status"]), "group"), [["succeeded"]], "groups")
  })
})

/** Counters and entries agree at every moment, and deleting entries changes no counter. */
const sumCases = defineCases({ level: "ledger", rule: "Ledger", needs: ["ledger"] }, (test) => {
  test("money and entry are one step: a reader never sees one without the other", {
    rule: "transaction",
  }, async (t) => {
    const spentIn = async () => (await t.read("a")).counters[0]!.spent
    let working = 8
    const work = range(working).map(async (lane) => {
      for (const round of range(8)) await t.spend(`r${lane}.${round}`, 1 + round)
      working--
    })
    const done = Promise.all(work)
    for (let round = 1; working > 0; round++) {
      // Rarely, so that these reads fall between the steps of a store in memory, and a store that starves timers fails.
      if (round % 50 === 0) await nextTurn()
      const before = await spentIn()
      const listed = (await t.entries()).reduce((sum, { charges }) => sum + (charges.a ?? 0), 0)
      ok(listed >= before, `spent ${before} was read, and then entries of ${listed}: money without its entry`)
      const after = await spentIn()
      ok(after >= listed, `entries of ${listed} were listed, and then spent ${after}: an entry without its money`)
    }
    await done
    await t.expectSums(["a"])
  })

  test("several concurrent writers: every entry is there, and the sums agree", async (t) => {
    const writers = range(8).map(async (writer) => {
      for (const index of range(25)) {
        await t.spend(`w${writer}.${index}`, writer + index, { userId: `u${writer}` }, `c.${index % 3}`)
        if (index % 5 === 0) await t.entries({ userId: `u${writer}` }, 10)
      }
    })
    await Promise.all(writers)
    equal([(await t.entries()).length, (await t.totals(["userId"])).length], [200, 8], "entries and users")
    await t.expectSums(["c.0", "c.1", "c.2"])
  })

  test("for every counter, spent is the sum of its entries' charges plus adjustments, after every operation", {
    needs: ["clock"],
  }, async (t) => {
    const random = createRandom(t.seed)
    const names = ["a", "b", "c"]
    const adjustments: Record<string, number> = {}
    for (const step of range(120)) {
      const amount = random.integer(0, 50)
      const some = random.shuffle(names).slice(0, random.integer(1, 3))
      const counters = some.map((name) => counter(name, amount, null, { onExpire: random.integer(0, amount) }))
      await t.reserve(`r${step}`, counters, { leaseMs: random.integer(1, 5_000) })
      const key = `r${random.integer(0, step)}`
      const amounts = names.map(() => random.integer(0, 80))
      if (random.chance(0.5)) await t.settle(key, amounts, { revision: random.integer(0, 3) })
      else if (random.chance(0.4)) await t.release(key)
      if (random.chance(0.2)) await t.clock.advance(random.integer(1, 4_000))
      if (random.chance(0.3)) await t.sweep()
      if (random.chance(0.2)) {
        const name = random.pick(names)
        const kind = random.pick(["spent", "spent", "reset"] as const)
        const { applied } = await t.adjust(`a${step}`, name, kind, kind === "reset" ? 0 : random.integer(-20, 20))
        adjustments[name] = (adjustments[name] ?? 0) + applied
      }
      await t.expectSums(names, adjustments)
    }
    await t.clock.advance(10_000)
    await t.sweep()
    await t.expectSums(names, adjustments)
  })

  test("prune removes older entries, and changes no counter", {
    needs: ["clock"],
    rule: "entries, keys, prune",
  }, async (t) => {
    const start = t.clock.now()
    for (const index of range(6)) {
      await t.spend(`r${index}`, 10, team(`t${index % 2}`))
      await t.clock.advance(1_000)
    }
    equal(await t.prune(start + 3_000), { removed: 3 }, "prune")
    equal(valuesOf(await t.entries(), "idempotencyKey"), ["r3", "r4", "r5"], "entries")
    equal(await t.attempts("r1"), [], "get of a pruned request")
    for (const by of ["userId", "status"] as const) equal((await t.totals([by]))[0]?.costNanoUsd, 30, `totals by ${by}`)
    const [bucket] = await t.totals(["bucket"], {}, [start, start + 10_000])
    equal(bucket?.costNanoUsd, 30, "totals of a time that the prune cuts through")
    equal(valuesOf(await t.totals([{ tag: "team" }]), "costNanoUsd").sort(), [10, 20], "totals by tag")
    equal((await t.entries({ tag: { name: "team", value: "t0" } })).length, 1, "entries of one tag")
    equal(await t.prune(start + 3_000), { removed: 0 }, "prune again")
    await t.expectCounters({ a: { spent: 60 } })
  })

  test("the ledger's retention removes entries by itself", { needs: ["clock", "ledgerRetention"] }, async (t) => {
    await t.spend("old", 1)
    await t.clock.advance(t.target.ledgerRetentionMs! - 1_000)
    equal((await t.entries()).length, 1, "shortly before its end")
    await t.spend("new", 2)
    await t.clock.advance(2_000)
    equal(valuesOf(await t.entries(), "idempotencyKey"), ["new"], "shortly after its end")
    equal(await t.attempts("old"), [], "get")
    match((await t.totals())[0]!, { attempts: 1, costNanoUsd: 2 }, "totals")
    await t.expectCounters({ a: { spent: 3 } })
    await t.clock.advance(30 * DAY_MS)
    await t.expectCounters({ a: { spent: 3 } }, "counters, a month later")
  })

  test("each partition has its own ledger", { rule: "entries, keys, prune" }, async (t) => {
    const [other, longer] = [t.inPartition("other"), t.inPartition("otherlonger")]
    for (const [index, one] of [t, other, longer].entries()) await one.spend("r1", index + 1)
    const expectCost = async (one: CaseContext, cost: number[]) => {
      for (const found of [await one.entries(), await one.attempts("r1"), await one.totals()])
        equal(valuesOf<{ costNanoUsd: number }, "costNanoUsd">(found, "costNanoUsd"), cost, `cost in ${one.partition}`)
    }
    await expectCost(t, [1])
    await expectCost(other, [2])
    await other.prune(LARGEST)
    await expectCost(other, [])
    await expectCost(t, [1])
    await expectCost(longer, [3])
  })
})

export const ledgerCases = [...settleEntryCases, ...expiryEntryCases, ...recordCases, ...sumCases]
