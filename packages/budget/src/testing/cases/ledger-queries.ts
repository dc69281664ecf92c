import { nextTurn } from "../../store/next-turn"
import type { StoredEntry, UsageFilter } from "../../usage/entry"
import type { UsageGroup, UsageTotals } from "../../usage/ledger"
import { canonical, equal, match, ok, usageError, valuesOf } from "../expect"
import { counter, LARGEST, usageEntry } from "../requests"
import { defineCases } from "../store-case"

const keysOf = (entries: readonly StoredEntry[]) => valuesOf(entries, "idempotencyKey")

/** Texts that a careless encoding, collation or index confuses. */
const SIMILAR_TEXTS = [
  "a'b",
  'a"b',
  "a;--",
  "a%",
  "a_",
  "a*",
  "a\nb",
  "é",
  "e\u0301",
  "😀",
  "{partition}",
  "__proto__",
  "constructor",
  "null",
  "a\\b",
  " a",
  "a ",
  "a",
  "A",
  "a\0",
  "a\0b",
  "\ufb01",
  "fi",
  "\u00df",
  "ss",
  "\ud800",
  "\ud801",
  "\udc00",
  "\ufffd",
  `${"x".repeat(255)}a`,
  `${"x".repeat(255)}b`,
]

/** Pages and filters. */
export const ledgerPageCases = defineCases(
  { level: "ledger", rule: "scan, keys, prune", needs: ["ledger"] },
  (test) => {
    test("pages join without a gap or a repetition, oldest and newest first", async (bench) => {
      for (let index = 0; index < 25; index++) await bench.spend(`r${index % 7}.${index}`, index)
      const whole = await bench.entries()
      equal(whole.length, 25, "entries")
      for (const limit of [1, 2, 7, 24, 25])
        equal(await bench.entries({}, limit), whole, `oldest first, ${limit} a page`)
      for (const limit of [1, 3, 25])
        equal(await bench.entries({}, limit, true), [...whole].reverse(), `newest first, ${limit} a page`)
    })

    test("the order is (at, key), also of many entries of one instant", {
      needs: ["clock"],
    }, async (bench) => {
      const names = ["b", "a10", "B", "a9", "_", "a", "10", "9"]
      for (let step = 0; step < 3; step++) {
        await Promise.all(names.map((name) => bench.spend(`${name}.${step}`, 1)))
        await bench.clock.advance(1)
      }
      // Within one instant keys compare as bytes, so that "9.0" comes after "10.0".
      const expected = [0, 1, 2].flatMap((step) => names.map((name) => `${name}.${step}`).sort())
      equal(keysOf(await bench.entries({}, 5)), expected, "oldest first")
      equal(keysOf(await bench.entries({}, 5, true)), expected.reverse(), "newest first")
    })

    for (const newestFirst of [false, true]) {
      test(`pages are stable under writes and settles (${newestFirst ? "newest" : "oldest"} first)`, {
        needs: ["clock"],
      }, async (bench) => {
        const { ledger, partition, clock } = bench
        const spent = []
        for (let index = 0; index < 20; index++) {
          spent.push(await bench.spend(`r.${index}`, 1, { userId: "u" }))
          if (index % 3 === 0) await clock.advance(1)
        }
        const before = keysOf(await bench.entries({ userId: "u" }))
        const seen: string[] = []
        let cursor: string | null = null
        for (let page = 0; page < 100; page++) {
          const reply: { entries: StoredEntry[]; cursor: string | null } = await ledger.list({
            partition,
            filter: { userId: "u" },
            cursor,
            limit: 3,
            newestFirst,
          })
          seen.push(...keysOf(reply.entries))
          // New entries that sort before and after, of this instant and a later one, and a revision of an old entry.
          await bench.spend(`r.0.${page}`, 1, { userId: "other" })
          await clock.advance(1)
          if (page < 5) await bench.spend(`r.new.${page}`, 1, { userId: "u" })
          await spent[page % 20]!.settle([2], { revision: page + 1, entry: usageEntry("q", 2, { userId: "u" }) })
          cursor = reply.cursor
          if (cursor === null) break
        }
        equal(cursor, null, "the cursor in the end")
        equal(new Set(seen).size, seen.length, "entries that are listed once")
        const expected = newestFirst ? [...before].reverse() : before
        const kept = seen.filter((key) => before.includes(key))
        equal(kept, expected, "what was there from the beginning")
      })
    }

    test("a cursor that no page returned is a usage error, never the beginning", async (bench) => {
      await bench.spend("r1", 1)
      const list = (cursor: string) =>
        bench.ledger.list({ partition: bench.partition, filter: {}, cursor, limit: 1, newestFirst: false })
      for (const cursor of ["", "/", "0", "no cursor", "{}", "~", "r1"])
        await usageError(() => list(cursor), `cursor ${cursor}`)
    })

    test("every filter matches exactly, and together", async (bench) => {
      await bench.spend("r1", 1, { userId: "u1", clientId: "c1", model: "m1", provider: "p1", tags: { team: "x" } })
      await bench.spend("r2", 2, { userId: "u2", clientId: "c1", model: "m1", provider: "p2", tags: { team: "y" } })
      await bench.spend("r3", 3, { userId: "u1", clientId: "c2", model: "m2", provider: "p1", status: "failed" })
      await bench.spend("r4", 4, { userId: undefined, clientId: undefined, model: "m1", provider: undefined })
      const expected: [UsageFilter, string[]][] = [
        [{ userId: "u1" }, ["r1", "r3"]],
        [{ clientId: "c1" }, ["r1", "r2"]],
        [{ model: "m1" }, ["r1", "r2", "r4"]],
        [{ provider: "p1" }, ["r1", "r3"]],
        [{ status: "failed" }, ["r3"]],
        [{ requestId: "r2" }, ["r2"]],
        [{ tag: { name: "team", value: "x" } }, ["r1"]],
        [{ tag: { name: "constructor", value: "x" } }, []],
        [{ tag: { name: "TEAM", value: "x" } }, []],
        [{ userId: "u1", model: "m1" }, ["r1"]],
        [{ userId: "u2", status: "failed" }, []],
        [{ userId: "U1" }, []],
        [{ userId: "u" }, []],
        [{ userId: "%" }, []],
        [{ userId: "u1 " }, []],
      ]
      for (const [filter, keys] of expected) {
        equal(keysOf(await bench.entries(filter, 2)).sort(), keys, `entries of ${JSON.stringify(filter)}`)
      }
    })

    test("from is inclusive and to is exclusive", { needs: ["clock"] }, async (bench) => {
      const start = bench.clock.now()
      for (let index = 0; index < 5; index++) {
        await bench.spend(`r${index}`, 1)
        await bench.clock.advance(1_000)
      }
      const between = async (from?: number, to?: number) => keysOf(await bench.entries({ from, to }))
      equal(await between(start + 1_000, start + 3_000), ["r1", "r2"], "from and to")
      equal(await between(start + 1_001), ["r2", "r3", "r4"], "from")
      equal(await between(undefined, start), [], "to")
      const rows = await bench.totals([], { from: start + 1_000, to: start + 3_000 })
      equal(rows[0]?.attempts, 2, "attempts in the totals of the same range")
    })

    test("filters hold for totals as for pages, oldest and newest first", {
      needs: ["clock"],
    }, async (bench) => {
      const start = bench.clock.now()
      for (let index = 0; index < 12; index++) {
        await bench.spend(`r${index}`, 1 + index, {
          userId: `u${index % 2}`,
          clientId: `c${index % 3}`,
          model: `m${index % 4}`,
          provider: `p${index % 5}`,
          requestId: `q${index % 6}`,
          status: index % 4 === 3 ? "failed" : "succeeded",
          tags: { team: `t${index % 2}`, size: `s${index % 3}` },
        })
        await bench.clock.advance(1_000)
      }
      const everything = await bench.entries()
      const some: [UsageFilter, (entry: StoredEntry) => boolean][] = [
        [{ userId: "u1" }, (entry) => entry.userId === "u1"],
        [{ clientId: "c1" }, (entry) => entry.clientId === "c1"],
        [{ model: "m2" }, (entry) => entry.model === "m2"],
        [{ provider: "p3" }, (entry) => entry.provider === "p3"],
        [{ requestId: "q4" }, (entry) => entry.requestId === "q4"],
        [{ status: "failed" }, (entry) => entry.status === "failed"],
        [{ tag: { name: "team", value: "t0" } }, (entry) => entry.tags?.team === "t0"],
        [{ from: start + 2_000, to: start + 9_000 }, ({ at }) => at >= start + 2_000 && at < start + 9_000],
      ]
      for (const [one, first] of some) {
        for (const [other, second] of some) {
          const filter = { ...one, ...other }
          const expected = everything.filter((entry) => first(entry) && second(entry))
          const what = JSON.stringify(filter)
          equal(await bench.entries(filter, 3), expected, `oldest first, ${what}`)
          equal(await bench.entries(filter, 3, true), [...expected].reverse(), `newest first, ${what}`)
          const [row] = await bench.totals([], filter)
          const cost = expected.reduce((sum, entry) => sum + entry.costNanoUsd, 0)
          equal([row?.attempts ?? 0, row?.costNanoUsd ?? 0], [expected.length, cost], `totals, ${what}`)
        }
      }
    })

    test("any text in an entry is returned unchanged and matches only itself: NUL, lone surrogates, any case", async (bench) => {
      for (const [index, text] of SIMILAR_TEXTS.entries()) {
        await bench.spend(`r${index}`, index, {
          userId: text,
          clientId: text,
          model: text,
          provider: text,
          modelUsed: text,
          prompt: text,
          tags: { [text]: text },
        })
      }
      for (const [index, text] of SIMILAR_TEXTS.entries()) {
        const tag = { name: text, value: text }
        for (const filter of [{ userId: text }, { clientId: text }, { model: text }, { provider: text }, { tag }]) {
          const found = await bench.entries(filter)
          equal(keysOf(found), [`r${index}`], `filter ${JSON.stringify(filter)}`)
          const { userId, modelUsed, prompt, tags } = found[0]!
          equal([userId, modelUsed, prompt, Object.entries(tags!)], [text, text, text, [[text, text]]], "texts")
        }
        const [row] = await bench.totals([{ tag: text }], { userId: text })
        equal([row?.group, row?.attempts], [[text], 1], `totals by the tag ${JSON.stringify(text)}`)
      }
      for (const by of ["userId", "clientId", "model", "provider"] as const)
        equal((await bench.totals([by])).length, SIMILAR_TEXTS.length, `groups by ${by}`)
    })

    test("request ids that differ in case, or in the last of 64 characters, are different requests", async (bench) => {
      const requestIds = ["q", "Q", `${"q".repeat(63)}a`, `${"q".repeat(63)}b`, "q:a", "q.a", "__proto__"]
      for (const [index, requestId] of requestIds.entries()) await bench.spend(`r${index}`, 1, { requestId })
      for (const [index, requestId] of requestIds.entries()) {
        const got = await bench.ledger.get({ partition: bench.partition, requestId })
        for (const found of [got, await bench.entries({ requestId })])
          equal(keysOf(found), [`r${index}`], `entries of ${requestId}`)
      }
      equal((await bench.totals([]))[0]?.requests, requestIds.length, "requests")
    })
  },
)

