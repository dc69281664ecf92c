import { nextTurn } from "../../store/batch-queue"
import type { StoredEntry, UsageEntry, UsageFilter } from "../../usage/entry"
import type { UsageGroup, UsageTotals } from "../../usage/ledger"
import { canonical, equal, match, ok, sumOf, usageError, valuesOf } from "../expect"
import { counter, LARGEST, LEASE_MS, usageEntry } from "../requests"
import { defineCases } from "../store-case"
import { range } from "./concurrency"

const keysOf = (entries: readonly StoredEntry[]) => valuesOf(entries, "idempotencyKey")
const team = (value: string) => ({ tags: { team: value } })

/** Strings that a careless encoding, collation or index confuses. */
const SIMILAR_STRINGS = [
  ..."a'b a\"b a;-- a% a_ a* a\nb é e\u0301 😀 {partition} __proto__ constructor null a\\b a A a\0 a\0b".split(" "),
  ..."\ufb01 fi \u00df ss \ud800 \ud801 \udc00 \ufffd".split(" "),
  " a",
  "a ",
  `${"x".repeat(255)}a`,
  `${"x".repeat(255)}b`,
]

/** Pages. */
const pageCases = defineCases({ level: "ledger", rule: "entries, keys, prune", needs: ["ledger"] }, (test) => {
  test("pages join without a gap or a repetition, oldest and newest first", async (t) => {
    for (const index of range(25)) await t.spend(`r${index % 7}.${index}`, index)
    const whole = await t.entries()
    equal(whole.length, 25, "entries")
    for (const limit of [1, 2, 7, 24, 25]) equal(await t.entries({}, limit), whole, `oldest first, ${limit} a page`)
    whole.reverse()
    for (const limit of [1, 3, 25]) equal(await t.entries({}, limit, true), whole, `newest first, ${limit} a page`)
  })

  test("the order is (at, key), also of many entries of one instant", { needs: ["clock"] }, async (t) => {
    const names = ["b", "a10", "B", "a9", "_", "a", "10", "9"]
    for (const step of range(3)) {
      await Promise.all(names.map((name) => t.spend(`${name}.${step}`, 1)))
      await t.clock.advance(1)
    }
    // Within one instant keys compare as bytes, so that "9.0" comes after "10.0".
    const expected = range(3).flatMap((step) => names.map((name) => `${name}.${step}`).sort())
    equal(keysOf(await t.entries({}, 5)), expected, "oldest first")
    equal(keysOf(await t.entries({}, 5, true)), expected.reverse(), "newest first")
  })

  for (const newestFirst of [false, true]) {
    test(`pages are stable under writes and settles (${newestFirst ? "newest" : "oldest"} first)`, {
      needs: ["clock"],
    }, async (t) => {
      for (const index of range(20)) {
        await t.spend(`r.${index}`, 1, { userId: "u" })
        if (index % 3 === 0) await t.clock.advance(1)
      }
      const before = keysOf(await t.entries({ userId: "u" }))
      const seen: string[] = []
      let cursor: string | null = null
      for (const page of range(100)) {
        const list = { partition: t.partition, filter: { userId: "u" }, cursor, limit: 3, newestFirst }
        const reply: { entries: StoredEntry[]; cursor: string | null } = await t.ledger.list(list)
        seen.push(...keysOf(reply.entries))
        // New entries that sort before and after, of this instant and a later one, and a revision of an old entry.
        await t.spend(`r.0.${page}`, 1, { userId: "other" })
        await t.clock.advance(1)
        if (page < 5) await t.spend(`r.new.${page}`, 1, { userId: "u" })
        await t.settle(`r.${page % 20}`, [2], { revision: page + 1, entry: usageEntry("q", 2, { userId: "u" }) })
        cursor = reply.cursor
        if (cursor === null) break
      }
      equal(cursor, null, "the cursor in the end")
      equal(new Set(seen).size, seen.length, "entries that are listed once")
      const kept = seen.filter((key) => before.includes(key))
      equal(kept, newestFirst ? [...before].reverse() : before, "entries that existed throughout")
    })
  }

  test("a cursor that no page returned is a usage error, never the beginning", async (t) => {
    await t.spend("r1", 1)
    const list = { partition: t.partition, filter: {}, limit: 1, newestFirst: false }
    for (const cursor of ["", "/", "0", "no cursor", "{}", "~", "r1"])
      await usageError(() => t.ledger.list({ ...list, cursor }), `cursor ${cursor}`)
  })
})

