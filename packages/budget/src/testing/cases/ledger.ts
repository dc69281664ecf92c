import type { UsageFilter, UsageGroup } from "../../ledger"
import type { ReserveRequest } from "../../store"
import { all, byGroup, draftOf, expectSums, ledgerOf, spend, totals, usageEntry, withLedger } from "../entries"
import { equal, fail, match, mistake, ok } from "../expect"
import { createRandom } from "../random"
import { adjusted, cell, expectCell, hold, LEASE_MS, reserveRequest, settleRequest } from "../requests"
import { type CaseBench, casesOf } from "../store-case"

const MAX = Number.MAX_SAFE_INTEGER

/** The usage ledger: it agrees with the money because it is written with it. */
export const ledgerCases = casesOf(
  "ledger",
  "The ledger",
  withLedger([
    [
      "settle writes the entry with the money, at the store's time",
      [],
      async (bench) => {
        const entry = usageEntry("q1", 7, {
          tags: { team: "search", __proto__x: "y" },
          modelUsed: "gpt-4o-mini-2024-07-18",
          mode: "json_schema+stream",
          costs: { input: 3, output: 4 },
          tableCostNanoUsd: 6,
          durationMs: 1_234,
          generationId: "gen-1",
          prompt: "What?\n\0 {a} \ud83d\ude00 é e\u0301",
          answer: "That.",
        })
        const held = await hold(bench, "r1", [cell("a", 10), cell("b", 10)])
        const answer = await held.commit([7, 1], { entry })
        const [stored] = await ledgerOf(bench).get({ root: bench.root, requestId: "q1" })
        equal(stored, { ...entry, id: "r1", at: answer.now, revision: 0, charges: { a: 7, b: 1 } }, "entry")
      },
    ],
    [
      "an unknown request and an empty ledger are empty, not errors",
      [],
      async (bench) => {
        equal(await ledgerOf(bench).get({ root: bench.root, requestId: "nothing" }), [], "get")
        equal(await all(bench), [], "list")
        equal(await totals(bench, ["model"]), [], "totals by model")
        equal(await ledgerOf(bench).prune({ root: bench.root, before: MAX }), { removed: 0 }, "prune")
      },
    ],
    [
      "the attempts of a request come in the order of their numbers",
      [],
      async (bench) => {
        for (const attempt of [2, 10, 1, 3]) await spend(bench, `r${attempt}`, attempt, { requestId: "q1", attempt })
        await spend(bench, "other", 5)
        const attempts = await ledgerOf(bench).get({ root: bench.root, requestId: "q1" })
        equal(
          attempts.map((entry) => entry.attempt),
          [1, 2, 3, 10],
          "attempts",
        )
      },
    ],
    [
      "a replayed commit writes no second entry, a higher revision replaces it",
      [],
      async (bench) => {
        const held = await spend(bench, "r1", 10)
        const [first] = await all(bench)
        await held.commit([10], { entry: usageEntry("r1", 10) })
        await held.commit([4], { revision: 1, entry: usageEntry("r1", 4, { costSource: "provider" }) })
        await held.commit([10], { entry: usageEntry("r1", 10) })
        const entries = await all(bench)
        equal(entries.length, 1, "entries")
        match(
          entries[0]!,
          { at: first!.at, revision: 1, costNanoUsd: 4, costSource: "provider", charges: { a: 4 } },
          "entry",
        )
        await expectSums(bench, ["a"])
      },
    ],
    [
      "a mismatch writes no entry",
      [],
      async (bench) => {
        const held = await spend(bench, "r1", 10)
        await held.commit([3], { entry: usageEntry("r1", 3) })
        await held.release({ entry: usageEntry("r1", 0, { status: "released" }) })
        match((await all(bench))[0]!, { costNanoUsd: 10, status: "succeeded", charges: { a: 10 } }, "entry")
        await expectSums(bench, ["a"])
      },
    ],
    [
      "a release with an entry is kept, without a charge",
      [],
      async (bench) => {
        const held = await hold(bench, "r1", [cell("a", 10)])
        await held.release({
          entry: usageEntry("q1", 0, { status: "released", costSource: "none", errorCode: "aborted" }),
        })
        const [entry] = await all(bench)
        match(entry!, { id: "r1", status: "released", errorCode: "aborted", costNanoUsd: 0 }, "entry")
        equal(entry!.charges.a ?? 0, 0, "charge of a")
      },
    ],
    [
      "a commit of an id that the store lost writes its entry",
      [],
      async (bench) => {
        const request = reserveRequest(bench.root, "lost", [cell("a", 10)])
        await bench.store.settle(settleRequest(request, [8], { entry: usageEntry("q1", 8) }))
        match((await all(bench))[0]!, { id: "lost", charges: { a: 8 } }, "entry")
        await expectSums(bench, ["a"])
      },
    ],
    [
      "record writes an entry without money, once per id",
      [],
      async (bench) => {
        const refusal = usageEntry("q1", 0, { status: "refused", errorCode: "budget-exceeded", costSource: "none" })
        const { now } = await ledgerOf(bench).record({ root: bench.root, id: "x1", entry: refusal })
        await ledgerOf(bench).record({ root: bench.root, id: "x1", entry: { ...refusal, errorCode: "other" } })
        const entries = await all(bench)
        equal(entries.length, 1, "entries")
        match(entries[0]!, { id: "x1", at: now, status: "refused", errorCode: "budget-exceeded" }, "entry")
        equal(Object.values(entries[0]!.charges), [], "charges")
        await spend(bench, "r1", 5)
        await ledgerOf(bench).record({ root: bench.root, id: "r1", entry: refusal })
        await expectSums(bench, ["a"])
      },
    ],
    [
      "an expired lease becomes an entry of status expired, and a late commit overwrites it",
      ["clock"],
      async (bench) => {
        const draft = draftOf(usageEntry("q1", 10, { tags: { team: "x" } }))
        const held = await hold(bench, "r1", [cell("a", 10, null, { onExpire: 6 })], { draft })
        await bench.clock.advance(LEASE_MS + 1_234)
        await bench.store.sweep({ root: bench.root, max: 10 })
        const [expired] = await all(bench)
        match(
          expired!,
          { id: "r1", requestId: "q1", status: "expired", tags: { team: "x" }, charges: { a: 6 } },
          "expired",
        )
        equal(expired!.at, bench.clock.now(), "time of the expiry, which is not the end of the lease")
        await expectSums(bench, ["a"])
        await bench.clock.advance(5_000)
        await held.commit([3], { entry: usageEntry("q1", 3) })
        const entries = await all(bench)
        equal(entries.length, 1, "entries")
        match(entries[0]!, { status: "succeeded", costNanoUsd: 3, charges: { a: 3 }, at: expired!.at }, "overwritten")
        equal((await all(bench, { status: "expired" })).length, 0, "entries of the old status")
        equal((await all(bench, { status: "succeeded" })).length, 1, "entries of the new status")
        await expectSums(bench, ["a"])
      },
    ],
    [
      "an expired entry costs what its draft says that expiry costs, and does not keep the saying",
      ["clock"],
      async (bench) => {
        const costs = [
          [undefined, { costNanoUsd: 10, costSource: "bound" }],
          [6, { costNanoUsd: 6, costSource: "bound" }],
          [0, { costNanoUsd: 0, costSource: "none" }],
        ] as const
        for (const [onExpire, told] of costs) {
          const id = `r${onExpire ?? ""}`
          const draft = { ...draftOf(usageEntry(id, 10)), fingerprint: "core's own" }
          const said = onExpire === undefined ? draft : { ...draft, expireCostNanoUsd: onExpire }
          await hold(bench, id, [cell("a", 10, null, { onExpire: onExpire ?? 10 })], { draft: said })
          await bench.clock.advance(LEASE_MS)
          await bench.store.sweep({ root: bench.root, max: 10 })
          const [entry, ...more] = await ledgerOf(bench).get({ root: bench.root, requestId: id })
          equal(more.length, 0, `further entries of ${id}`)
          match(entry!, { id, status: "expired", reservedNanoUsd: 10, fingerprint: "core's own", ...told }, id)
          ok(!("expireCostNanoUsd" in entry!), `${id}: expireCostNanoUsd is for the expiry alone`)
          await expectSums(bench, ["a"])
        }
        const [sums] = await totals(bench, [])
        match(sums!, { expired: 3, costNanoUsd: 16, failedCostNanoUsd: 16 }, "totals")
        await expectCell(bench, "a", { spent: 16 })
      },
    ],
    [
      "an expiry writes its entry, whether a sweep ends the lease, a stranger's reserve or its own retry",
      ["clock"],
      async (bench) => {
        const draft = (requestId: string) => draftOf(usageEntry(requestId, 10))
        const ends = {
          sweep: () => bench.store.sweep({ root: bench.root, max: 10 }),
          stranger: () => bench.store.reserve(reserveRequest(bench.root, "other", [cell("b", 0)])),
          retry: (request: ReserveRequest) => bench.store.reserve(request),
        }
        for (const [name, end] of Object.entries(ends)) {
          const held = await hold(bench, name, [cell("a", 10)], { draft: draft(name) })
          await bench.clock.advance(LEASE_MS)
          await end(held.request)
          const [entry] = await ledgerOf(bench).get({ root: bench.root, requestId: name })
          match(entry ?? {}, { id: name, status: "expired", charges: { a: 10 } }, `the entry of ${name}`)
          await expectSums(bench, ["a"])
        }
      },
    ],
    [
      "a draft alone is no entry: a release without one leaves none",
      [],
      async (bench) => {
        const held = await hold(bench, "r1", [cell("a", 10)], { draft: draftOf(usageEntry("q1", 10)) })
        equal(await all(bench), [], "entries while it is held")
        await held.release()
        equal(await all(bench), [], "entries after the release")
      },
    ],
    [
      "an attempt that no cell counts expires without charges",
      ["clock"],
      async (bench) => {
        await hold(bench, "r1", [], { draft: draftOf(usageEntry("q1", 10)) })
        await bench.clock.advance(LEASE_MS)
        await bench.store.sweep({ root: bench.root, max: 10 })
        const [entry] = await all(bench)
        match(entry!, { id: "r1", status: "expired" }, "entry")
        equal(entry!.charges, {}, "charges")
      },
    ],
    [
      "after a retry across midnight the entry names the cells that were charged",
      ["clock"],
      async (bench) => {
        const now = bench.clock.now()
        const [today, tomorrow] = [
          { startsAt: now - 1_000, endsAt: now + 1_000 },
          { startsAt: now + 1_000, endsAt: now + 3_000 },
        ]
        const entry = usageEntry("q1", 4)
        const draft = draftOf(entry)
        const { request } = await hold(bench, "r1", [cell("day.1", 5, 10, today)], { draft })
        await bench.clock.advance(1_000)
        const retry = { ...request, cells: [cell("day.2", 5, 10, tomorrow)] }
        const answer = await bench.store.reserve(retry)
        if (answer.result !== "ok") fail(`retry: expected ok, got ${answer.result}`)
        await bench.store.settle(settleRequest(retry, [4], { expiresAt: answer.expiresAt, entry }))
        const [written] = await all(bench)
        equal(written!.charges, { "day.1": 4 }, "charges")
        await expectSums(bench, ["day.1", "day.2"])
      },
    ],
    [
      "a late release takes the charge of the expiry back, in the ledger too",
      ["clock"],
      async (bench) => {
        const draft = draftOf(usageEntry("q1", 10))
        const [first, second] = [
          await hold(bench, "r1", [cell("a", 10, null, { onExpire: 6 })], { draft }),
          await hold(bench, "r2", [cell("a", 10, null, { onExpire: 6 })], { draft: { ...draft, requestId: "q2" } }),
        ]
        await bench.clock.advance(LEASE_MS)
        await bench.store.reserve(reserveRequest(bench.root, "other", [cell("b", 0)]))
        await expectSums(bench, ["a"])
        await first.release({ entry: usageEntry("q1", 0, { status: "released", costSource: "none" }) })
        await second.release()
        await expectCell(bench, "a", {})
        await expectSums(bench, ["a"])
      },
    ],
    [
      "pages join without a gap or a repetition, oldest and newest first",
      [],
      async (bench) => {
        for (let index = 0; index < 25; index++) await spend(bench, `r${String(index % 7)}.${index}`, index)
        const whole = await all(bench, {}, 100)
        equal(whole.length, 25, "entries")
        for (const limit of [1, 2, 7, 24, 25]) equal(await all(bench, {}, limit), whole, `oldest, ${limit} a page`)
        for (const limit of [1, 3, 25])
          equal(await all(bench, {}, limit, "newest"), [...whole].reverse(), `newest, ${limit} a page`)
      },
    ],
    [
      "the order is (time, id), also of many entries of one instant",
      ["clock"],
      async (bench) => {
        const ids = ["b", "a10", "B", "a9", "_", "a", "10", "9"]
        for (let step = 0; step < 3; step++) {
          await Promise.all(ids.map((id) => spend(bench, `${id}.${step}`, 1)))
          await bench.clock.advance(1)
        }
        // Within one instant `<` of strings decides, so that "9.0" comes after "10.0".
        const expected = [0, 1, 2].flatMap((step) => ids.map((id) => `${id}.${step}`).sort())
        const listed = (await all(bench, {}, 5)).map((entry) => entry.id)
        equal(listed, expected, "order")
      },
    ],
    [
      "a page is stable under writes: what was there is neither skipped nor repeated",
      ["clock"],
      async (bench) => {
        for (const order of ["oldest", "newest"] as const) {
          for (let index = 0; index < 20; index++) {
            await spend(bench, `${order}.${index}`, 1, { userId: order })
            if (index % 3 === 0) await bench.clock.advance(1)
          }
          const before = (await all(bench, { userId: order })).map((entry) => entry.id)
          const seen: string[] = []
          let cursor: string | undefined
          for (let page = 0; page < 100; page++) {
            const answer = await ledgerOf(bench).list({
              root: bench.root,
              filter: { userId: order },
              cursor,
              limit: 3,
              order,
            })
            seen.push(...answer.entries.map((entry) => entry.id))
            // New entries of the same instant that sort first, and of a later one.
            await spend(bench, `${order}.0.${page}`, 1, { userId: `${order}-other` })
            await bench.clock.advance(1)
            if (page < 5) await spend(bench, `${order}.new.${page}`, 1, { userId: order })
            if (answer.cursor === null) break
            cursor = answer.cursor
          }
          equal(new Set(seen).size, seen.length, `${order}: repeated`)
          const expected = order === "oldest" ? before : [...before].reverse()
          equal(
            seen.filter((id) => before.includes(id)),
            expected,
            `${order}: what was there`,
          )
        }
      },
    ],
    [
      "every filter matches exactly, and together",
      [],
      async (bench) => {
        await spend(bench, "r1", 1, { userId: "u1", clientId: "c1", model: "m1", provider: "p1", tags: { team: "x" } })
        await spend(bench, "r2", 2, { userId: "u2", clientId: "c1", model: "m1", provider: "p2", tags: { team: "y" } })
        await spend(bench, "r3", 3, { userId: "u1", clientId: "c2", model: "m2", provider: "p1", status: "failed" })
        await spend(bench, "r4", 4, { userId: undefined, clientId: undefined, model: "m1", provider: undefined })
        const ids = async (filter: UsageFilter) => (await all(bench, filter, 2)).map((entry) => entry.id).sort()
        equal(await ids({ userId: "u1" }), ["r1", "r3"], "userId")
        equal(await ids({ clientId: "c1" }), ["r1", "r2"], "clientId")
        equal(await ids({ model: "m1" }), ["r1", "r2", "r4"], "model")
        equal(await ids({ provider: "p1" }), ["r1", "r3"], "provider")
        equal(await ids({ status: "failed" }), ["r3"], "status")
        equal(await ids({ requestId: "r2" }), ["r2"], "requestId")
        equal(await ids({ tag: { name: "team", value: "x" } }), ["r1"], "tag")
        equal(await ids({ tag: { name: "constructor", value: "x" } }), [], "a tag that nobody has")
        equal(await ids({ userId: "u1", model: "m1" }), ["r1"], "userId and model")
        equal(await ids({ userId: "u2", status: "failed" }), [], "nothing has both")
        equal(await ids({ userId: "U1" }), [], "another case of letters")
        equal(await ids({ userId: "u" }), [], "a prefix")
        equal(await ids({ userId: "%" }), [], "a wildcard")
      },
    ],
    [
      "from is inclusive and to is exclusive",
      ["clock"],
      async (bench) => {
        const start = bench.clock.now()
        for (let index = 0; index < 5; index++) {
          await spend(bench, `r${index}`, 1)
          await bench.clock.advance(1_000)
        }
        const ids = async (from?: number, to?: number) => (await all(bench, { from, to })).map((entry) => entry.id)
        equal(await ids(start + 1_000, start + 3_000), ["r1", "r2"], "from and to")
        equal(await ids(start + 1_001), ["r2", "r3", "r4"], "from")
        equal(await ids(undefined, start), [], "to")
        const rows = await totals(bench, [], { from: start + 1_000, to: start + 3_000 })
        equal(rows[0]?.attempts, 2, "totals of the same range")
      },
    ],
    [
      "hostile text in an entry comes back as it went in, and matches only itself",
      [],
      async (bench) => {
        const texts = [
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
          "{root}",
          "__proto__",
          "null",
          "a\\b",
          " a",
          "a ",
          "a",
          "A",
          "a\0",
          "\ufb01",
          "fi",
          "\u00df",
          "ss",
          "\ud800",
          "\ud801",
          `${"x".repeat(511)}a`,
          `${"x".repeat(511)}b`,
        ]
        for (const [index, text] of texts.entries()) {
          const everywhere = { userId: text, clientId: text, model: text, provider: text, tags: { [text]: text } }
          await spend(bench, `r${index}`, index, everywhere)
        }
        for (const [index, text] of texts.entries()) {
          const tag = { name: text, value: text }
          for (const filter of [{ userId: text }, { clientId: text }, { model: text }, { provider: text }, { tag }]) {
            const found = await all(bench, filter)
            equal(
              found.map((entry) => entry.id),
              [`r${index}`],
              `filter ${JSON.stringify(filter)}`,
            )
            equal(found[0]!.userId, text, "userId")
          }
        }
        for (const by of ["userId", "clientId", "model", "provider"] as const)
          equal((await totals(bench, [by])).length, texts.length, `groups by ${by}`)
      },
    ],
    [
      "request ids that differ in case, or in the last of 64 characters, are different requests",
      [],
      async (bench) => {
        const requestIds = ["q", "Q", `${"q".repeat(63)}a`, `${"q".repeat(63)}b`]
        for (const [index, requestId] of requestIds.entries()) await spend(bench, `r${index}`, 1, { requestId })
        for (const [index, requestId] of requestIds.entries()) {
          for (const found of [
            await ledgerOf(bench).get({ root: bench.root, requestId }),
            await all(bench, { requestId }),
          ])
            equal(
              found.map((entry) => entry.id),
              [`r${index}`],
              `entries of ${requestId}`,
            )
        }
        equal((await totals(bench, []))[0]?.requests, 4, "requests")
      },
    ],
    [
      "totals add everything up, exactly",
      [],
      async (bench) => {
        await spend(bench, "r1", 10, { requestId: "q1", attempt: 1, status: "failed", tableCostNanoUsd: 8 })
        await spend(bench, "r2", 20, { requestId: "q1", attempt: 2, tableCostNanoUsd: 25 })
        await spend(bench, "r3", 30, { requestId: "q2", tokens: { inputTokens: 1, reasoningTokens: 4 } })
        const refused = usageEntry("q3", 0, { status: "refused", tokens: {}, reservedNanoUsd: 99 })
        await ledgerOf(bench).record({ root: bench.root, id: "x1", entry: refused })
        const rows = await totals(bench, [])
        equal(
          rows,
          [
            {
              group: [],
              requests: 3,
              attempts: 4,
              succeeded: 2,
              failed: 1,
              refused: 1,
              expired: 0,
              tokens: { inputTokens: 21, outputTokens: 10, reasoningTokens: 4 },
              costNanoUsd: 60,
              failedCostNanoUsd: 10,
              reservedNanoUsd: 159,
              differenceNanoUsd: 10 - 8 + (20 - 25),
            },
          ],
          "totals",
        )
      },
    ],
    [
      "totals group by user, client, model, provider, status and tag; what has none is a group of its own",
      [],
      async (bench) => {
        await spend(bench, "r1", 1, { userId: "u1", tags: { team: "x" }, provider: "p" })
        await spend(bench, "r2", 2, { userId: "u2", tags: { team: "y" }, clientId: undefined })
        await spend(bench, "r3", 4, { userId: undefined, tags: undefined, model: "m2", status: "failed" })
        const sums = async (by: UsageGroup) =>
          byGroup(await totals(bench, [by])).map((row) => [row.group[0], row.costNanoUsd])
        const sorted = (rows: unknown[][]) =>
          rows.sort((a, b) => (JSON.stringify([a[0]]) < JSON.stringify([b[0]]) ? -1 : 1))
        equal(
          await sums("userId"),
          sorted([
            ["u1", 1],
            ["u2", 2],
            [null, 4],
          ]),
          "userId",
        )
        equal(
          await sums("clientId"),
          sorted([
            ["client-1", 5],
            [null, 2],
          ]),
          "clientId",
        )
        equal(
          await sums("model"),
          sorted([
            ["openai/gpt-4o-mini", 3],
            ["m2", 4],
          ]),
          "model",
        )
        equal(
          await sums("provider"),
          sorted([
            ["p", 1],
            ["openai", 6],
          ]),
          "provider",
        )
        equal(
          await sums("status"),
          sorted([
            ["succeeded", 3],
            ["failed", 4],
          ]),
          "status",
        )
        equal(
          await sums({ tag: "team" }),
          sorted([
            ["x", 1],
            ["y", 2],
            [null, 4],
          ]),
          "tag",
        )
        const pairs = byGroup(await totals(bench, ["model", "status"], { userId: "u1" }))
        equal(
          pairs.map((row) => [row.group, row.costNanoUsd]),
          [[["openai/gpt-4o-mini", "succeeded"], 1]],
          "two groups and a filter",
        )
      },
    ],
    [
      "time buckets are the caller's: uneven days of a time zone, and nothing outside of them",
      ["clock"],
      async (bench) => {
        const start = bench.clock.now() + 1_000
        const hour = 3_600_000
        // Days of 24, 23 and 25 hours, as a zone with summer time has them.
        const buckets = [start, start + 24 * hour, start + 47 * hour, start + 72 * hour]
        const at: [number, number][] = [
          [start - 1, 1],
          [start, 2],
          [start + 24 * hour - 1, 4],
          [start + 24 * hour, 8],
          [start + 47 * hour - 1, 16],
          [start + 47 * hour, 32],
          [start + 72 * hour - 1, 64],
          [start + 72 * hour, 128],
        ]
        for (const [time, amount] of at) {
          await bench.clock.advance(time - bench.clock.now())
          await spend(bench, `r${amount}`, amount, { model: amount % 3 === 1 ? "m1" : "m2" })
        }
        const rows = [...(await totals(bench, ["bucket"], {}, buckets))].sort(
          (a, b) => Number(a.group[0]) - Number(b.group[0]),
        )
        equal(
          rows.map((row) => [row.group[0], row.costNanoUsd]),
          [
            [buckets[0], 6],
            [buckets[1], 24],
            [buckets[2], 96],
          ],
          "buckets",
        )
        const both = await totals(bench, ["bucket", "model"], {}, buckets)
        equal(
          both.reduce((sum, row) => sum + row.costNanoUsd, 0),
          126,
          "buckets by model",
        )
      },
    ],
    [
      "large sums are exact",
      [],
      async (bench) => {
        const amounts = [1e15 + 1, 2e15 + 3, 1e14 + 1]
        for (const [index, amount] of amounts.entries())
          await spend(bench, `r${index}`, amount, { tokens: { inputTokens: amount } })
        const [row] = await totals(bench, [])
        const sum = amounts.reduce((total, amount) => total + amount, 0)
        match(row!, { costNanoUsd: sum, reservedNanoUsd: sum, tokens: { inputTokens: sum } }, "totals")
        equal((await all(bench))[1]!.charges, { a: 2e15 + 3 }, "charge")
        await expectSums(bench, ["a"])
      },
    ],
    ["for every cell, spent is the sum of its entries plus adjustments, whatever happened", ["clock"], randomSums],
    [
      "prune removes what is older, and changes no cell",
      ["clock"],
      async (bench) => {
        const start = bench.clock.now()
        for (let index = 0; index < 6; index++) {
          await spend(bench, `r${index}`, 10, { tags: { team: `t${index % 2}` } })
          await bench.clock.advance(1_000)
        }
        equal(await ledgerOf(bench).prune({ root: bench.root, before: start + 3_000 }), { removed: 3 }, "prune")
        equal(
          (await all(bench)).map((entry) => entry.id),
          ["r3", "r4", "r5"],
          "entries",
        )
        equal(await ledgerOf(bench).get({ root: bench.root, requestId: "r1" }), [], "get of what was pruned")
        for (const by of ["userId", "status"] as const)
          equal((await totals(bench, [by]))[0]?.costNanoUsd, 30, `totals by ${by}`)
        const [bucket] = await totals(bench, ["bucket"], {}, [start, start + 10_000])
        equal(bucket?.costNanoUsd, 30, "totals of a time that the prune cuts through")
        equal((await totals(bench, [{ tag: "team" }])).map((row) => row.costNanoUsd).sort(), [10, 20], "totals by tag")
        equal((await all(bench, { tag: { name: "team", value: "t0" } })).length, 1, "entries of one tag")
        equal(await ledgerOf(bench).prune({ root: bench.root, before: start + 3_000 }), { removed: 0 }, "again")
        await expectCell(bench, "a", { spent: 60 })
      },
    ],
    [
      "the ledger's retention lets entries leave by themselves",
      ["clock", "ledgerRetention"],
      async (bench) => {
        const keptMs = bench.target.ledgerRetentionMs!
        await spend(bench, "old", 1)
        await bench.clock.advance(keptMs - 1_000)
        equal((await all(bench)).length, 1, "shortly before its end")
        await spend(bench, "new", 2)
        await bench.clock.advance(2_000)
        equal(
          (await all(bench)).map((entry) => entry.id),
          ["new"],
          "shortly after its end",
        )
        equal(await ledgerOf(bench).get({ root: bench.root, requestId: "old" }), [], "get")
        await expectCell(bench, "a", { spent: 3 })
      },
    ],
    [
      "roots have ledgers of their own",
      [],
      async (bench) => {
        await spend(bench, "r1", 1)
        const other = { ...bench, root: bench.otherRoot("other"), clock: undefined as never }
        await spend(other, "r1", 2)
        equal(
          (await all(bench)).map((entry) => entry.costNanoUsd),
          [1],
          "one",
        )
        equal(
          (await all(other)).map((entry) => entry.costNanoUsd),
          [2],
          "the other",
        )
        for (const [one, cost] of [[bench, 1] as const, [other, 2] as const]) {
          const found = await ledgerOf(bench).get({ root: one.root, requestId: "r1" })
          equal(
            found.map((entry) => entry.costNanoUsd),
            [cost],
            `the request r1 in ${one.root}`,
          )
          equal((await totals(one, []))[0]?.costNanoUsd, cost, `totals of ${one.root}`)
        }
        await ledgerOf(bench).prune({ root: other.root, before: MAX })
        equal((await all(bench)).length, 1, "one after the other was pruned")
        const longer = { ...other, root: bench.otherRoot("longer") }
        await spend(longer, "r1", 3)
        await ledgerOf(bench).prune({ root: bench.root, before: MAX })
        equal((await all(bench)).length, 0, "one after it was pruned itself")
        equal((await all(longer)).length, 1, "a root whose name only begins with the name of the pruned one")
      },
    ],
    [
      "ten thousand entries in order, each once, and their sum, and one prune for all of them",
      [],
      async (bench) => {
        const total = 10_000
        for (let first = 0; first < total; first += 100) {
          await Promise.all(
            Array.from({ length: 100 }, (_, index) =>
              spend(bench, `r${first + index}`, 1 + ((first + index) % 3), {}, `c.${index % 5}`),
            ),
          )
        }
        const entries = await all(bench, {}, 1_000)
        equal(new Set(entries.map((entry) => entry.id)).size, total, "different ids")
        const wrong = entries.findIndex((entry, index) => {
          const before = entries[index - 1]
          return before !== undefined && (before.at > entry.at || (before.at === entry.at && before.id >= entry.id))
        })
        equal(wrong, -1, "first entry out of order")
        const sum = Array.from({ length: total }, (_, index) => 1 + (index % 3)).reduce((a, b) => a + b, 0)
        equal((await totals(bench, []))[0]?.costNanoUsd, sum, "sum")
        await expectSums(bench, ["c.0", "c.1", "c.2", "c.3", "c.4"])
        equal(await ledgerOf(bench).prune({ root: bench.root, before: MAX }), { removed: total }, "pruned in one call")
        equal(await all(bench), [], "what is left")
      },
    ],
    [
      "several writers at once: every entry is there, and the sums agree",
      [],
      async (bench) => {
        const writers = Array.from({ length: 8 }, async (_, writer) => {
          for (let index = 0; index < 25; index++) {
            await spend(bench, `w${writer}.${index}`, writer + index, { userId: `u${writer}` }, `c.${index % 3}`)
            if (index % 5 === 0) await all(bench, { userId: `u${writer}` }, 10)
          }
        })
        await Promise.all(writers)
        equal((await all(bench)).length, 200, "entries")
        equal((await totals(bench, ["userId"])).length, 8, "users")
        await expectSums(bench, ["c.0", "c.1", "c.2"])
      },
    ],
    [
      "a cursor or a limit that makes no sense is a mistake",
      [],
      async (bench) => {
        const list = (limit: number) => ledgerOf(bench).list({ root: bench.root, filter: {}, limit })
        for (const bad of [0, -1, 0.5, Number.NaN]) await mistake(() => list(bad), `limit ${bad}`)
        await spend(bench, "r1", 1)
        for (const cursor of ["", "/", "no cursor at all", "{}"]) {
          const from = () => ledgerOf(bench).list({ root: bench.root, filter: {}, limit: 1, cursor })
          await mistake(from, `the cursor ${JSON.stringify(cursor)}`)
        }
        await mistake(
          () => ledgerOf(bench).list({ root: "a{b}", filter: {}, limit: 1 }),
          "a root outside of the alphabet",
        )
        await mistake(() => ledgerOf(bench).record({ root: bench.root, id: "a b", entry: usageEntry("q", 0) }), "an id")
      },
    ],
  ]),
)

