import type { BudgetStore, ReserveResult, SettleResult } from "../../store"
import { equal, match } from "../expect"
import { cell, expectCell, LEASE_MS, reserveRequest, settleRequest } from "../requests"
import { type CaseBench, type CaseEntry, casesOf } from "../store-case"

type State = "none" | "held" | "held, lease past" | "expired" | "committed" | "released"

const STATES: readonly State[] = ["none", "held", "held, lease past", "expired", "committed", "released"]
const AMOUNT = 10
const ON_EXPIRE = 6
const COMMITTED = 4

/** An id brought into a state, and the calls that may come to it there. */
interface Subject {
  reserve(fingerprint?: string): Promise<ReserveResult>
  commit(
    amount: number,
    more?: { fingerprint?: string; revision?: number; expiresAt?: number | null },
  ): Promise<SettleResult>
  release(fingerprint?: string): Promise<SettleResult>
  extend: () => ReturnType<BudgetStore["extend"]>
}

async function enter(bench: CaseBench, state: State): Promise<Subject> {
  const { store, root } = bench
  const request = reserveRequest(root, "subject", [cell("a", AMOUNT, 100, { onExpire: ON_EXPIRE })])
  let expiresAt: number | null = null
  const settle = (outcome: "commit" | "release", amount: number, more: object) =>
    store.settle(settleRequest(request, [amount], { outcome, expiresAt, ...more }))
  if (state !== "none") {
    const held = await store.reserve(request)
    if (held.result === "ok") expiresAt = held.expiresAt
  }
  if (state === "held, lease past" || state === "expired") await bench.clock.advance(LEASE_MS + 1)
  if (state === "expired") await store.sweep({ root, max: 10 })
  if (state === "committed") await settle("commit", COMMITTED, {})
  if (state === "released") await settle("release", 0, {})
  return {
    reserve: (fingerprint = request.fingerprint) => store.reserve({ ...request, fingerprint }),
    commit: (amount, more = {}) => settle("commit", amount, more),
    release: (fingerprint = request.fingerprint) => settle("release", 0, { fingerprint }),
    extend: () => store.extend({ root, id: "subject", leaseMs: 2 * LEASE_MS }),
  }
}

type Row = [op: string, outcome: string, run: (subject: Subject, bench: CaseBench) => Promise<void>]

const spent = (amount: number, reserved = 0) => ({ spent: amount, reserved })

