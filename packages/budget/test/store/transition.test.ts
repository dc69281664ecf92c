import { describe, expect, it } from "vitest"
import type { AdjustRequest, ReserveRequest, SettleCounter, SettleRequest, StoredEntry } from "../../src/store"
import type { CounterRecord, KeyRecords, Moment, ReservationRecord, Step, Writes } from "../../src/store/transition"
import * as transition from "../../src/store/transition"
import { entryOf } from "./entry-of"

const MAX = Number.MAX_SAFE_INTEGER
const DAY = 86_400_000
const NOW = 1_000_000
const RETENTION = 60_000
const moment = (now = NOW, clock = now): Moment => ({ clock, now, retentionMs: RETENTION, ledger: true })

const ENDLESS = { startsAt: null, endsAt: null, keepMs: null }
const counterOf = (more: Partial<CounterRecord> = {}): CounterRecord => ({
  spent: 0,
  reserved: 0,
  granted: 0,
  peak: 0,
  forgetAt: null,
  ...more,
})
const stored = (more: Partial<StoredEntry> = {}): StoredEntry => ({
  ...entryOf(),
  idempotencyKey: "k",
  at: NOW - 5,
  revision: 0,
  state: "settled",
  charges: { a: 7, b: 3 },
  ...more,
})

/** A key that was reserved with 10 in `a` and 5 in `b`. */
function reservationOf(state: ReservationRecord["state"], more: Partial<ReservationRecord> = {}): ReservationRecord {
  const charged = { held: [0, 0], settled: [7, 3], released: [0, 0], expired: [10, 2] }[state]
  return {
    state,
    fingerprint: "f",
    revision: 0,
    leaseEnd: NOW + 100,
    counters: [
      { name: "a", amount: 10, onExpire: 10, charged: charged[0]! },
      { name: "b", amount: 5, onExpire: 2, charged: charged[1]! },
    ],
    pendingEntry: state === "held" ? entryOf({ status: "expired", costNanoUsd: 10, costSource: "bound" }) : null,
    forgetAt: state === "held" ? null : NOW + 100 + RETENTION,
    ...more,
  }
}

/** Its counters, in which others have spent 100. */
function countersOf(reservation: ReservationRecord | undefined): Map<string, CounterRecord> {
  const pairs = ["a", "b"].map((name) => {
    const own = reservation?.counters.find((counter) => counter.name === name)
    const spent = 100 + (own?.charged ?? 0)
    const reserved = reservation?.state === "held" ? own!.amount : 0
    return [name, counterOf({ spent, reserved, peak: spent })] as const
  })
  return new Map(pairs)
}

const recordsOf = (reservation?: ReservationRecord, more: Partial<KeyRecords> = {}): KeyRecords => ({
  reservation,
  entry: undefined,
  counters: countersOf(reservation),
  ...more,
})

const reserveRequest = (more: Partial<ReserveRequest> = {}): ReserveRequest => ({
  partition: "p",
  key: "k",
  fingerprint: "f",
  counters: [
    { name: "a", ...ENDLESS, amount: 10, limit: null, onExpire: 10 },
    { name: "b", ...ENDLESS, amount: 5, limit: null, onExpire: 2 },
  ],
  leaseMs: 1_000,
  pendingEntry: entryOf({ status: "expired" }),
  ...more,
})
const settleCounters = (a: number, b: number): SettleCounter[] => [
  { name: "a", ...ENDLESS, reserved: 10, amount: a },
  { name: "b", ...ENDLESS, reserved: 5, amount: b },
]
const settleRequest = (more: Partial<SettleRequest> = {}): SettleRequest => ({
  partition: "p",
  key: "k",
  fingerprint: "f",
  outcome: "settled",
  revision: 0,
  counters: settleCounters(7, 3),
  expiresAt: NOW + 100,
  entry: entryOf(),
  ...more,
})
const releaseRequest = (more: Partial<SettleRequest> = {}) =>
  settleRequest({
    outcome: "released",
    counters: settleCounters(0, 0),
    entry: entryOf({ status: "released" }),
    ...more,
  })

