import type { StoredEntry, UsageEntry, UsageFilter } from "../../ledger"
import { all, draftOf, expectSums, ledgerOf, spend, totals, usageEntry, withLedger } from "../entries"
import { equal, match, mistake, ok } from "../expect"
import { cell, cellState, expectCell, hold, LEASE_MS, reserveRequest } from "../requests"
import { type CaseBench, casesOf } from "../store-case"

const MAX = Number.MAX_SAFE_INTEGER

const sumOf = (entries: readonly StoredEntry[]) => entries.reduce((sum, entry) => sum + (entry.charges.a ?? 0), 0)

/** What an entry says first may not be what it says last; money and entry are one at every moment in between. */
export const ledgerTruthCases = casesOf(
  "ledger",
  "The ledger",
  withLedger([
    [
      "money and entry are one step: whoever sees the one sees the other",
      [],
      async (bench) => {
        let working = 8
        const lanes = Array.from({ length: working }, async (_, lane) => {
          for (let round = 0; round < 8; round++) await spend(bench, `r${lane}.${round}`, 1 + round)
          working--
        })
        const work = Promise.all(lanes)
        while (working > 0) {
          const { spent } = await cellState(bench, "a")
          const listed = sumOf(await all(bench))
          ok(listed >= spent, `spent ${spent} was read, and then entries of ${listed}: money without its entry`)
          const after = (await cellState(bench, "a")).spent
          ok(after >= listed, `entries of ${listed} were listed, and then spent ${after}: an entry without its money`)
        }
        await work
        await expectSums(bench, ["a"])
      },
    ],
    [
      "a settle whose entry is a mistake moves no money, and a draft that is one reserves none",
      [],
      async (bench) => {
        const held = await hold(bench, "r1", [cell("a", 10)])
        const bad: [what: string, changes: object][] = [
          ["a negative cost", { costNanoUsd: -1 }],
          ["a fraction of a nano", { costNanoUsd: 0.5 }],
          ["tokens that are no number", { tokens: { inputTokens: Number.NaN } }],
          ["an unknown status", { status: "done" }],
          ["no request id", { requestId: undefined }],
          ["attempt 0", { attempt: 0 }],
          ["more than 64 KiB of prompt", { prompt: "p".repeat(65_537) }],
        ]
        for (const [what, changes] of bad) {
          const entry = { ...usageEntry("q1", 5), ...changes } as UsageEntry
          await mistake(() => held.commit([5], { entry }), `commit with ${what}`)
          await mistake(() => ledgerOf(bench).record({ root: bench.root, id: "x1", entry }), `record with ${what}`)
          await expectCell(bench, "a", { reserved: 10 }, `cell a after ${what}`)
        }
        const draft = { ...draftOf(usageEntry("q2", 5)), reservedNanoUsd: -1 }
        await mistake(() => bench.store.reserve(reserveRequest(bench.root, "r2", [cell("b", 5)], { draft })), "a draft")
        await expectCell(bench, "b", {})
        equal(await all(bench), [], "entries")
        match(
          await held.commit([5], { entry: usageEntry("q1", 5) }),
          { result: "committed", replayed: false },
          "commit",
        )
      },
    ],
    [
      "a settle without an entry leaves what it found, with the charges of now",
      ["clock"],
      async (bench) => {
        const draft = draftOf(usageEntry("q1", 10))
        const late = await hold(bench, "r1", [cell("a", 10, null, { onExpire: 6 })], { draft })
        const corrected = await spend(bench, "r2", 10)
        await bench.clock.advance(LEASE_MS)
        await bench.store.sweep({ root: bench.root, max: 10 })
        await late.commit([3])
        await corrected.commit([4], { revision: 1 })
        const entries = await all(bench)
        equal(
          entries.map((entry) => [entry.id, entry.charges]).sort(),
          [
            ["r1", { a: 3 }],
            ["r2", { a: 4 }],
          ],
          "charges",
        )
        await expectSums(bench, ["a"])
      },
    ],
    [
      "a later truth replaces the whole entry: nothing of the one before is kept or found",
      ["clock"],
      async (bench) => {
        const first = usageEntry("q1", 10, { model: "m1", provider: "p1", userId: "u1", tags: { team: "x", old: "1" } })
        const held = await hold(bench, "r1", [cell("a", 10)], { draft: { ...draftOf(first), fingerprint: "f" } })
        await bench.clock.advance(LEASE_MS)
        await bench.store.sweep({ root: bench.root, max: 10 })
        const [{ at } = { at: 0 }] = await all(bench)
        const truths = [
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
        let before = first
        for (const [revision, entry] of truths.entries()) {
          await bench.clock.advance(1_000)
          await held.commit([entry.costNanoUsd], { revision, entry })
          const stored = { ...entry, id: "r1", at, revision, charges: { a: entry.costNanoUsd } }
          equal(await all(bench), [stored], `the entry of revision ${revision}`)
          await expectFoundBy(bench, entry, 1)
          await expectFoundBy(bench, before, 0)
          before = entry
        }
        await expectSums(bench, ["a"])
      },
    ],
    [
      "totals follow the last truth: late, corrected and released",
      ["clock"],
      async (bench) => {
        const draft = (requestId: string) => draftOf(usageEntry(requestId, 10, { tags: { team: "x" } }))
        const late = await hold(bench, "r1", [cell("a", 10)], { draft: draft("q1") })
        const released = await hold(bench, "r2", [cell("a", 10)], { draft: draft("q2") })
        const sums = async () => {
          const rows = [await totals(bench, []), await totals(bench, ["model"]), await totals(bench, [{ tag: "team" }])]
          const told = rows.map(([row, ...more]) => {
            equal(more, [], "further groups")
            return [row?.attempts, row?.succeeded, row?.expired, row?.costNanoUsd, row?.tokens.inputTokens ?? 0]
          })
          equal([told[1], told[2]], [told[0], told[0]], "totals by model and by tag, as those of everything")
          return told[0]
        }
        await bench.clock.advance(LEASE_MS)
        await bench.store.sweep({ root: bench.root, max: 10 })
        equal(await sums(), [2, 0, 2, 20, 0], "both expired")
        const entry = (costNanoUsd: number) => usageEntry("q1", costNanoUsd, { tags: { team: "x" } })
        await late.commit([4], { entry: entry(4) })
        equal(await sums(), [2, 1, 1, 14, 10], "one was committed late")
        const corrected = { ...entry(7), tokens: { inputTokens: 12, outputTokens: 5 } }
        await late.commit([7], { revision: 1, entry: corrected })
        equal(await sums(), [2, 1, 1, 17, 12], "and then corrected")
        await released.release()
        equal(await sums(), [2, 1, 0, 7, 12], "and the other was released")
      },
    ],
    [
      "a refusal that was recorded gives way to the attempt that is settled under its id",
      [],
      async (bench) => {
        const refusal = usageEntry("q1", 0, { status: "refused", errorCode: "budget-exceeded", costSource: "none" })
        await ledgerOf(bench).record({ root: bench.root, id: "r1", entry: refusal })
        await spend(bench, "r1", 5, { requestId: "q1" })
        const entries = await all(bench)
        equal(entries.length, 1, "entries")
        match(entries[0]!, { id: "r1", status: "succeeded", costNanoUsd: 5, charges: { a: 5 } }, "entry")
        await expectSums(bench, ["a"])
      },
    ],
    [
      "a ledger keeps copies, and gives copies",
      [],
      async (bench) => {
        const held = await hold(bench, "r1", [cell("a", 10)])
        const entry = usageEntry("q1", 5, { tags: { team: "x" } })
        const [wanted, settling] = [structuredClone(entry), held.commit([5], { entry })]
        spoil(entry)
        await settling
        spoil(entry)
        const refusal = usageEntry("q2", 0, { status: "refused", tags: { team: "x" } })
        const [refused, recording] = [
          structuredClone(refusal),
          ledgerOf(bench).record({ root: bench.root, id: "x1", entry: refusal }),
        ]
        spoil(refusal)
        await recording
        for (let round = 0; round < 2; round++) {
          const listed = await all(bench)
          const got = await ledgerOf(bench).get({ root: bench.root, requestId: "q1" })
          match(listed.find(({ id }) => id === "r1") ?? {}, { ...wanted }, "the settled entry in a page")
          match(listed.find(({ id }) => id === "x1") ?? {}, { ...refused }, "the recorded entry in a page")
          match(got[0] ?? {}, { ...wanted, charges: { a: 5 } }, "the settled entry by its request")
          for (const one of [...listed, ...got]) spoil(one)
        }
      },
    ],
    [
      "filters hold for totals as for pages, oldest and newest first",
      ["clock"],
      async (bench) => {
        const start = bench.clock.now()
        for (let index = 0; index < 12; index++) {
          const status = index % 4 === 3 ? "failed" : "succeeded"
          const tags = { team: `t${index % 2}`, size: `s${index % 3}` }
          const names = {
            userId: `u${index % 2}`,
            clientId: `c${index % 3}`,
            model: `m${index % 4}`,
            provider: `p${index % 5}`,
          }
          await spend(bench, `r${index}`, 1 + index, { ...names, requestId: `q${index % 6}`, status, tags })
          await bench.clock.advance(1_000)
        }
        const everything = await all(bench)
        const some: [UsageFilter, (entry: StoredEntry) => boolean][] = [
          [{ userId: "u1" }, (entry) => entry.userId === "u1"],
          [{ clientId: "c1" }, (entry) => entry.clientId === "c1"],
          [{ model: "m2" }, (entry) => entry.model === "m2"],
          [{ provider: "p3" }, (entry) => entry.provider === "p3"],
          [{ requestId: "q4" }, (entry) => entry.requestId === "q4"],
          [{ status: "failed" }, (entry) => entry.status === "failed"],
          [{ tag: { name: "team", value: "t0" } }, (entry) => entry.tags?.team === "t0"],
          [{ tag: { name: "size", value: "t0" } }, () => false],
          [
            { from: start + 2_000, to: start + 9_000 },
            (entry) => entry.at >= start + 2_000 && entry.at < start + 9_000,
          ],
        ]
        const both = some.flatMap(([one, first]) =>
          some.map(([other, second]): (typeof some)[number] => [
            { ...one, ...other },
            // Of two values for one field the second is asked for.
            "tag" in one && "tag" in other ? second : (entry) => first(entry) && second(entry),
          ]),
        )
        for (const [filter, passes] of both) {
          const wanted = everything.filter(passes)
          const what = JSON.stringify(filter)
          equal(await all(bench, filter, 3), wanted, `oldest first, ${what}`)
          equal(await all(bench, filter, 3, "newest"), [...wanted].reverse(), `newest first, ${what}`)
          const [row] = await totals(bench, [], filter)
          const cost = wanted.reduce((sum, entry) => sum + entry.costNanoUsd, 0)
          equal([row?.attempts ?? 0, row?.costNanoUsd ?? 0], [wanted.length, cost], `totals, ${what}`)
        }
      },
    ],
    [
      "a request of several attempts is one request in every group that it is in",
      [],
      async (bench) => {
        for (const [attempt, model] of ["m1", "m1", "m2"].entries())
          await spend(bench, `r${attempt}`, 1, { requestId: "q1", attempt: attempt + 1, model, tags: { team: "x" } })
        await spend(bench, "r9", 1, { requestId: "q2", model: "m1", tags: { team: "x" } })
        const counts = async (...by: Parameters<typeof totals>[1]) =>
          (await totals(bench, by))
            .map(({ group, requests, attempts }) => [...group, requests, attempts])
            .sort((a, b) => (String(a) < String(b) ? -1 : 1))
        const byModel = [
          ["m1", 2, 3],
          ["m2", 1, 1],
        ]
        equal(await counts(), [[2, 4]], "all")
        equal(await counts("model"), byModel, "by model")
        equal(await counts({ tag: "team" }), [["x", 2, 4]], "by tag")
        equal(
          await counts("userId", "model"),
          byModel.map((row) => ["user-1", ...row]),
          "by user and model",
        )
      },
    ],
    [
      "64 KiB of prompt and answer are kept to the last character",
      [],
      async (bench) => {
        const entry = usageEntry("q1", 5, { prompt: `${"p".repeat(65_535)}!`, answer: "\u00e9".repeat(32_768) })
        await (await hold(bench, "r1", [cell("a", 5)])).commit([5], { entry })
        const [stored] = await all(bench)
        ok(stored?.prompt === entry.prompt, `prompt: expected 65536 characters, got ${stored?.prompt?.length}`)
        ok(stored?.answer === entry.answer, `answer: expected 32768 characters, got ${stored?.answer?.length}`)
      },
    ],
    [
      "sums that no number holds stop at the last one, upwards and downwards",
      [],
      async (bench) => {
        for (let index = 0; index < 3; index++) {
          const tokens = { inputTokens: MAX - index }
          const entry = usageEntry(`q${index}`, MAX - index, { tokens, status: "failed", model: "m1" })
          await (await hold(bench, `r${index}`, [])).commit([], { entry })
          const cheaper = usageEntry(`q${index}`, 0, { tableCostNanoUsd: MAX - index, attempt: 2, model: "m2" })
          await (await hold(bench, `s${index}`, [])).commit([], { entry: cheaper })
        }
        const [dear] = await totals(bench, [], { model: "m1" })
        match(
          dear!,
          { costNanoUsd: MAX, failedCostNanoUsd: MAX, reservedNanoUsd: MAX, tokens: { inputTokens: MAX } },
          "up",
        )
        const [cheap] = await totals(bench, [], { model: "m2" })
        match(cheap!, { costNanoUsd: 0, differenceNanoUsd: -MAX }, "down")
      },
    ],
  ]),
)

/** Whoever asks for this entry by any of its values gets so many, in pages and in totals. */
async function expectFoundBy(bench: CaseBench, entry: UsageEntry, count: number): Promise<void> {
  const { model, provider, userId } = entry
  const tag = { name: "team", value: entry.tags!.team! }
  for (const filter of [{ model }, { provider }, { userId }, { tag }] satisfies UsageFilter[]) {
    const what = JSON.stringify(filter)
    equal((await all(bench, filter)).length, count, `entries of ${what}`)
    equal((await totals(bench, [], filter))[0]?.attempts ?? 0, count, `attempts in totals of ${what}`)
  }
  const groups = (await totals(bench, ["model", { tag: "team" }])).map((row) => row.group)
  equal(groups.filter(([group]) => group === model).length, count, `groups of the model ${model}`)
}

/** What a careless caller does to an object that is its own. */
function spoil(entry: UsageEntry): void {
  entry.tokens.inputTokens = 99
  entry.costNanoUsd = 99
  entry.model = "spoilt"
  Object.assign(entry.tags ?? {}, { team: "spoilt" })
  if ("charges" in entry) Object.assign(entry.charges as object, { a: 99 })
}