async function randomSums(bench: CaseBench): Promise<void> {
  const random = createRandom(bench.seed)
  const keys = ["a", "b", "c"]
  const adjustments: Record<string, number> = {}
  const open: Awaited<ReturnType<typeof hold>>[] = []
  for (let step = 0; step < 150; step++) {
    const id = `r${step}`
    const chosen = random.shuffle(keys).slice(0, random.integer(1, 3))
    const amount = random.integer(0, 50)
    const entry = usageEntry(id, amount)
    const cells = chosen.map((key) => cell(key, amount, null, { onExpire: random.integer(0, amount) }))
    open.push(await hold(bench, id, cells, { draft: draftOf(entry), leaseMs: random.integer(1, 5_000) }))
    const settled = random.pick(open)
    const amounts = settled.request.cells.map(() => random.integer(0, 80))
    const truth = usageEntry(settled.request.id, amounts[0]!)
    if (random.chance(0.5)) await settled.commit(amounts, { entry: truth, revision: random.integer(0, 3) })
    else if (random.chance(0.4)) await settled.release({ entry: { ...truth, status: "released", costNanoUsd: 0 } })
    if (random.chance(0.2)) await bench.clock.advance(random.integer(1, 4_000))
    if (random.chance(0.1)) {
      const key = random.pick(keys)
      const { applied } = await adjusted(bench, `a${step}`, key, "spent", random.integer(-20, 20))
      adjustments[key] = (adjustments[key] ?? 0) + applied
    }
  }
  await expectSums(bench, keys, adjustments)
  await bench.clock.advance(10_000)
  await bench.store.sweep({ root: bench.root, max: 1_000 })
  await expectSums(bench, keys, adjustments)
}