const reserve = (records: KeyRecords, request = reserveRequest(), at = moment()) =>
  transition.reserve(records, request, at, false)
const settle = (records: KeyRecords, request = settleRequest(), at = moment(), damaged = false) =>
  transition.settle(records, request, at, damaged)
const extend = (records: KeyRecords, leaseMs = 1_000, at = moment()) =>
  transition.extend(records, { partition: "p", key: "k", leaseMs }, at)
const expire = (records: KeyRecords, at = moment(), counters = ["a", "b"]) =>
  transition.expire(records, { partition: "p", key: "k", counters }, at)

/** What a counter becomes, undefined if it is not written. */
const written = ({ writes }: { writes: Writes }, name: string) =>
  writes.counters?.find((one) => one.name === name)?.counter

describe("states of an idempotency key", () => {
  const ended = reservationOf("held", { leaseEnd: NOW })
  const rows = {
    none: undefined,
    held: reservationOf("held"),
    "held, lease ended": ended,
    expired: reservationOf("expired"),
    settled: reservationOf("settled"),
    released: reservationOf("released"),
  }
  type Row = keyof typeof rows
  type Column = "reserve" | "settle" | "higher" | "release" | "extend" | "expire"
  const steps: Record<Column, (records: KeyRecords) => Step<unknown>> = {
    reserve: (records) => reserve(records),
    settle: (records) => settle(records),
    higher: (records) => settle(records, settleRequest({ revision: 1, counters: settleCounters(1, 1) })),
    release: (records) => settle(records, releaseRequest()),
    extend: (records) => extend(records),
    expire: (records) => expire(records),
  }
  const table: Record<Row, Record<Column, object>> = {
    none: {
      reserve: { status: "ok", replayed: false, expiresAt: NOW + 1_000 },
      settle: { status: "settled", replayed: false, late: false, recovered: true },
      higher: { status: "settled", recovered: true },
      release: { status: "released", replayed: false, late: false, recovered: false },
      extend: { status: "unknown" },
      expire: { status: "not-due" },
    },
    held: {
      reserve: { status: "ok", replayed: true, expiresAt: NOW + 100 },
      settle: { status: "settled", replayed: false, late: false, recovered: false },
      higher: { status: "settled", replayed: false },
      release: { status: "released", replayed: false, late: false },
      extend: { status: "held", expiresAt: NOW + 1_000 },
      expire: { status: "not-due" },
    },
    "held, lease ended": {
      reserve: { status: "lease-ended", storedCounters: ["a", "b"] },
      settle: { status: "settled", late: false },
      higher: { status: "settled", late: false },
      release: { status: "released", late: false },
      extend: { status: "expired" },
      expire: { status: "expired", charged: [10, 2] },
    },
    expired: {
      reserve: { status: "resolved", state: "expired" },
      settle: { status: "settled", late: true, recovered: false },
      higher: { status: "settled", late: true },
      release: { status: "released", late: true },
      extend: { status: "expired" },
      expire: { status: "not-due" },
    },
    settled: {
      reserve: { status: "resolved", state: "settled" },
      settle: { status: "settled", replayed: true },
      higher: { status: "settled", replayed: false, late: false },
      release: { status: "mismatch" },
      extend: { status: "settled" },
      expire: { status: "not-due" },
    },
    released: {
      reserve: { status: "resolved", state: "released" },
      settle: { status: "mismatch" },
      higher: { status: "mismatch" },
      release: { status: "released", replayed: true },
      extend: { status: "released" },
      expire: { status: "not-due" },
    },
  }
  /** Cells in which something is written. */
  const writing: Record<Row, Column[]> = {
    none: ["reserve", "settle", "higher", "release"],
    held: ["settle", "higher", "release", "extend"],
    "held, lease ended": ["settle", "higher", "release", "expire"],
    expired: ["settle", "higher", "release"],
    settled: ["higher"],
    released: [],
  }
  /** What both counters have afterwards, above the 100 of others. */
  const balances: Record<Row, Partial<Record<Column, [spentA: number, spentB: number]>>> = {
    none: { reserve: [0, 0], settle: [7, 3], higher: [1, 1], release: [0, 0] },
    held: { settle: [7, 3], higher: [1, 1], release: [0, 0] },
    "held, lease ended": { settle: [7, 3], higher: [1, 1], release: [0, 0], expire: [10, 2] },
    expired: { settle: [7, 3], higher: [1, 1], release: [0, 0] },
    settled: { higher: [1, 1] },
    released: {},
  }

  for (const row of Object.keys(rows) as Row[]) {
    for (const column of Object.keys(steps) as Column[]) {
      it(`${row}: ${column} replies ${Object.values(table[row][column])[0]}`, () => {
        const records = recordsOf(rows[row])
        const before = structuredClone([...countersOf(rows[row])])
        const step = steps[column](records)
        expect(step.reply).toMatchObject({ now: NOW, ...table[row][column] })
        expect(Object.keys(step.writes).length > 0).toBe(writing[row].includes(column))
        const [a, b] = balances[row][column] ?? []
        if (a !== undefined && b !== undefined) {
          const held = column === "reserve"
          expect(written(step, "a")).toMatchObject({ spent: 100 + a, reserved: held ? 10 : 0 })
          expect(written(step, "b")).toMatchObject({ spent: 100 + b, reserved: held ? 5 : 0 })
          expect(step.writes.time).toBe(NOW)
        }
        // The arguments have not changed.
        expect([...(records.counters as Map<string, CounterRecord>)]).toEqual(before)
      })
    }
    if (row === "none") continue
    it(`${row}: another fingerprint is a mismatch, and writes nothing`, () => {
      const records = recordsOf(rows[row])
      for (const step of [
        reserve(records, reserveRequest({ fingerprint: "g" })),
        settle(records, settleRequest({ fingerprint: "g" })),
        settle(records, settleRequest({ fingerprint: "g", revision: 5 })),
        settle(records, releaseRequest({ fingerprint: "g" })),
      ]) {
        expect(step.reply).toMatchObject({ status: "mismatch" })
        expect(step.writes).toEqual({})
      }
    })
  }
})

