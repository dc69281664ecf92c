import { nextTurn } from "../../store/next-turn"
import type { StoredEntry, UsageEntry, UsageFilter } from "../../usage/entry"
import type { Bench, TestReservation } from "../bench"
import { equal, match, ok, valuesOf } from "../expect"
import { createRandom } from "../random"
import {
  counter,
  DAY_MS,
  LARGEST,
  LEASE_MS,
  pendingEntry,
  reserveRequest,
  settleRequest,
  usageEntry,
} from "../requests"
import { defineCases } from "../store-case"

/** Charges without the counters that were charged nothing: whether those are listed is the store's choice. */
const chargesOf = ({ charges }: StoredEntry) =>
  Object.fromEntries(Object.entries(charges).filter(([, amount]) => amount !== 0))

/** Writing entries: each is one step with its money. */
export const ledgerCases = defineCases({ level: "ledger", rule: "Ledger", needs: ["ledger"] }, (test) => {
  test("settle writes the entry with the money, at the store's time", async (bench) => {
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
      answer: "That.",
    })
    const reservation = await bench.reserve("r1", [counter("a", 10), counter("b", 10)])
    const reply = await reservation.settle([7, 1], { entry })
    const facts = { idempotencyKey: "r1", at: reply.now, revision: 0, state: "settled", charges: { a: 7, b: 1 } }
    equal(await bench.ledger.get({ partition: bench.partition, requestId: "q1" }), [{ ...entry, ...facts }], "entries")
  })

  test("an unknown request and an empty ledger are empty, not errors", async (bench) => {
    equal(await bench.ledger.get({ partition: bench.partition, requestId: "nothing" }), [], "get")
    equal(await bench.entries(), [], "list")
    equal(await bench.totals(["model"]), [], "totals by model")
    equal(await bench.ledger.prune({ partition: bench.partition, before: LARGEST }), { removed: 0 }, "prune")
  })

  test("a reservation has no entry while it is held, and exactly one once it is resolved", {
    needs: ["clock"],
  }, async (bench) => {
    const open: TestReservation[] = []
    for (const key of ["settled", "released", "expired"]) open.push(await bench.reserve(key, [counter("a", 10)]))
    equal(await bench.entries(), [], "entries while they are held")
    await open[0]!.settle([4])
    await open[1]!.release()
    await bench.clock.advance(LEASE_MS)
    await bench.sweep()
    const entries = await bench.entries()
    const found = entries.map((entry) => [entry.idempotencyKey, entry.state, entry.status, chargesOf(entry)])
    const expected = [
      ["expired", "expired", "expired", { a: 10 }],
      ["released", "released", "released", {}],
      ["settled", "settled", "succeeded", { a: 4 }],
    ]
    equal(
      found.sort((a, b) => (a[0]! < b[0]! ? -1 : 1)),
      expected,
      "entries",
    )
    await bench.expectSums(["a"])
  })

  test("the attempts of a request come in the order of their numbers, then of time and key", async (bench) => {
    for (const attempt of [2, 10, 1, 3]) await bench.spend(`r${attempt}`, attempt, { requestId: "q1", attempt })
    await bench.spend("r3b", 5, { requestId: "q1", attempt: 3 })
    await bench.spend("other", 5)
    const attempts = await bench.ledger.get({ partition: bench.partition, requestId: "q1" })
    equal(valuesOf(attempts, "idempotencyKey"), ["r1", "r2", "r3", "r3b", "r10"], "attempts")
  })

  test("a replayed settle writes no second entry, a higher revision replaces it", async (bench) => {
    const reservation = await bench.spend("r1", 10)
    const [first] = await bench.entries()
    await reservation.settle([10], { entry: usageEntry("r1", 10, { userId: "replay" }) })
    equal(await bench.entries(), [first], "the entry after a replay")
    await reservation.settle([4], { revision: 1, entry: usageEntry("r1", 4, { costSource: "provider" }) })
    await reservation.settle([10], { entry: usageEntry("r1", 10) })
    const entries = await bench.entries()
    equal(entries.length, 1, "entries")
    const expected = { at: first!.at, revision: 1, costNanoUsd: 4, costSource: "provider", charges: { a: 4 } }
    match(entries[0]!, expected, "entry")
    await reservation.settle([4], { revision: 2, entry: usageEntry("r1", 4, { userId: "corrected" }) })
    match(
      (await bench.entries())[0]!,
      { revision: 2, userId: "corrected" },
      "entry of a revision with the same amounts",
    )
    await bench.expectSums(["a"])
  })

  test("what is a mismatch, forgotten or names other counters writes no entry", { needs: ["clock"] }, async (bench) => {
    const { store, partition } = bench
    const reservation = await bench.spend("r1", 10)
    const before = await bench.entries()
    await reservation.settle([3], { entry: usageEntry("r1", 3) })
    await reservation.release()
    await reservation.settle([3], { fingerprint: "other", revision: 1 })
    const elsewhere = reserveRequest(partition, "r1", [counter("b", 10)], {
      fingerprint: reservation.request.fingerprint,
    })
    match(
      await store.settle(settleRequest(elsewhere, [3], { revision: 1 })),
      { status: "other-counters" },
      "other counters",
    )
    const longAgo = bench.clock.now() - store.capabilities.retentionMs - 1_000
    const forgotten = settleRequest(reserveRequest(partition, "r2", [counter("a", 5)]), [5], { expiresAt: longAgo })
    match(await store.settle(forgotten), { status: "forgotten" }, "a key whose lease ended before the retention")
    equal(await bench.entries(), before, "entries")
    await bench.expectSums(["a"])
  })

  test("a settle of a lost key and a release of an unknown one write their entries", async (bench) => {
    const lost = reserveRequest(bench.partition, "lost", [counter("a", 10)])
    await bench.store.settle(settleRequest(lost, [8]))
    const unknown = reserveRequest(bench.partition, "unknown", [counter("a", 10)])
    await bench.store.settle(settleRequest(unknown, [], { outcome: "released" }))
    const entries = (await bench.entries()).sort((a, b) => (a.idempotencyKey < b.idempotencyKey ? -1 : 1))
    const found = entries.map((entry) => [entry.idempotencyKey, entry.state, chargesOf(entry)])
    equal(
      found,
      [
        ["lost", "settled", { a: 8 }],
        ["unknown", "released", {}],
      ],
      "entries",
    )
    await bench.expectSums(["a"])
  })

  // ── Entries of leases that end ──

  test("an expired lease becomes its pending entry, exactly as it is, at the time of the expiry", {
    needs: ["clock"],
  }, async (bench) => {
    const pending = pendingEntry("q1", 6, { tags: { team: "x" }, fingerprint: "f", reservedNanoUsd: 10, mode: "text" })
    await bench.reserve("r1", [counter("a", 10, null, { onExpire: 6 })], { pendingEntry: pending })
    const free = pendingEntry("q2", 0, { costSource: "none" })
    await bench.reserve("r2", [counter("a", 10, null, { onExpire: 0 })], { pendingEntry: free })
    await bench.reserve("r3", [], { pendingEntry: pendingEntry("q3", 1) })
    await bench.clock.advance(LEASE_MS + 1_234)
    await bench.sweep()
    const at = bench.clock.now()
    const found = (await bench.entries()).map((entry) => ({ ...entry, charges: chargesOf(entry) }))
    const facts = { at, revision: 0, state: "expired" }
    const expected = [
      { ...pending, ...facts, idempotencyKey: "r1", charges: { a: 6 } },
      { ...free, ...facts, idempotencyKey: "r2", charges: {} },
      { ...pendingEntry("q3", 1), ...facts, idempotencyKey: "r3", charges: {} },
    ]
    equal(found, expected, "entries")
    await bench.expectSums(["a"])
  })

  test("a late settle overwrites the expired entry and keeps its time; a late release takes the charge back", {
    needs: ["clock"],
  }, async (bench) => {
    const settled = await bench.reserve("r1", [counter("a", 10, null, { onExpire: 6 })])
    const released = await bench.reserve("r2", [counter("a", 10, null, { onExpire: 6 })])
    await bench.clock.advance(LEASE_MS)
    await bench.sweep()
    const { at } = (await bench.entries())[0]!
    await bench.clock.advance(5_000)
    await settled.settle([3], { entry: usageEntry("r1", 3) })
    await released.release()
    const entries = await bench.entries()
    equal(entries.length, 2, "entries")
    match(entries[0]!, { state: "settled", status: "succeeded", costNanoUsd: 3, charges: { a: 3 }, at }, "late settle")
    match(entries[1]!, { state: "released", status: "released", costNanoUsd: 0, at }, "late release")
    equal((await bench.entries({ status: "expired" })).length, 0, "entries of the old status")
    equal((await bench.entries({ status: "succeeded" })).length, 1, "entries of the new status")
    await bench.expectCounter("a", { spent: 3 })
    await bench.expectSums(["a"])
  })

  test("after a retry across midnight the entry names the counters that were charged", {
    needs: ["clock"],
  }, async (bench) => {
    const now = bench.clock.now()
    const today = { startsAt: now - 1_000, endsAt: now + 1_000 }
    const tomorrow = { startsAt: now + 1_000, endsAt: now + 3_000 }
    const { request, expiresAt } = await bench.reserve("r1", [counter("day.1", 5, 10, today)])
    await bench.clock.advance(1_000)
    await bench.store.reserve({ ...request, counters: [counter("day.2", 5, 10, tomorrow)] })
    await bench.store.settle(settleRequest(request, [4], { expiresAt }))
    equal((await bench.entries()).map(chargesOf), [{ "day.1": 4 }], "charges")
    await bench.expectSums(["day.1", "day.2"])
  })

  test("a later settle replaces the whole entry: nothing of the one before is kept or found", {
    needs: ["clock"],
  }, async (bench) => {
    const first = pendingEntry("q1", 10, {
      model: "m1",
      provider: "p1",
      userId: "u1",
      tags: { team: "x", old: "1" },
      fingerprint: "f",
    })
    const reservation = await bench.reserve("r1", [counter("a", 10)], { pendingEntry: first })
    await bench.clock.advance(LEASE_MS)
    await bench.sweep()
    const at = bench.clock.now()
    const entries = [
      usageEntry("q1", 3, {
        model: "m2",
        provider: "p2",
        userId: "u2",
        tags: { team: "y" },
        status: "failed",
        errorCode: "e",
      }),
      usageEntry("q1", 5, { model: "m3", provider: "p3", userId: "u3", tags: { team: "z" }, clientId: "c3" }),
    ]
    let before: UsageEntry = first
    for (const [revision, entry] of entries.entries()) {
      await bench.clock.advance(1_000)
      await reservation.settle([entry.costNanoUsd], { revision, entry })
      const facts = { idempotencyKey: "r1", at, revision, state: "settled", charges: { a: entry.costNanoUsd } }
      equal(await bench.entries(), [{ ...entry, ...facts }], `the entry of revision ${revision}`)
      await expectFoundBy(bench, entry, 1)
      await expectFoundBy(bench, before, 0)
      before = entry
    }
    await bench.expectSums(["a"])
  })

  // ── Record ──

  test("record writes an entry without money, and adds to its count when repeated", async (bench) => {
    const { ledger, partition } = bench
    const denied = usageEntry("q1", 0, {
      status: "denied",
      errorCode: "budget-exceeded",
      costSource: "none",
      tokens: {},
    })
    const { now } = await ledger.record({ partition, key: "x1", entry: denied })
    const [first] = await bench.entries()
    equal(
      first,
      { ...denied, idempotencyKey: "x1", at: now, revision: 0, state: "recorded", charges: {}, count: first?.count },
      "entry",
    )
    ok(first?.count === undefined || first.count === 1, `count: expected 1 or none, got ${first?.count}`)
    await ledger.record({ partition, key: "x1", entry: { ...denied, errorCode: "other" } })
    await ledger.record({ partition, key: "x1", entry: { ...denied, count: 5 } })
    const entries = await bench.entries()
    equal(entries.length, 1, "entries")
    match(
      entries[0]!,
      { errorCode: "budget-exceeded", count: 7, at: now, state: "recorded" },
      "entry after three records",
    )
    await ledger.record({ partition, key: "x2", entry: { ...denied, requestId: "q2", count: 3 } })
    match((await bench.entries({ requestId: "q2" }))[0]!, { count: 3 }, "an entry that is recorded with a count")
  })

  test("records of one key from many callers at once are one entry with their count", async (bench) => {
    const denied = usageEntry("q1", 0, { status: "denied", costSource: "none" })
    const record = () => bench.ledger.record({ partition: bench.partition, key: "x1", entry: denied })
    await Promise.all(Array.from({ length: 30 }, record))
    equal(valuesOf(await bench.entries(), "count"), [30], "counts")
  })

  test("record does nothing to a reservation's entry, and a settle overwrites a recorded one", async (bench) => {
    const { ledger, partition } = bench
    const denied = usageEntry("q1", 0, { status: "denied", costSource: "none" })
    await bench.spend("r1", 5)
    const before = await bench.entries()
    await ledger.record({ partition, key: "r1", entry: denied })
    equal(await bench.entries(), before, "the entry of a settled key after a record")
    await ledger.record({ partition, key: "r2", entry: denied })
    await bench.spend("r2", 7, { requestId: "q1" })
    const [entry, ...more] = await bench.entries({ requestId: "q1" })
    equal(more, [], "more entries of the request")
    match(
      entry!,
      { idempotencyKey: "r2", state: "settled", status: "succeeded", charges: { a: 7 }, count: undefined },
      "entry",
    )
    await bench.expectSums(["a"])
  })

  test("audit entries are listed and left out of totals", async (bench) => {
    const audit = usageEntry("q1", 0, { status: "audit", costSource: "none", tokens: {}, errorCode: "accept-clock" })
    await bench.ledger.record({ partition: bench.partition, key: "x1", entry: audit })
    await bench.spend("r1", 5)
    equal(valuesOf(await bench.entries({ status: "audit" }), "idempotencyKey"), ["x1"], "list")
    match((await bench.totals([]))[0]!, { attempts: 1, requests: 1, costNanoUsd: 5 }, "totals")
    equal(valuesOf(await bench.totals(["status"]), "group"), [["succeeded"]], "groups")
  })

  // ── Money and entry are one ──

  test("money and entry are one step: whoever sees the one sees the other", { rule: "transaction" }, async (bench) => {
    const sumOf = (entries: readonly StoredEntry[]) => entries.reduce((sum, { charges }) => sum + (charges.a ?? 0), 0)
    let working = 8
    const work = Array.from({ length: working }, async (_, lane) => {
      for (let round = 0; round < 8; round++) await bench.spend(`r${lane}.${round}`, 1 + round)
      working--
    })
    const done = Promise.all(work)
    for (let round = 1; working > 0; round++) {
      // Rarely, so that a store in memory is looked at between its own steps, and one that starves timers still fails.
      if (round % 50 === 0) await nextTurn()
      const { spent } = await bench.counterState("a")
      const listed = sumOf(await bench.entries())
      ok(listed >= spent, `spent ${spent} was read, and then entries of ${listed}: money without its entry`)
      const after = (await bench.counterState("a")).spent
      ok(after >= listed, `entries of ${listed} were listed, and then spent ${after}: an entry without its money`)
    }
    await done
    await bench.expectSums(["a"])
  })

  test("several writers at once: every entry is there, and the sums agree", async (bench) => {
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let index = 0; index < 25; index++) {
        await bench.spend(`w${writer}.${index}`, writer + index, { userId: `u${writer}` }, `c.${index % 3}`)
        if (index % 5 === 0) await bench.entries({ userId: `u${writer}` }, 10)
      }
    })
    await Promise.all(writers)
    equal((await bench.entries()).length, 200, "entries")
    equal((await bench.totals(["userId"])).length, 8, "users")
    await bench.expectSums(["c.0", "c.1", "c.2"])
  })

  test("for every counter, spent is the sum of its entries' charges plus adjustments, after every operation", {
    needs: ["clock"],
  }, async (bench) => {
    const random = createRandom(bench.seed)
    const names = ["a", "b", "c"]
    const adjustments: Record<string, number> = {}
    const open: TestReservation[] = []
    for (let step = 0; step < 120; step++) {
      const amount = random.integer(0, 50)
      const counters = random
        .shuffle(names)
        .slice(0, random.integer(1, 3))
        .map((name) => counter(name, amount, null, { onExpire: random.integer(0, amount) }))
      open.push(await bench.reserve(`r${step}`, counters, { leaseMs: random.integer(1, 5_000) }))
      const settled = random.pick(open)
      const amounts = settled.request.counters.map(() => random.integer(0, 80))
      if (random.chance(0.5)) await settled.settle(amounts, { revision: random.integer(0, 3) })
      else if (random.chance(0.4)) await settled.release()
      if (random.chance(0.2)) await bench.clock.advance(random.integer(1, 4_000))
      if (random.chance(0.3)) await bench.sweep()
      if (random.chance(0.2)) {
        const name = random.pick(names)
        const kind = random.pick(["spent", "spent", "reset"] as const)
        const { applied } = await bench.adjust(`a${step}`, name, kind, kind === "reset" ? 0 : random.integer(-20, 20))
        adjustments[name] = (adjustments[name] ?? 0) + applied
      }
      await bench.expectSums(names, adjustments)
    }
    await bench.clock.advance(10_000)
    await bench.sweep()
    await bench.expectSums(names, adjustments)
  })

  test("counters named like properties of objects are charged like others", async (bench) => {
    const names = ["__proto__", "constructor", "toString", "length", "0"]
    const reservation = await bench.reserve(
      "r1",
      names.map((name) => counter(name, 10)),
    )
    await reservation.settle(names.map((_, index) => index + 1))
    const [entry] = await bench.entries()
    const charges = Object.entries(entry!.charges).sort(([a], [b]) => (a < b ? -1 : 1))
    const expected = names.map((name, index) => [name, index + 1] as const).sort(([a], [b]) => (a < b ? -1 : 1))
    equal(charges, expected, "charges")
  })

  test("prompt and answer of 64 KiB are kept to the last character", async (bench) => {
    const entry = usageEntry("q1", 5, { prompt: `${"p".repeat(65_535)}!`, answer: "\u00e9".repeat(32_768) })
    await (await bench.reserve("r1", [counter("a", 5)])).settle([5], { entry })
    const [stored] = await bench.entries()
    ok(stored?.prompt === entry.prompt, `prompt: expected 65536 characters, got ${stored?.prompt?.length}`)
    ok(stored?.answer === entry.answer, `answer: expected 32768 characters, got ${stored?.answer?.length}`)
  })

  test("a reply is the caller's: what it changes there changes nothing", async (bench) => {
    await bench.spend("r1", 5, { tags: { team: "x" } })
    const before = structuredClone(await bench.entries())
    for (const entry of [
      ...(await bench.entries()),
      ...(await bench.ledger.get({ partition: bench.partition, requestId: "r1" })),
    ]) {
      Object.assign(entry, { costNanoUsd: 99, model: "spoilt" })
      for (const part of [entry.tokens, entry.tags!, entry.charges]) Object.assign(part, { team: "spoilt", a: 99 })
    }
    Object.assign(await bench.counterState("a"), { spent: 99 })
    equal(await bench.entries(), before, "entries")
    await bench.expectCounter("a", { spent: 5 })
  })

  // ── What leaves ──

  test("prune removes what is older, and changes no counter", {
    needs: ["clock"],
    rule: "scan, keys, prune",
  }, async (bench) => {
    const { ledger, partition, clock } = bench
    const start = clock.now()
    for (let index = 0; index < 6; index++) {
      await bench.spend(`r${index}`, 10, { tags: { team: `t${index % 2}` } })
      await clock.advance(1_000)
    }
    equal(await ledger.prune({ partition, before: start + 3_000 }), { removed: 3 }, "prune")
    equal(valuesOf(await bench.entries(), "idempotencyKey"), ["r3", "r4", "r5"], "entries")
    equal(await ledger.get({ partition, requestId: "r1" }), [], "get of what was pruned")
    for (const by of ["userId", "status"] as const)
      equal((await bench.totals([by]))[0]?.costNanoUsd, 30, `totals by ${by}`)
    const [bucket] = await bench.totals(["bucket"], {}, [start, start + 10_000])
    equal(bucket?.costNanoUsd, 30, "totals of a time that the prune cuts through")
    equal((await bench.totals([{ tag: "team" }])).map((row) => row.costNanoUsd).sort(), [10, 20], "totals by tag")
    equal((await bench.entries({ tag: { name: "team", value: "t0" } })).length, 1, "entries of one tag")
    equal(await ledger.prune({ partition, before: start + 3_000 }), { removed: 0 }, "prune again")
    await bench.expectCounter("a", { spent: 60 })
  })

  test("the ledger's retention removes entries by itself", { needs: ["clock", "ledgerRetention"] }, async (bench) => {
    const { clock } = bench
    await bench.spend("old", 1)
    await clock.advance(bench.target.ledgerRetentionMs! - 1_000)
    equal((await bench.entries()).length, 1, "shortly before its end")
    await bench.spend("new", 2)
    await clock.advance(2_000)
    equal(valuesOf(await bench.entries(), "idempotencyKey"), ["new"], "shortly after its end")
    equal(await bench.ledger.get({ partition: bench.partition, requestId: "old" }), [], "get")
    match((await bench.totals([]))[0]!, { attempts: 1, costNanoUsd: 2 }, "totals")
    await bench.expectCounter("a", { spent: 3 })
    await clock.advance(30 * DAY_MS)
    await bench.expectCounter("a", { spent: 3 }, "counter a, a month later")
  })

  test("partitions have ledgers of their own", { rule: "scan, keys, prune" }, async (bench) => {
    const [other, longer] = [bench.inPartition("other"), bench.inPartition("otherlonger")]
    for (const [index, one] of [bench, other, longer].entries()) await one.spend("r1", index + 1)
    const expectCost = async (one: Bench, cost: number[]) => {
      const listed = [await one.entries(), await one.ledger.get({ partition: one.partition, requestId: "r1" })]
      for (const found of listed) equal(valuesOf(found, "costNanoUsd"), cost, `entries of ${one.partition}`)
      equal(valuesOf(await one.totals([]), "costNanoUsd"), cost, `totals of ${one.partition}`)
    }
    await expectCost(bench, [1])
    await expectCost(other, [2])
    await bench.ledger.prune({ partition: other.partition, before: LARGEST })
    await expectCost(other, [])
    await expectCost(bench, [1])
    await expectCost(longer, [3])
  })
})

/** Whoever looks for this entry by any of its values finds so many, in pages and in totals. */
async function expectFoundBy(bench: Bench, entry: UsageEntry, count: number): Promise<void> {
  const { model, provider, userId } = entry
  const tag = { name: "team", value: entry.tags!.team! }
  for (const filter of [{ model }, { provider }, { userId }, { tag }] satisfies UsageFilter[]) {
    const what = JSON.stringify(filter)
    equal((await bench.entries(filter)).length, count, `entries of ${what}`)
    equal((await bench.totals([], filter))[0]?.attempts ?? 0, count, `attempts in totals of ${what}`)
  }
  const groups = valuesOf(await bench.totals(["model", { tag: "team" }]), "group")
  equal(groups.filter(([value]) => value === model).length, count, `groups of the model ${model}`)
}