/** Filters. */
const filterCases = defineCases({ level: "ledger", rule: "entries, keys, prune", needs: ["ledger"] }, (test) => {
  test("every filter matches exactly, and together", async (t) => {
    await t.spend("r1", 1, { userId: "u1", clientId: "c1", model: "m1", provider: "p1", ...team("x") })
    await t.spend("r2", 2, { userId: "u2", clientId: "c1", model: "m1", provider: "p2", ...team("y") })
    await t.spend("r3", 3, { userId: "u1", clientId: "c2", model: "m2", provider: "p1", status: "failed" })
    await t.spend("r4", 4, { userId: undefined, clientId: undefined, model: "m1", provider: undefined })
    const expectKeys = async (filter: UsageFilter, ...keys: string[]) =>
      equal(keysOf(await t.entries(filter, 2)).sort(), keys, `entries of ${JSON.stringify(filter)}`)
    await expectKeys({ userId: "u1" }, "r1", "r3")
    await expectKeys({ clientId: "c1" }, "r1", "r2")
    await expectKeys({ model: "m1" }, "r1", "r2", "r4")
    await expectKeys({ provider: "p1" }, "r1", "r3")
    await expectKeys({ status: "failed" }, "r3")
    await expectKeys({ requestId: "r2" }, "r2")
    await expectKeys({ tag: { name: "team", value: "x" } }, "r1")
    await expectKeys({ userId: "u1", model: "m1" }, "r1")
    await expectKeys({ userId: "u2", status: "failed" })
    for (const userId of ["U1", "u", "%", "u1 "]) await expectKeys({ userId })
    for (const name of ["constructor", "TEAM"]) await expectKeys({ tag: { name, value: "x" } })
  })

  test("from is inclusive and to is exclusive", { needs: ["clock"] }, async (t) => {
    const start = t.clock.now()
    for (const index of range(5)) {
      await t.spend(`r${index}`, 1)
      await t.clock.advance(1_000)
    }
    const between = async (from?: number, to?: number) => keysOf(await t.entries({ from, to }))
    equal(await between(start + 1_000, start + 3_000), ["r1", "r2"], "from and to")
    equal(await between(start + 1_001), ["r2", "r3", "r4"], "from")
    equal(await between(undefined, start), [], "to")
    const [row] = await t.totals([], { from: start + 1_000, to: start + 3_000 })
    equal(row?.attempts, 2, "attempts in the totals of the same range")
  })

  test("filters hold for totals as for pages, oldest and newest first", { needs: ["clock"] }, async (t) => {
    const start = t.clock.now()
    for (const index of range(12)) {
      await t.spend(`r${index}`, 1 + index, {
        userId: `u${index % 2}`,
        clientId: `c${index % 3}`,
        model: `m${index % 4}`,
        provider: `p${index % 5}`,
        requestId: `q${index % 6}`,
        status: index % 4 === 3 ? "failed" : "succeeded",
        tags: { team: `t${index % 2}`, size: `s${index % 3}` },
      })
      await t.clock.advance(1_000)
    }
    const everything = await t.entries()
    type Field = "userId" | "clientId" | "model" | "provider" | "requestId" | "status"
    const values = {
      userId: "u1",
      clientId: "c1",
      model: "m2",
      provider: "p3",
      requestId: "q4",
      status: "failed",
    } as const
    const byField = (Object.keys(values) as Field[]).map((field) => ({
      filter: { [field]: values[field] } as UsageFilter,
      matches: (entry: StoredEntry) => entry[field] === values[field],
    }))
    const [from, to] = [start + 2_000, start + 9_000]
    const some = [
      ...byField,
      { filter: { tag: { name: "team", value: "t0" } }, matches: (entry: StoredEntry) => entry.tags?.team === "t0" },
      { filter: { from, to }, matches: ({ at }: StoredEntry) => at >= from && at < to },
    ]
    for (const one of some) {
      for (const other of some) {
        const filter = { ...one.filter, ...other.filter }
        const expected = everything.filter((entry) => one.matches(entry) && other.matches(entry))
        const what = JSON.stringify(filter)
        equal(await t.entries(filter, 3), expected, `oldest first, ${what}`)
        equal(await t.entries(filter, 3, true), [...expected].reverse(), `newest first, ${what}`)
        const [row] = await t.totals([], filter)
        const cost = sumOf(expected, "costNanoUsd")
        equal([row?.attempts ?? 0, row?.costNanoUsd ?? 0], [expected.length, cost], `totals, ${what}`)
      }
    }
  })

  test("any string in an entry is returned unchanged and matches only itself: NUL, lone surrogates, any case", async (t) => {
    for (const [index, string] of SIMILAR_STRINGS.entries()) {
      const fields = { userId: string, clientId: string, model: string, provider: string }
      await t.spend(`r${index}`, index, { ...fields, modelUsed: string, prompt: string, tags: { [string]: string } })
    }
    for (const [index, string] of SIMILAR_STRINGS.entries()) {
      const tag = { name: string, value: string }
      const filters = [{ userId: string }, { clientId: string }, { model: string }, { provider: string }, { tag }]
      for (const filter of filters) {
        const found = await t.entries(filter)
        equal(keysOf(found), [`r${index}`], `filter ${JSON.stringify(filter)}`)
        const { userId, modelUsed, prompt, tags } = found[0]!
        const strings = [userId, modelUsed, prompt, ...Object.entries(tags!).flat()]
        equal(strings, Array(5).fill(string), "strings of the entry")
      }
      const [row] = await t.totals([{ tag: string }], { userId: string })
      equal([row?.group, row?.attempts], [[string], 1], `totals by the tag ${JSON.stringify(string)}`)
    }
    for (const by of ["userId", "clientId", "model", "provider"] as const)
      equal((await t.totals([by])).length, SIMILAR_STRINGS.length, `groups by ${by}`)
  })

  test("request ids that differ in case, or in the last of 64 characters, are different requests", async (t) => {
    const requestIds = ["q", "Q", `${"q".repeat(63)}a`, `${"q".repeat(63)}b`, "q:a", "q.a", "__proto__"]
    for (const [index, requestId] of requestIds.entries()) await t.spend(`r${index}`, 1, { requestId })
    for (const [index, requestId] of requestIds.entries())
      for (const found of [await t.attempts(requestId), await t.entries({ requestId })])
        equal(keysOf(found), [`r${index}`], `entries of ${requestId}`)
    equal((await t.totals())[0]?.requests, requestIds.length, "requests")
  })
})