describe("reserve", () => {
  it("looks the key up before the windows", () => {
    const closed = { startsAt: null, endsAt: NOW, keepMs: null }
    const counters = reserveRequest().counters.map((counter) => ({ ...counter, ...closed }))
    const request = reserveRequest({ counters })
    expect(reserve(recordsOf(reservationOf("held")), request).reply).toMatchObject({ status: "ok", replayed: true })
    expect(reserve(recordsOf(), request).reply).toMatchObject({ status: "stale-window", which: [0, 1] })
  })

  it("has windows that are open from their start to before their end", () => {
    const at = (startsAt: number | null, endsAt: number | null) =>
      reserve(
        recordsOf(),
        reserveRequest({
          counters: [{ name: "a", startsAt, endsAt, keepMs: null, amount: 1, limit: null, onExpire: 0 }],
        }),
      ).reply.status
    expect(at(NOW, NOW + 1)).toBe("ok")
    expect(at(NOW + 1, NOW + 2)).toBe("stale-window")
    expect(at(NOW - 1, NOW)).toBe("stale-window")
    expect(at(null, null)).toBe("ok")
  })

  it("denies what does not fit, names every counter that denies, and writes nothing", () => {
    const records = (counter: Partial<CounterRecord>) =>
      recordsOf(undefined, { counters: new Map([["a", counterOf(counter)]]) })
    const ask = (amount: number, limit: number | null, counter: Partial<CounterRecord> = {}) =>
      reserve(records(counter), reserveRequest({ counters: [{ name: "a", ...ENDLESS, amount, limit, onExpire: 0 }] }))
        .reply.status
    expect(ask(10, 10)).toBe("ok")
    expect(ask(11, 10)).toBe("exceeded")
    expect(ask(1, 10, { spent: 4, reserved: 6 })).toBe("exceeded")
    expect(ask(3, 10, { spent: 4, reserved: 6, granted: 3 })).toBe("ok")
    expect(ask(0, 10, { spent: 50 })).toBe("ok")
    expect(ask(1, 10, { granted: -10 })).toBe("exceeded")
    expect(ask(1, null, { spent: MAX })).toBe("exceeded")
    expect(ask(1, MAX, { spent: MAX - 1, granted: 5 })).toBe("ok")
    const both = reserve(
      recordsOf(),
      reserveRequest({
        counters: [
          { name: "a", ...ENDLESS, amount: 1, limit: 50, onExpire: 0 },
          { name: "c", ...ENDLESS, amount: 1, limit: 1, onExpire: 0 },
          { name: "b", ...ENDLESS, amount: 1, limit: 0, onExpire: 0 },
        ],
      }),
    )
    expect(both.reply).toMatchObject({ status: "exceeded", which: [0, 2] })
    expect(both.reply.counters.map(({ spent }) => spent)).toEqual([100, 0, 100])
    expect(both.writes).toEqual({})
  })

  it("replies whether leases are due, as the storage reported", () => {
    for (const due of [true, false])
      expect(transition.reserve(recordsOf(), reserveRequest(), moment(), due).reply).toMatchObject({ due })
  })

  it("keeps no pending entry without a ledger", () => {
    const step = reserve(recordsOf(), reserveRequest(), { ...moment(), ledger: false })
    expect(step.writes.reservation).toMatchObject({ state: "held", pendingEntry: null })
  })

  it("knows a forgotten key by its entry, unless that was only recorded", () => {
    const forgotten = reservationOf("settled", { forgetAt: NOW })
    for (const state of ["settled", "released", "expired"] as const)
      expect(reserve(recordsOf(forgotten, { entry: stored({ state }) })).reply).toMatchObject({
        status: "resolved",
        state,
      })
    expect(reserve(recordsOf(forgotten, { entry: stored({ state: "recorded" }) })).reply).toMatchObject({
      status: "ok",
    })
    expect(reserve(recordsOf(forgotten)).reply).toMatchObject({ status: "ok", replayed: false })
  })
})