/** Sums, and many entries. */
export const ledgerTotalCases = defineCases({ level: "ledger", rule: "Ledger", needs: ["ledger"] }, (test) => {
  test("totals add everything up, exactly", async (bench) => {
    await bench.spend("r1", 10, { requestId: "q1", attempt: 1, status: "failed", tableCostNanoUsd: 8 })
    await bench.spend("r2", 20, {
      requestId: "q1",
      attempt: 2,
      tableCostNanoUsd: 25,
      reservedNanoUsd: 22,
      inDoubt: true,
    })
    await bench.spend("r3", 30, { requestId: "q2", tokens: { inputTokens: 1, reasoningTokens: 4 } })
    await (await bench.reserve("r4", [counter("a", 3)])).release()
    const denied = usageEntry("q3", 0, { status: "denied", tokens: {}, reservedNanoUsd: 99, costSource: "none" })
    for (const entry of [denied, { ...denied, count: 3 }])
      await bench.ledger.record({ partition: bench.partition, key: "x1", entry })
    const expected: UsageTotals = {
      group: [],
      requests: 4 + 3,
      attempts: 4 + 4,
      succeeded: 2,
      failed: 1,
      denied: 4,
      expired: 0,
      released: 1,
      tokens: { inputTokens: 21, outputTokens: 10, reasoningTokens: 4 },
      costNanoUsd: 60,
      failedCostNanoUsd: 10,
      inDoubt: 1,
      inDoubtNanoUsd: 20,
      reservedNanoUsd: 10 + 22 + 30 + 3 + 99,
      differenceNanoUsd: 10 - 8 + (20 - 25),
    }
    equal(await bench.totals([]), [expected], "totals")
  })

  test("totals follow the latest settle: expired, late, revised and released", { needs: ["clock"] }, async (bench) => {
    const entry = (costNanoUsd: number, inputTokens: number) =>
      usageEntry("q1", costNanoUsd, { tags: { team: "x" }, tokens: { inputTokens } })
    const reserve = (key: string) =>
      bench.reserve(key, [counter("a", 10)], {
        pendingEntry: { ...entry(10, 0), requestId: key, status: "expired", costSource: "bound", inDoubt: true },
      })
    const [late, released] = [await reserve("r1"), await reserve("r2")]
    const expectTotals = async (expected: number[], what: string) => {
      for (const groupBy of [[], ["model"], [{ tag: "team" }]] satisfies UsageGroup[][]) {
        const rows = await bench.totals(groupBy)
        const sums = rows.map((row) => [
          row.attempts,
          row.succeeded,
          row.expired,
          row.released,
          row.costNanoUsd,
          row.inDoubt,
          row.inDoubtNanoUsd,
          row.tokens.inputTokens ?? 0,
        ])
        equal(sums.length === 1 ? sums[0] : sums, expected, `${what}, by ${canonical(groupBy)}`)
      }
    }
    await bench.clock.advance(60_000)
    await bench.sweep()
    await expectTotals([2, 0, 2, 0, 20, 2, 20, 0], "both expired")
    await late.settle([4], { entry: entry(4, 10) })
    await expectTotals([2, 1, 1, 0, 14, 1, 10, 10], "one was settled late")
    await late.settle([7], { revision: 1, entry: entry(7, 12) })
    await expectTotals([2, 1, 1, 0, 17, 1, 10, 12], "and then revised")
    await released.release({ entry: { ...entry(0, 0), status: "released", costSource: "none" } })
    await expectTotals([2, 1, 0, 1, 7, 0, 0, 12], "and the other was released")
  })

  test("totals group by user, client, model, provider, status and tag; entries without a value are a group of their own", async (bench) => {
    await bench.spend("r1", 1, { userId: "u1", tags: { team: "x" }, provider: "p" })
    await bench.spend("r2", 2, { userId: "u2", tags: { team: "y" }, clientId: undefined })
    await bench.spend("r3", 4, { userId: undefined, tags: undefined, model: "m2", status: "failed" })
    const model = "openai/gpt-4o-mini"
    const expected: [UsageGroup, Record<string, number>][] = [
      ["userId", { u1: 1, u2: 2, "(none)": 4 }],
      ["clientId", { "client-1": 5, "(none)": 2 }],
      ["model", { [model]: 3, m2: 4 }],
      ["provider", { p: 1, openai: 6 }],
      ["status", { succeeded: 3, failed: 4 }],
      [{ tag: "team" }, { x: 1, y: 2, "(none)": 4 }],
    ]
    for (const [by, costs] of expected) {
      const rows = await bench.totals([by])
      equal(rows.length, Object.keys(costs).length, `groups by ${canonical(by)}`)
      const found = rows.map(({ group, costNanoUsd }) => [group[0] ?? "(none)", costNanoUsd])
      equal(Object.fromEntries(found), costs, `costs by ${canonical(by)}`)
    }
    const pairs = await bench.totals(["model", "status"], { userId: "u1" })
    equal(valuesOf(pairs, "group"), [[model, "succeeded"]], "two groups and a filter")
    equal(valuesOf(pairs, "costNanoUsd"), [1], "their cost")
  })

  test("a request of several attempts is one request in every group that it is in", async (bench) => {
    for (const [attempt, model] of ["m1", "m1", "m2"].entries())
      await bench.spend(`r${attempt}`, 1, { requestId: "q1", attempt: attempt + 1, model, tags: { team: "x" } })
    await bench.spend("r9", 1, { requestId: "q2", model: "m1", tags: { team: "x" } })
    const counts = async (...by: UsageGroup[]) =>
      (await bench.totals(by)).map(({ group, requests, attempts }) => canonical([...group, requests, attempts])).sort()
    const expected = (...rows: unknown[][]) => rows.map(canonical).sort()
    equal(await counts(), expected([2, 4]), "all")
    equal(await counts("model"), expected(["m1", 2, 3], ["m2", 1, 1]), "by model")
    equal(await counts({ tag: "team" }), expected(["x", 2, 4]), "by tag")
    equal(
      await counts("userId", "model"),
      expected(["user-1", "m1", 2, 3], ["user-1", "m2", 1, 1]),
      "by user and model",
    )
  })

  test("time buckets are the caller's: uneven days, and nothing outside of them", {
    needs: ["clock"],
  }, async (bench) => {
    const start = bench.clock.now() + 1_000
    const hour = 3_600_000
    // Days of 24, 23 and 25 hours, as a zone with summer time has them.
    const buckets = [start, start + 24 * hour, start + 47 * hour, start + 72 * hour]
    const spends: [at: number, amount: number][] = [
      [start - 1, 1],
      [start, 2],
      [start + 24 * hour - 1, 4],
      [start + 24 * hour, 8],
      [start + 47 * hour - 1, 16],
      [start + 47 * hour, 32],
      [start + 72 * hour - 1, 64],
      [start + 72 * hour, 128],
    ]
    for (const [at, amount] of spends) {
      await bench.clock.advance(at - bench.clock.now())
      await bench.spend(`r${amount}`, amount, { model: amount % 3 === 1 ? "m1" : "m2" })
    }
    const rows = (await bench.totals(["bucket"], {}, buckets)).sort((a, b) => Number(a.group[0]) - Number(b.group[0]))
    equal(valuesOf(rows, "group").flat(), buckets.slice(0, 3), "buckets")
    equal(valuesOf(rows, "costNanoUsd"), [6, 24, 96], "their costs")
    const both = await bench.totals(["model", "bucket"], {}, buckets)
    const sum = both.reduce((total, { costNanoUsd }) => total + costNanoUsd, 0)
    equal(sum, 126, "cost of all models and buckets")
    ok(
      both.every(({ group }) => buckets.includes(group[1] as number)),
      "the second value is the bucket",
    )
  })

  test("large sums are exact", async (bench) => {
    const amounts = [1e15 + 1, 2e15 + 3, 1e14 + 1]
    for (const [index, amount] of amounts.entries())
      await bench.spend(`r${index}`, amount, { tokens: { inputTokens: amount } })
    const sum = amounts.reduce((total, amount) => total + amount, 0)
    const expected = { costNanoUsd: sum, reservedNanoUsd: sum, tokens: { inputTokens: sum } }
    match((await bench.totals([]))[0]!, expected, "totals")
    match((await bench.entries({ requestId: "r1" }))[0]!, { charges: { a: 2e15 + 3 }, costNanoUsd: 2e15 + 3 }, "entry")
    await bench.expectSums(["a"])
  })

  test("sums stop at the largest number, upwards and downwards", async (bench) => {
    for (let index = 0; index < 3; index++) {
      const settle = async (key: string, costNanoUsd: number, more: object) =>
        (await bench.reserve(key, [])).settle([], { entry: usageEntry(`q${index}`, costNanoUsd, more) })
      const tokens = { inputTokens: LARGEST - index }
      await settle(`r${index}`, LARGEST - index, { tokens, status: "failed", model: "m1" })
      await settle(`s${index}`, 0, { tableCostNanoUsd: LARGEST - index, model: "m2" })
    }
    const up = {
      costNanoUsd: LARGEST,
      failedCostNanoUsd: LARGEST,
      reservedNanoUsd: LARGEST,
      tokens: { inputTokens: LARGEST },
    }
    match((await bench.totals([], { model: "m1" }))[0]!, up, "upwards")
    const down = { costNanoUsd: 0, differenceNanoUsd: -LARGEST }
    match((await bench.totals([], { model: "m2" }))[0]!, down, "downwards")
  })

  test("three thousand entries in order, each once, with their sum, and one prune for all of them", {
    rule: "scan, keys, prune",
  }, async (bench) => {
    const total = 3_000
    for (let first = 0; first < total; first += 100) {
      const spend = (_: unknown, index: number) =>
        bench.spend(`r${first + index}`, 1 + ((first + index) % 3), {}, `c.${index % 5}`)
      await Promise.all(Array.from({ length: 100 }, spend))
    }
    const entries = await bench.entries({}, 1_000)
    equal(new Set(keysOf(entries)).size, total, "different keys")
    const wrong = entries.findIndex((entry, index) => {
      const before = entries[index - 1]
      if (before === undefined || before.at < entry.at) return false
      return before.at > entry.at || before.idempotencyKey >= entry.idempotencyKey
    })
    equal(wrong, -1, "first entry out of order")
    const sum = Array.from({ length: total }, (_, index) => 1 + (index % 3)).reduce((a, b) => a + b, 0)
    match((await bench.totals([]))[0]!, { costNanoUsd: sum, attempts: total }, "totals")
    await bench.expectSums(["c.0", "c.1", "c.2", "c.3", "c.4"])
    equal(await bench.ledger.prune({ partition: bench.partition, before: LARGEST }), { removed: total }, "prune")
    equal(await bench.entries(), [], "entries that remain")
  })

  test("totals during writes are of whole entries: cost and count agree", {
    rule: "scan, keys, prune",
  }, async (bench) => {
    let working = true
    const writes = (async () => {
      for (let index = 0; index < 40; index++)
        await Promise.all([bench.spend(`a${index}`, 5), bench.spend(`b${index}`, 5)])
      working = false
    })()
    let before = 0
    for (let round = 1; working; round++) {
      if (round % 50 === 0) await nextTurn()
      const [row] = await bench.totals([])
      if (row === undefined) continue
      equal(row.costNanoUsd, 5 * row.attempts, `cost of ${row.attempts} entries`)
      equal(row.attempts >= before, true, `attempts: expected at least the ${before} of before, got ${row.attempts}`)
      before = row.attempts
    }
    await writes
    match((await bench.totals([]))[0]!, { attempts: 80, costNanoUsd: 400 }, "totals in the end")
  })
})