const TABLE: Record<State, Row[]> = {
  none: [
    [
      "reserve",
      "held",
      async (subject, bench) => {
        match(await subject.reserve(), { result: "ok", replayed: false }, "reserve")
        await expectCell(bench, "a", spent(0, AMOUNT))
      },
    ],
    [
      "commit of an id that was never reserved",
      "committed, recovered",
      async (subject, bench) => {
        const answer = await subject.commit(8, { expiresAt: null })
        match(answer, { result: "committed", replayed: false, recovered: true }, "commit")
        match(answer.cells[0]!, { spent: 8, reserved: 0, peakBefore: 0, peak: 8 }, "cell")
        match(await subject.reserve(), { result: "resolved", state: "committed" }, "reserve afterwards")
        await expectCell(bench, "a", spent(8))
      },
    ],
    [
      "commit of an id that the store lost",
      "committed, recovered",
      async (subject, bench) => {
        const answer = await subject.commit(8, { expiresAt: (await bench.now()) + LEASE_MS })
        match(answer, { result: "committed", replayed: false, recovered: true }, "commit")
        await expectCell(bench, "a", spent(8))
      },
    ],
    [
      "release",
      "released, a tombstone",
      async (subject, bench) => {
        match(await subject.release(), { result: "released", replayed: false }, "release")
        match(await subject.reserve(), { result: "resolved", state: "released" }, "the reserve that comes after it")
        await expectCell(bench, "a", {})
      },
    ],
    ["extend", "unknown", async (subject) => match(await subject.extend(), { state: "unknown" }, "extend")],
  ],
  held: [
    [
      "reserve",
      "ok, replayed",
      async (subject, bench) => {
        match(await subject.reserve(), { result: "ok", replayed: true }, "reserve")
        await expectCell(bench, "a", spent(0, AMOUNT))
      },
    ],
    [
      "commit",
      "committed",
      async (subject, bench) => {
        match(
          await subject.commit(8),
          { result: "committed", replayed: false, late: false, recovered: false },
          "commit",
        )
        await expectCell(bench, "a", spent(8))
      },
    ],
    [
      "release",
      "released",
      async (subject, bench) => {
        match(await subject.release(), { result: "released", replayed: false, late: false }, "release")
        await expectCell(bench, "a", {})
      },
    ],
    [
      "extend",
      "held",
      async (subject) => {
        const answer = await subject.extend()
        match(answer, { state: "held", expiresAt: answer.now + 2 * LEASE_MS }, "extend")
      },
    ],
    [
      "a reserve or sweep by others",
      "nothing",
      async (subject, bench) => {
        equal((await bench.store.sweep({ root: bench.root, max: 10 })).expired, [], "swept")
        const other = await bench.store.reserve(reserveRequest(bench.root, "other", [cell("a", 1)]))
        equal(other.expired, [], "expired by a reserve")
        match(await subject.reserve(), { result: "ok", replayed: true }, "still held")
      },
    ],
  ],
  "held, lease past": [
    [
      "reserve",
      "resolved: expired",
      async (subject, bench) => {
        const answer = await subject.reserve()
        match(answer, { result: "resolved", state: "expired" }, "reserve")
        equal(
          answer.expired.map((one) => [one.id, one.cells[0]?.charged]),
          [["subject", ON_EXPIRE]],
          "expired",
        )
        await expectCell(bench, "a", spent(ON_EXPIRE))
      },
    ],
    [
      "commit",
      "committed, nothing was charged yet",
      async (subject, bench) => {
        const answer = await subject.commit(8)
        match(answer, { result: "committed", replayed: false, late: false, recovered: false }, "commit")
        match(answer.cells[0]!, { spent: 8, reserved: 0, peakBefore: 0, peak: 8 }, "cell")
        await expectCell(bench, "a", spent(8))
        equal((await bench.store.sweep({ root: bench.root, max: 10 })).expired, [], "a sweep afterwards")
        await expectCell(bench, "a", spent(8), "cell a after a sweep")
      },
    ],
    [
      "release",
      "released",
      async (subject, bench) => {
        match(await subject.release(), { result: "released", replayed: false }, "release")
        equal((await bench.store.sweep({ root: bench.root, max: 10 })).expired, [], "a sweep afterwards")
        await expectCell(bench, "a", {})
      },
    ],
    [
      "extend",
      "expired, never revived",
      async (subject, bench) => {
        match(await subject.extend(), { state: "expired" }, "extend")
        match(await subject.reserve(), { result: "resolved", state: "expired" }, "reserve afterwards")
        await expectCell(bench, "a", spent(ON_EXPIRE))
      },
    ],
    [
      "a reserve by others",
      "expired, charges onExpire",
      async (_subject, bench) => {
        const other = await bench.store.reserve(reserveRequest(bench.root, "other", [cell("b", 1)]))
        equal(
          other.expired,
          [
            {
              id: "subject",
              cells: [
                {
                  key: "a",
                  spent: ON_EXPIRE,
                  reserved: 0,
                  granted: 0,
                  peakBefore: 0,
                  peak: ON_EXPIRE,
                  charged: ON_EXPIRE,
                },
              ],
            },
          ],
          "expired",
        )
        await expectCell(bench, "a", spent(ON_EXPIRE))
      },
    ],
    [
      "a sweep by others",
      "expired, charges onExpire",
      async (_subject, bench) => {
        const swept = await bench.store.sweep({ root: bench.root, max: 10 })
        equal(
          swept.expired.map((one) => [one.id, one.cells[0]?.charged]),
          [["subject", ON_EXPIRE]],
          "expired",
        )
        await expectCell(bench, "a", spent(ON_EXPIRE))
      },
    ],
  ],
  expired: [
    [
      "reserve",
      "resolved: expired",
      async (subject, bench) => {
        match(await subject.reserve(), { result: "resolved", state: "expired", expired: [] }, "reserve")
        await expectCell(bench, "a", spent(ON_EXPIRE))
      },
    ],
    [
      "commit of less than was charged",
      "committed, late: the charge goes down",
      async (subject, bench) => {
        const answer = await subject.commit(2)
        match(answer, { result: "committed", replayed: false, late: true, recovered: false }, "commit")
        match(answer.cells[0]!, { spent: 2, reserved: 0, peakBefore: ON_EXPIRE, peak: ON_EXPIRE }, "cell")
        await expectCell(bench, "a", spent(2))
      },
    ],
    [
      "commit of more than was charged",
      "committed, late: the charge goes up",
      async (subject, bench) => {
        const answer = await subject.commit(15)
        match(answer, { result: "committed", replayed: false, late: true }, "commit")
        match(answer.cells[0]!, { spent: 15, peakBefore: ON_EXPIRE, peak: 15 }, "cell")
        await expectCell(bench, "a", spent(15))
      },
    ],
    [
      "release",
      "released, late: refunded",
      async (subject, bench) => {
        match(await subject.release(), { result: "released", replayed: false, late: true }, "release")
        await expectCell(bench, "a", {})
      },
    ],
    ["extend", "expired", async (subject) => match(await subject.extend(), { state: "expired" }, "extend")],
  ],
  committed: [
    [
      "reserve",
      "resolved: committed",
      async (subject, bench) => {
        match(await subject.reserve(), { result: "resolved", state: "committed" }, "reserve")
        await expectCell(bench, "a", spent(COMMITTED))
      },
    ],
    [
      "commit of the same amounts",
      "replayed",
      async (subject, bench) => {
        match(await subject.commit(COMMITTED), { result: "committed", replayed: true }, "commit")
        await expectCell(bench, "a", spent(COMMITTED))
      },
    ],
    [
      "commit of a higher revision",
      "replaced",
      async (subject, bench) => {
        match(await subject.commit(9, { revision: 2 }), { result: "committed", replayed: false }, "up")
        await expectCell(bench, "a", spent(9))
        match(await subject.commit(3, { revision: 5 }), { result: "committed", replayed: false }, "down")
        await expectCell(bench, "a", spent(3))
        match(await subject.commit(3, { revision: 5 }), { result: "committed", replayed: true }, "the same again")
        await expectCell(bench, "a", spent(3))
      },
    ],
    [
      "commit of the same revision with other amounts",
      "mismatch",
      async (subject, bench) => {
        match(await subject.commit(COMMITTED + 1), { result: "mismatch" }, "commit")
        await expectCell(bench, "a", spent(COMMITTED))
      },
    ],
    [
      "commit of a lower revision",
      "changes nothing",
      async (subject, bench) => {
        await subject.commit(9, { revision: 2 })
        await subject.commit(5, { revision: 1 })
        await subject.commit(COMMITTED)
        await expectCell(bench, "a", spent(9))
        match(await subject.commit(9, { revision: 2 }), { result: "committed", replayed: true }, "the latest again")
      },
    ],
    [
      "release",
      "mismatch",
      async (subject, bench) => {
        match(await subject.release(), { result: "mismatch" }, "release")
        await expectCell(bench, "a", spent(COMMITTED))
      },
    ],
    ["extend", "committed", async (subject) => match(await subject.extend(), { state: "committed" }, "extend")],
  ],
  released: [
    [
      "reserve",
      "resolved: released",
      async (subject, bench) => {
        match(await subject.reserve(), { result: "resolved", state: "released" }, "reserve")
        await expectCell(bench, "a", {})
      },
    ],
    [
      "commit",
      "mismatch: never send after releasing",
      async (subject, bench) => {
        match(await subject.commit(8), { result: "mismatch" }, "commit")
        match(await subject.commit(8, { revision: 1 }), { result: "mismatch" }, "commit of a higher revision")
        await expectCell(bench, "a", {})
      },
    ],
    [
      "release",
      "replayed",
      async (subject, bench) => {
        match(await subject.release(), { result: "released", replayed: true }, "release")
        await expectCell(bench, "a", {})
      },
    ],
    ["extend", "released", async (subject) => match(await subject.extend(), { state: "released" }, "extend")],
  ],
}