describe("settle", () => {
  it("charges more than was reserved in full", () => {
    const step = settle(recordsOf(reservationOf("held")), settleRequest({ counters: settleCounters(50, 0) }))
    expect(step.reply).toMatchObject({
      counters: [{ name: "a", spent: 150, peakBefore: 100, peak: 150 }, { spent: 100 }],
    })
  })

  it("compares amounts by name, in any order", () => {
    const [a, b] = settleCounters(7, 3)
    const reversed = settleRequest({ counters: [b!, a!] })
    const held = settle(recordsOf(reservationOf("held")), reversed)
    expect(held.reply).toMatchObject({
      status: "settled",
      counters: [
        { name: "b", spent: 103 },
        { name: "a", spent: 107 },
      ],
    })
    expect(settle(recordsOf(reservationOf("settled")), reversed).reply).toMatchObject({ replayed: true })
  })

  it("writes nothing when the reservation was made in other counters, after a mismatch is excluded", () => {
    const other = [{ ...settleCounters(7, 3)[0]!, name: "c" }, settleCounters(7, 3)[1]!]
    for (const counters of [other, settleCounters(7, 3).slice(1), [...settleCounters(7, 3), other[0]!]]) {
      for (const state of ["held", "expired", "settled"] as const) {
        const step = settle(recordsOf(reservationOf(state)), settleRequest({ counters }))
        expect(step.reply).toEqual({ now: NOW, status: "other-counters", storedCounters: ["a", "b"] })
        expect(step.writes).toEqual({})
      }
      const mismatch = { status: "mismatch" }
      expect(settle(recordsOf(reservationOf("released")), settleRequest({ counters })).reply).toMatchObject(mismatch)
      expect(settle(recordsOf(reservationOf("settled")), releaseRequest({ counters })).reply).toMatchObject(mismatch)
    }
  })

  it("replaces a settled amount only with a higher revision", () => {
    const records = recordsOf(reservationOf("settled", { revision: 2 }))
    const revise = (revision: number, a = 7, b = 3) =>
      settle(records, settleRequest({ revision, counters: settleCounters(a, b) }))
    expect(revise(1).reply).toMatchObject({ status: "mismatch" })
    expect(revise(2).reply).toMatchObject({ status: "settled", replayed: true })
    expect(revise(2, 7, 4).reply).toMatchObject({ status: "mismatch" })
    const same = revise(3)
    expect(same.reply).toMatchObject({ status: "settled", replayed: false })
    expect(same.writes.reservation).toMatchObject({ revision: 3 })
    expect(written(revise(3, 5, 30), "a")).toMatchObject({ spent: 105, peak: 107 })
    expect(written(revise(3, 5, 30), "b")).toMatchObject({ spent: 130, peak: 130 })
  })

  it("replaces the charge of an expiry by any revision, and reports it as late", () => {
    const records = recordsOf(reservationOf("expired"))
    for (const revision of [0, 4]) {
      const step = settle(records, settleRequest({ revision }))
      expect(step.reply).toMatchObject({ status: "settled", late: true, replayed: false })
      expect(written(step, "a")).toMatchObject({ spent: 107, reserved: 0 })
    }
  })

  it("tells a lost key from a forgotten one by the end of its lease", () => {
    const at = (expiresAt: number | null) => settle(recordsOf(), settleRequest({ expiresAt })).reply
    expect(at(null)).toMatchObject({ status: "settled", recovered: true })
    expect(at(NOW - RETENTION + 1)).toMatchObject({ status: "settled", recovered: true })
    expect(at(NOW - RETENTION)).toEqual({ now: NOW, status: "forgotten" })
  })

  it("keeps a resolved key as long as it would be taken for a lost one", () => {
    for (const expiresAt of [NOW - 10, NOW + 5_000]) {
      const step = settle(recordsOf(), settleRequest({ expiresAt }))
      expect(step.writes.reservation!.forgetAt).toBe(Math.max(expiresAt, NOW) + RETENTION)
    }
    const early = settle(recordsOf(reservationOf("held", { leaseEnd: NOW + DAY })))
    expect(early.writes.reservation!.forgetAt).toBe(NOW + DAY + RETENTION)
  })

  it("forgets nothing twice: a key whose entry is kept is `forgotten`, settled or released", () => {
    const records = recordsOf(reservationOf("settled", { forgetAt: NOW }), { entry: stored() })
    for (const request of [settleRequest({ expiresAt: null }), releaseRequest(), settleRequest({ revision: 3 })]) {
      const step = settle(records, request)
      expect(step.reply).toEqual({ now: NOW, status: "forgotten" })
      expect(step.writes).toEqual({})
    }
    const recorded = recordsOf(undefined, { entry: stored({ state: "recorded" }) })
    expect(settle(recorded).reply).toMatchObject({ status: "settled", recovered: true })
  })

  it("treats a damaged key as held in the counters of the request", () => {
    const records = recordsOf(reservationOf("held"))
    const step = settle(records, settleRequest(), moment(), true)
    expect(step.reply).toMatchObject({ status: "settled", recovered: true, replayed: false })
    expect(written(step, "a")).toMatchObject({ spent: 107, reserved: 0 })
    const released = settle(records, releaseRequest(), moment(), true)
    expect(released.reply).toMatchObject({ status: "released", recovered: true })
    expect(written(released, "b")).toMatchObject({ spent: 100, reserved: 0 })
    // Its entry shows that it was resolved: its money is counted.
    expect(settle(recordsOf(undefined, { entry: stored() }), settleRequest(), moment(), true).reply).toMatchObject({
      status: "forgotten",
    })
  })

  it("charges no counter that is forgotten, and reports how many", () => {
    const a = counterOf({ spent: 107, peak: 107 })
    const gone = { counters: new Map([["a", a]]) }
    const revised = settle(recordsOf(reservationOf("settled"), gone), settleRequest({ revision: 1 }))
    expect(revised.reply).toMatchObject({ forgottenCounters: 1, counters: [{ spent: 107 }, { spent: 0, peak: 0 }] })
    expect(written(revised, "b")).toBeUndefined()
    expect(revised.writes.entry!.charges).toEqual({ a: 7, b: 3 })
    // What is held is charged in any case.
    expect(settle(recordsOf(reservationOf("held"), gone)).reply).toMatchObject({ forgottenCounters: 0 })
    const closed = settleCounters(7, 3).map((counter) => ({ ...counter, endsAt: NOW - RETENTION }))
    const lost = settle(recordsOf(undefined, { counters: new Map() }), settleRequest({ counters: closed }))
    expect(lost.reply).toMatchObject({ status: "settled", recovered: true, forgottenCounters: 2 })
  })

  it("saturates at the largest number, exactly", () => {
    const full = (spent: number) => ({
      counters: new Map([
        ["a", counterOf({ spent, reserved: 10 })],
        ["b", counterOf()],
      ]),
    })
    const over = settle(
      recordsOf(reservationOf("held"), full(MAX - 1)),
      settleRequest({ counters: settleCounters(MAX, 0) }),
    )
    expect(written(over, "a")).toMatchObject({ spent: MAX, peak: MAX })
    const settled = reservationOf("settled", {
      counters: [
        { name: "a", amount: 10, onExpire: 0, charged: MAX - 5 },
        { name: "b", amount: 5, onExpire: 0, charged: 0 },
      ],
    })
    const revised = settle(
      recordsOf(settled, full(MAX - 5)),
      settleRequest({ revision: 1, counters: settleCounters(MAX, 0) }),
    )
    expect(written(revised, "a")).toMatchObject({ spent: MAX })
  })
})