/** Sums, and many entries. */
const totalCases = defineCases({ level: "ledger", rule: "Ledger", needs: ["ledger"] }, (test) => {
  test("totals add everything up, exactly", async (t) => {
    await t.spend("r1", 10, { requestId: "q1", attempt: 1, status: "failed", tableCostNanoUsd: 8 })
    const doubtful = { tableCostNanoUsd: 25, reservedNanoUsd: 22, inDoubt: true } as const
    await t.spend("r2", 20, { requestId: "q1", attempt: 2, ...doubtful })
    await t.spend("r3", 30, { requestId: "q2", tokens: { inputTokens: 1, reasoningTokens: 4 } })
    await t.reserve("r4", [counter("a", 3)])
    await t.release("r4")
    const denied = usageEntry("q3", 0, { status: "denied", tokens: {}, reservedNanoUsd: 99, costSource: "none" })
    for (const entry of [denied, { ...denied, count: 3 }]) await t.record("x1", entry)
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
    equal(await t.totals(), [expected], "totals")
  })

  test("totals follow the latest settle: expired, late, revised and released", { needs: ["clock"] }, async (t) => {
    const entry = (costNanoUsd: number, inputTokens: number, more: Partial<UsageEntry> = {}) =>
      usageEntry("q1", costNanoUsd, { ...team("x"), tokens: { inputTokens }, ...more })
    const expectTotals = async (expected: Partial<UsageTotals>, what: string) => {
      const none = { succeeded: 0, expired: 0, released: 0, inDoubt: 0, inDoubtNanoUsd: 0 }
      for (const groupBy of [[], ["model"], [{ tag: "team" }]] satisfies UsageGroup[][]) {
        const rows = await t.totals(groupBy)
        equal(rows.length, 1, `groups by ${canonical(groupBy)}, ${what}`)
        match(rows[0]!, { attempts: 2, ...none, ...expected }, `${what}, by ${canonical(groupBy)}`)
      }
    }
    const pending = { status: "expired", costSource: "bound", inDoubt: true } as const
    for (const key of ["r1", "r2"])
      await t.reserve(key, [counter("a", 10)], { pendingEntry: entry(10, 0, { ...pending, requestId: key }) })
    await t.clock.advance(LEASE_MS)
    await t.sweep()
    await expectTotals({ expired: 2, costNanoUsd: 20, inDoubt: 2, inDoubtNanoUsd: 20 }, "both expired")
    const one = { succeeded: 1, expired: 1, inDoubt: 1, inDoubtNanoUsd: 10 }
    await t.settle("r1", [4], { entry: entry(4, 10) })
    await expectTotals({ ...one, costNanoUsd: 14, tokens: { inputTokens: 10 } }, "one was settled late")
    await t.settle("r1", [7], { revision: 1, entry: entry(7, 12) })
    await expectTotals({ ...one, costNanoUsd: 17, tokens: { inputTokens: 12 } }, "and then revised")
    await t.release("r2", { entry: entry(0, 0, { status: "released", costSource: "none" }) })
    await expectTotals({ succeeded: 1, released: 1, costNanoUsd: 7, tokens: { inputTokens: 12 } }, "one was released")
  })

  test("totals group by user, client, model, provider, status and tag; entries without a value form their own group", async (t) => {
    await t.spend("r1", 1, { userId: "u1", ...team("x"), provider: "p" })
    await t.spend("r2", 2, { userId: "u2", ...team("y"), clientId: undefined })
    await t.spend("r3", 4, { userId: undefined, tags: undefined, model: "m2", status: "failed" })
    const model = "openai/gpt-4o-mini"
    const expectCosts = async (by: UsageGroup, costs: Record<string, number>) => {
      const rows = await t.totals([by])
      equal(rows.length, Object.keys(costs).length, `groups by ${canonical(by)}`)
      const found = Object.fromEntries(rows.map(({ group, costNanoUsd }) => [group[0] ?? "(none)", costNanoUsd]))
      equal(found, costs, `costs by ${canonical(by)}`)
    }
    await expectCosts("userId", { u1: 1, u2: 2, "(none)": 4 })
    await expectCosts("clientId", { "client-1": 5, "(none)": 2 })
    await expectCosts("model", { [model]: 3, m2: 4 })
    await expectCosts("provider", { p: 1, openai: 6 })
    await expectCosts("status", { succeeded: 3, failed: 4 })
    await expectCosts({ tag: "team" }, { x: 1, y: 2, "(none)": 4 })
    const [pair, ...more] = await t.totals(["model", "status"], { userId: "u1" })
    equal([pair?.group, pair?.costNanoUsd, more], [[model, "succeeded"], 1, []], "two groups and a filter")
  })

  test("a request of several attempts is one request in every group that it is in", async (t) => {
    for (const [attempt, model] of ["m1", "m1", "m2"].entries())
      await t.spend(`r${attempt}`, 1, { requestId: "q1", attempt: attempt + 1, model, ...team("x") })
    await t.spend("r9", 1, { requestId: "q2", model: "m1", ...team("x") })
    const expectCounts = async (by: UsageGroup[], ...expected: string[]) => {
      const rows = (await t.totals(by)).map(({ group, requests, attempts }) => [...group, requests, attempts].join(" "))
      equal(rows.sort(), expected, `group, requests and attempts by ${canonical(by)}`)
    }
    await expectCounts([], "2 4")
    await expectCounts(["model"], "m1 2 3", "m2 1 1")
    await expectCounts([{ tag: "team" }], "x 2 4")
    await expectCounts(["userId", "model"], "user-1 m1 2 3", "user-1 m2 1 1")
  })

  test("time buckets are the caller's: uneven days, and nothing outside of them", { needs: ["clock"] }, async (t) => {
    const start = t.clock.now() + 1_000
    const hour = 3_600_000
    // Days of 24, 23 and 25 hours, as in a time zone with daylight saving time.
    const buckets = [0, 24, 47, 72].map((hours) => start + hours * hour)
    // One entry just before each boundary, and one at it.
    for (const [index, boundary] of buckets.entries()) {
      for (const [at, amount] of Object.entries({ [boundary - 1]: 4 ** index, [boundary]: 2 * 4 ** index })) {
        await t.clock.advance(Number(at) - t.clock.now())
        await t.spend(`r${amount}`, amount, { model: amount % 3 === 1 ? "m1" : "m2" })
      }
    }
    const rows = (await t.totals(["bucket"], {}, buckets)).sort((a, b) => Number(a.group[0]) - Number(b.group[0]))
    equal(valuesOf(rows, "group").flat(), buckets.slice(0, 3), "buckets")
    equal(valuesOf(rows, "costNanoUsd"), [2 + 4, 8 + 16, 32 + 64], "their costs")
    const both = await t.totals(["model", "bucket"], {}, buckets)
    equal(sumOf(both, "costNanoUsd"), 126, "cost of all models and buckets")
    for (const { group } of both) ok(buckets.includes(group[1] as number), `expected a bucket second in ${group}`)
  })

  test("large sums are exact", async (t) => {
    const amounts = [1e15 + 1, 2e15 + 3, 1e14 + 1]
    for (const [index, amount] of amounts.entries())
      await t.spend(`r${index}`, amount, { tokens: { inputTokens: amount } })
    const sum = amounts.reduce((total, amount) => total + amount, 0)
    match((await t.totals())[0]!, { costNanoUsd: sum, reservedNanoUsd: sum, tokens: { inputTokens: sum } }, "totals")
    match((await t.entries({ requestId: "r1" }))[0]!, { charges: { a: 2e15 + 3 }, costNanoUsd: 2e15 + 3 }, "entry")
    await t.expectSums(["a"])
  })

  test("sums saturate at the largest number, in both directions", async (t) => {
    const settle = async (key: string, entry: UsageEntry) => {
      await t.reserve(key, [])
      await t.settle(key, [], { entry })
    }
    for (const index of range(3)) {
      const large = LARGEST - index
      const up = { tokens: { inputTokens: large }, status: "failed", model: "m1" } as const
      await settle(`r${index}`, usageEntry(`q${index}`, large, up))
      await settle(`s${index}`, usageEntry(`q${index}`, 0, { tableCostNanoUsd: large, model: "m2" }))
    }
    const sums = { costNanoUsd: LARGEST, failedCostNanoUsd: LARGEST, reservedNanoUsd: LARGEST }
    match((await t.totals([], { model: "m1" }))[0]!, { ...sums, tokens: { inputTokens: LARGEST } }, "upwards")
    match((await t.totals([], { model: "m2" }))[0]!, { costNanoUsd: 0, differenceNanoUsd: -LARGEST }, "downwards")
  })

  test("three thousand entries in order, each once, with their sum, and one prune for all of them", {
    rule: "entries, keys, prune",
  }, async (t) => {
    const amounts = range(3_000).map((index) => 1 + (index % 3))
    for (const first of range(30).map((hundred) => hundred * 100))
      await Promise.all(
        range(100).map((index) => t.spend(`r${first + index}`, amounts[first + index]!, {}, `c.${index % 5}`)),
      )
    const entries = await t.entries({}, 1_000)
    equal(new Set(keysOf(entries)).size, amounts.length, "different keys")
    const wrong = entries.findIndex((entry, index) => {
      const before = entries[index - 1]
      if (before === undefined || before.at < entry.at) return false
      return before.at > entry.at || before.idempotencyKey >= entry.idempotencyKey
    })
    equal(wrong, -1, "first entry out of order")
    const costNanoUsd = amounts.reduce((sum, amount) => sum + amount, 0)
    match((await t.totals())[0]!, { costNanoUsd, attempts: amounts.length }, "totals")
    await t.expectSums(["c.0", "c.1", "c.2", "c.3", "c.4"])
    equal(await t.prune(LARGEST), { removed: amounts.length }, "prune")
    equal(await t.entries(), [], "entries after the prune")
  })

  test("totals during writes are of whole entries: cost and count agree", {
    rule: "entries, keys, prune",
  }, async (t) => {
    let working = true
    const writes = (async () => {
      for (const index of range(40)) await Promise.all([t.spend(`a${index}`, 5), t.spend(`b${index}`, 5)])
      working = false
    })()
    let before = 0
    for (let round = 1; working; round++) {
      if (round % 50 === 0) await nextTurn()
      const [row] = await t.totals()
      if (row === undefined) continue
      equal(row.costNanoUsd, 5 * row.attempts, `cost of ${row.attempts} entries`)
      ok(row.attempts >= before, `attempts: expected at least the ${before} of the read before, got ${row.attempts}`)
      before = row.attempts
    }
    await writes
    match((await t.totals())[0]!, { attempts: 80, costNanoUsd: 400 }, "totals in the end")
  })
})

export const ledgerQueryCases = [...pageCases, ...filterCases, ...totalCases]