const needsClock = (state: State) => state === "held, lease past" || state === "expired"

function entries(states: readonly State[]): CaseEntry[] {
  return states.flatMap((state) => {
    const needs = needsClock(state) ? (["clock"] as const) : []
    const cells = TABLE[state].map(
      ([op, outcome, run]): CaseEntry => [
        `state ${state}: ${op} → ${outcome}`,
        needs,
        async (bench) => run(await enter(bench, state), bench),
      ],
    )
    return state === "none" ? cells : [...cells, mismatchEntry(state, needs)]
  })
}

function mismatchEntry(state: State, needs: CaseEntry[1]): CaseEntry {
  return [
    `state ${state}: another fingerprint → mismatch, nothing changed`,
    needs,
    async (bench) => {
      const subject = await enter(bench, state)
      match(await subject.commit(7, { fingerprint: "other" }), { result: "mismatch" }, "commit")
      match(await subject.commit(7, { fingerprint: "other", revision: 9 }), { result: "mismatch" }, "a higher revision")
      match(await subject.release("other"), { result: "mismatch" }, "release")
      const charged = state === "committed" ? COMMITTED : state === "expired" ? ON_EXPIRE : 0
      const reserved = state.startsWith("held") ? AMOUNT : 0
      await expectCell(bench, "a", spent(charged, reserved))
      match(await subject.reserve("other"), { result: "mismatch" }, "reserve")
      await expectCell(bench, "a", state === "held, lease past" ? spent(ON_EXPIRE) : spent(charged, reserved))
    },
  ]
}

/** Every cell of the contract's state table. What needs a lease to end is of the level `leases`. */
export const stateCases = [
  ...casesOf("contract", "States", entries(STATES.filter((state) => !needsClock(state)))),
  ...casesOf("leases", "States", entries(STATES.filter(needsClock))),
]