describe("extend and expire", () => {
  it("move the end of a lease later only, by the clock", () => {
    const held = recordsOf(reservationOf("held"))
    expect(extend(held, 10).reply).toMatchObject({ status: "held", expiresAt: NOW + 100 })
    expect(extend(held, 10).writes).toEqual({})
    const later = extend(held, 500, moment(NOW + 9_000, NOW + 50))
    expect(later.reply).toMatchObject({ status: "held", expiresAt: NOW + 550, fingerprint: "f" })
    expect(later.writes.time).toBeUndefined()
    expect(later.reply).toMatchObject({
      counters: [
        { name: "a", amount: 10, onExpire: 10 },
        { name: "b", amount: 5, onExpire: 2 },
      ],
    })
  })

  it("measure leases by the clock alone, also when the partition's time is later", () => {
    const held = reservationOf("held")
    const jumped = moment(NOW + 2 * DAY, NOW)
    expect(expire(recordsOf(held), jumped).reply).toEqual({ now: NOW + 2 * DAY, status: "not-due" })
    expect(reserve(recordsOf(held), reserveRequest(), jumped).reply).toMatchObject({ status: "ok", replayed: true })
    expect(reserve(recordsOf(), reserveRequest(), jumped).reply).toMatchObject({ expiresAt: NOW + 1_000 })
    expect(expire(recordsOf(held), moment(NOW + 99)).reply).toMatchObject({ status: "not-due" })
    expect(expire(recordsOf(held), moment(NOW + 100)).reply).toMatchObject({ status: "expired" })
  })

  it("charge what expiry costs, free the rest, and write the pending entry as it is", () => {
    const step = expire(recordsOf(reservationOf("held", { leaseEnd: NOW })), moment(), ["b", "a"])
    expect(step.reply).toMatchObject({
      status: "expired",
      counters: [
        { name: "b", spent: 102, reserved: 0, peakBefore: 100, peak: 102 },
        { name: "a", spent: 110 },
      ],
      charged: [2, 10],
    })
    expect(step.writes.entry).toEqual({
      ...entryOf({ status: "expired", costNanoUsd: 10, costSource: "bound" }),
      idempotencyKey: "k",
      at: NOW,
      revision: 0,
      state: "expired",
      charges: { a: 10, b: 2 },
    })
    expect(step.writes.reservation).toMatchObject({ state: "expired", pendingEntry: null, forgetAt: NOW + RETENTION })
  })

  it("write nothing in other counters", () => {
    const step = expire(recordsOf(reservationOf("held", { leaseEnd: NOW })), moment(), ["a", "c"])
    expect(step.reply).toEqual({ now: NOW, status: "other-counters", storedCounters: ["a", "b"] })
    expect(step.writes).toEqual({})
  })
})

describe("adjust", () => {
  const adjustRequest = (kind: AdjustRequest["kind"], delta: number, endsAt: number | null = null): AdjustRequest => ({
    partition: "p",
    key: "k",
    counter: { name: "a", startsAt: null, endsAt, keepMs: null },
    kind,
    delta,
  })
  const counters = new Map([["a", counterOf({ spent: 70, granted: 5, reserved: 2, peak: 80 })]])
  const adjust = (request: AdjustRequest, records?: transition.AdjustmentRecord, at = moment()) =>
    transition.adjust(records, counters, request, at)

  it("corrects, tops up and resets, and says what changed", () => {
    expect(adjust(adjustRequest("spent", 15)).reply).toMatchObject({
      status: "ok",
      applied: 15,
      counter: { spent: 85, peakBefore: 80, peak: 85 },
    })
    expect(adjust(adjustRequest("spent", -100)).reply).toMatchObject({
      applied: -100,
      counter: { spent: -30, peak: 80 },
    })
    expect(adjust(adjustRequest("granted", -9)).reply).toMatchObject({ applied: -9, counter: { granted: -4 } })
    expect(adjust(adjustRequest("reset", 0)).reply).toMatchObject({
      applied: -70,
      counter: { spent: 0, reserved: 2, granted: 5, peakBefore: 80, peak: 0 },
    })
    expect(adjust(adjustRequest("spent", MAX)).reply).toMatchObject({ applied: MAX - 70, counter: { spent: MAX } })
  })

  it("is applied once per key, until the key is forgotten", () => {
    const first = adjust(adjustRequest("reset", 0))
    const records = first.writes.adjustment!
    const again = adjust(adjustRequest("reset", 0), records)
    expect(again.reply).toMatchObject({
      status: "ok",
      replayed: true,
      applied: -70,
      counter: { peakBefore: 80, peak: 80 },
    })
    expect(again.writes).toEqual({})
    expect(adjust(adjustRequest("spent", 0), records).reply).toMatchObject({ status: "mismatch" })
    expect(records.forgetAt).toBe(NOW + 90 * DAY)
    expect(adjust(adjustRequest("spent", 1, NOW + 500)).writes.adjustment!.forgetAt).toBe(NOW + 500 + RETENTION)
  })

  it("looks the key up before the window", () => {
    const closed = adjustRequest("spent", 1, NOW)
    expect(adjust(closed).reply).toEqual({ now: NOW, status: "stale-window" })
    const records = { counter: "a", kind: "spent", delta: 1, applied: 1, forgetAt: NOW + 1 } as const
    expect(adjust(closed, records).reply).toMatchObject({ status: "ok", replayed: true })
  })
})

describe("what is forgotten", () => {
  it("is a counter past its time in which nothing is reserved, and reads as zeros", () => {
    const counters = new Map([
      ["old", counterOf({ spent: 5, forgetAt: NOW })],
      ["used", counterOf({ spent: 5, reserved: 1, forgetAt: NOW })],
      ["kept", counterOf({ spent: 5, forgetAt: NOW + 1 })],
    ])
    const states = transition.readCounters(counters, ["old", "used", "kept", "unseen"], NOW)
    expect(states.map(({ spent }) => spent)).toEqual([0, 5, 5, 0])
  })

  it("never includes a counter before the keys that name it", () => {
    const held = reservationOf("held", { leaseEnd: NOW + DAY })
    const counters = new Map([...countersOf(held)].map(([name, counter]) => [name, { ...counter, forgetAt: NOW + 1 }]))
    const request = settleRequest({
      counters: settleCounters(7, 3).map((counter) => ({ ...counter, startsAt: 0, endsAt: NOW - DAY })),
    })
    const step = settle(recordsOf(held, { counters }), request)
    expect(written(step, "a")!.forgetAt).toBe(step.writes.reservation!.forgetAt)
    const due = reservationOf("held", { leaseEnd: NOW })
    const expired = expire(recordsOf(due, { counters }))
    expect(written(expired, "a")!.forgetAt).toBe(NOW + RETENTION)
  })

  it("is later with each touch, never earlier, and never without a window and a time", () => {
    const touch = (forgetAt: number | null, ref: { endsAt: number | null; keepMs: number | null }) => {
      const counters = new Map([["a", counterOf({ forgetAt })]])
      const request = reserveRequest({
        counters: [{ name: "a", startsAt: null, ...ref, amount: 1, limit: null, onExpire: 0 }],
      })
      return written(reserve(recordsOf(undefined, { counters }), request), "a")!.forgetAt
    }
    expect(touch(NOW + 5, { endsAt: NOW + 10, keepMs: null })).toBe(NOW + 10 + RETENTION)
    expect(touch(NOW + 5, { endsAt: null, keepMs: 100 })).toBe(NOW + 100)
    expect(touch(NOW + 500, { endsAt: null, keepMs: 100 })).toBe(NOW + 500)
    expect(touch(NOW + 5, { endsAt: null, keepMs: null })).toBe(null)
  })
})

describe("entries", () => {
  it("keep the time of their first write, and are overwritten whole", () => {
    const entry = stored({ state: "recorded", at: NOW - 9, count: 4, userId: "u" })
    const step = settle(recordsOf(reservationOf("held"), { entry }))
    expect(step.writes.entry).toEqual({
      ...entryOf(),
      idempotencyKey: "k",
      at: NOW - 9,
      revision: 0,
      state: "settled",
      charges: { a: 7, b: 3 },
    })
  })

  it("are charged nothing by a release", () => {
    const step = settle(recordsOf(reservationOf("expired")), releaseRequest())
    expect(step.writes.entry).toMatchObject({ state: "released", charges: { a: 0, b: 0 } })
  })

  it("keep a counter named __proto__", () => {
    const counters = [{ ...settleCounters(7, 3)[0]!, name: "__proto__" }]
    const step = settle(recordsOf(undefined, { counters: new Map() }), settleRequest({ counters }))
    expect(Object.entries(step.writes.entry!.charges)).toEqual([["__proto__", 7]])
  })

  it("are not written without a ledger", () => {
    const step = settle(recordsOf(reservationOf("held")), settleRequest(), { ...moment(), ledger: false })
    expect(step.writes.entry).toBeUndefined()
  })

  it("that are recorded add up, and never replace those of a reservation", () => {
    const denied = entryOf({ status: "denied", costNanoUsd: 0 })
    const first = transition.record(undefined, { key: "k", entry: denied }, NOW)
    expect(first).toEqual({ ...denied, idempotencyKey: "k", at: NOW, revision: 0, state: "recorded", charges: {} })
    const second = transition.record(first, { key: "k", entry: { ...denied, count: 3 } }, NOW + 5)
    expect(second).toEqual({ ...first, count: 4 })
    expect(transition.record(second, { key: "k", entry: denied }, NOW)).toMatchObject({ count: 5 })
    expect(transition.record(stored(), { key: "k", entry: denied }, NOW)).toBeUndefined()
  })
})

it("the time of a partition never runs backwards", () => {
  const settings = { retentionMs: 1, ledger: true }
  expect(transition.momentOf(5, undefined, settings)).toMatchObject({ clock: 5, now: 5 })
  expect(transition.momentOf(5, 9, settings)).toMatchObject({ clock: 5, now: 9 })
  expect(transition.momentOf(9, 5, settings)).toMatchObject({ clock: 9, now: 9 })
})
