import type { ExpireReply, ExtendReply, ReserveReply, SettleReply, SettleRequest } from "../../store/budget-store"
import { type Bench, settledBy } from "../bench"
import { equal, match } from "../expect"
import { counter, LEASE_MS, reserveRequest, settleRequest } from "../requests"
import { defineCases, type TestFunction } from "../store-case"

type State = "unknown" | "held" | "held, lease ended" | "expired" | "settled" | "released"

const AMOUNT = 10
const ON_EXPIRE = 6
const SETTLED = 4

/** A key in some state, and the calls that may come to it. */
interface Subject {
  reserve(fingerprint?: string): Promise<ReserveReply>
  settle(amount: number, more?: Partial<SettleRequest>): Promise<SettleReply>
  release(more?: Partial<SettleRequest>): Promise<SettleReply>
  extend(): Promise<ExtendReply>
  expire(): Promise<ExpireReply>
}

/** Brings a key into a state by the calls that lead there. */
async function enter(bench: Bench, state: State): Promise<Subject> {
  const { store, partition } = bench
  const request = reserveRequest(partition, "subject", [counter("a", AMOUNT, 100, { onExpire: ON_EXPIRE })])
  let expiresAt: number | null = null
  const settle = (amount: number, more: Partial<SettleRequest> = {}) =>
    store.settle(settleRequest(request, [amount], { expiresAt, ...more }))
  const expire = () => store.expire({ partition, key: "subject", counters: ["a"] })
  if (state !== "unknown") {
    const reply = await store.reserve(request)
    if (reply.status === "ok") expiresAt = reply.expiresAt
  }
  if (state === "held, lease ended" || state === "expired") await bench.clock.advance(LEASE_MS)
  if (state === "expired") await expire()
  if (state === "settled") await settle(SETTLED)
  if (state === "released") await settle(0, { outcome: "released" })
  return {
    reserve: (fingerprint = request.fingerprint) => store.reserve({ ...request, fingerprint }),
    settle,
    release: (more = {}) => settle(0, { outcome: "released", ...more }),
    extend: () => store.extend({ partition, key: "subject", leaseMs: 2 * LEASE_MS }),
    expire,
  }
}

/** One operation in one state: what comes of it, and how the counter stands afterwards. */
interface Row {
  call: string
  outcome: string
  spent?: number
  reserved?: number
  run(subject: Subject, bench: Bench): Promise<void>
}

const FIRST = { replayed: false, late: false, recovered: false, forgottenCounters: 0 }

const TABLE: Record<State, Row[]> = {
  unknown: [
    {
      call: "reserve",
      outcome: "held",
      reserved: AMOUNT,
      run: async ({ reserve }) => match(await reserve(), { status: "ok", replayed: false }, "reserve"),
    },
    {
      call: "settle of a key that was never reserved",
      outcome: "settled, recovered",
      spent: 8,
      run: async ({ settle, reserve }) => {
        const reply = settledBy(await settle(8, { expiresAt: null }), "settle")
        match(reply, { ...FIRST, status: "settled", recovered: true }, "settle")
        match(reply.counters[0]!, { spent: 8, reserved: 0, peakBefore: 0, peak: 8 }, "counter")
        match(await reserve(), { status: "resolved", state: "settled" }, "reserve afterwards")
      },
    },
    {
      call: "settle of a key that the store lost",
      outcome: "settled, recovered",
      spent: 8,
      run: async ({ settle }, bench) => {
        const reply = await settle(8, { expiresAt: (await bench.now()) + LEASE_MS })
        match(reply, { ...FIRST, status: "settled", recovered: true }, "settle")
      },
    },
    {
      call: "release",
      outcome: "released, so that a late reserve is not sent",
      run: async ({ release, reserve }) => {
        match(await release(), { status: "released", replayed: false }, "release")
        match(await reserve(), { status: "resolved", state: "released" }, "the reserve that comes after it")
      },
    },
    {
      call: "extend",
      outcome: "unknown",
      run: async ({ extend }) => match(await extend(), { status: "unknown" }, "extend"),
    },
    {
      call: "expire",
      outcome: "not-due",
      run: async ({ expire }) => match(await expire(), { status: "not-due" }, "expire"),
    },
  ],
  held: [
    {
      call: "reserve",
      outcome: "ok, replayed",
      reserved: AMOUNT,
      run: async ({ reserve }) => match(await reserve(), { status: "ok", replayed: true }, "reserve"),
    },
    {
      call: "settle",
      outcome: "settled",
      spent: 8,
      run: async ({ settle }) => match(await settle(8), { ...FIRST, status: "settled" }, "settle"),
    },
    {
      call: "release",
      outcome: "released",
      run: async ({ release }) => match(await release(), { ...FIRST, status: "released" }, "release"),
    },
    {
      call: "extend",
      outcome: "held",
      reserved: AMOUNT,
      run: async ({ extend }) => {
        const reply = await extend()
        match(reply, { status: "held", expiresAt: reply.now + 2 * LEASE_MS }, "extend")
      },
    },
    {
      call: "expire",
      outcome: "not-due",
      reserved: AMOUNT,
      run: async ({ expire }) => match(await expire(), { status: "not-due" }, "expire"),
    },
  ],
  "held, lease ended": [
    {
      call: "reserve",
      outcome: "lease-ended: expire it and reserve again",
      spent: ON_EXPIRE,
      run: async ({ reserve, expire }, bench) => {
        const reply = await reserve()
        match(reply, { status: "lease-ended", storedCounters: ["a"], due: true }, "reserve")
        equal(reply.counters[0]?.reserved, AMOUNT, "reserved in the counter of the reply")
        await bench.expectCounter("a", { reserved: AMOUNT }, "counter a after lease-ended, which writes nothing")
        match(await expire(), { status: "expired" }, "expire")
        match(await reserve(), { status: "resolved", state: "expired" }, "reserve again")
      },
    },
    {
      call: "settle",
      outcome: "settled, not late: nothing was charged yet",
      spent: 8,
      run: async ({ settle, expire }) => {
        const reply = settledBy(await settle(8), "settle")
        match(reply, { ...FIRST, status: "settled" }, "settle")
        match(reply.counters[0]!, { spent: 8, reserved: 0, peakBefore: 0, peak: 8 }, "counter")
        match(await expire(), { status: "not-due" }, "expire afterwards")
      },
    },
    {
      call: "release",
      outcome: "released",
      run: async ({ release, expire }) => {
        match(await release(), { ...FIRST, status: "released" }, "release")
        match(await expire(), { status: "not-due" }, "expire afterwards")
      },
    },
    {
      call: "extend",
      outcome: "expired, never revived",
      spent: ON_EXPIRE,
      run: async ({ extend, reserve, expire }) => {
        match(await extend(), { status: "expired" }, "extend")
        match(await reserve(), { status: "lease-ended" }, "reserve afterwards")
        match(await expire(), { status: "expired" }, "expire")
      },
    },
    {
      call: "expire",
      outcome: "expired, charges onExpire",
      spent: ON_EXPIRE,
      run: async ({ expire }) => {
        const { now: _now, ...reply } = await expire()
        const change = { name: "a", spent: ON_EXPIRE, reserved: 0, granted: 0, peakBefore: 0, peak: ON_EXPIRE }
        equal(reply, { status: "expired", counters: [change], charged: [ON_EXPIRE] }, "expire")
      },
    },
  ],
  expired: [
    {
      call: "reserve",
      outcome: "resolved: expired",
      spent: ON_EXPIRE,
      run: async ({ reserve }) =>
        match(await reserve(), { status: "resolved", state: "expired", due: false }, "reserve"),
    },
    {
      call: "settle of less than was charged",
      outcome: "settled, late: the charge becomes smaller",
      spent: 2,
      run: async ({ settle }) => {
        const reply = settledBy(await settle(2), "settle")
        match(reply, { ...FIRST, status: "settled", late: true }, "settle")
        match(reply.counters[0]!, { spent: 2, reserved: 0, peakBefore: ON_EXPIRE, peak: ON_EXPIRE }, "counter")
      },
    },
    {
      call: "settle of more than was charged",
      outcome: "settled, late: the charge becomes larger",
      spent: 15,
      run: async ({ settle }) => {
        const reply = settledBy(await settle(15), "settle")
        match(reply, { ...FIRST, status: "settled", late: true }, "settle")
        match(reply.counters[0]!, { spent: 15, peakBefore: ON_EXPIRE, peak: 15 }, "counter")
      },
    },
    {
      call: "release",
      outcome: "released, late: refunded",
      run: async ({ release }) => match(await release(), { ...FIRST, status: "released", late: true }, "release"),
    },
    {
      call: "extend",
      outcome: "expired",
      spent: ON_EXPIRE,
      run: async ({ extend }) => match(await extend(), { status: "expired" }, "extend"),
    },
    {
      call: "expire",
      outcome: "not-due",
      spent: ON_EXPIRE,
      run: async ({ expire }) => match(await expire(), { status: "not-due" }, "expire"),
    },
  ],
  settled: [
    {
      call: "reserve",
      outcome: "resolved: settled",
      spent: SETTLED,
      run: async ({ reserve }) => match(await reserve(), { status: "resolved", state: "settled" }, "reserve"),
    },
    {
      call: "settle of the same amounts",
      outcome: "replayed",
      spent: SETTLED,
      run: async ({ settle }) => match(await settle(SETTLED), { status: "settled", replayed: true }, "settle"),
    },
    {
      call: "settle of a higher revision",
      outcome: "replaced, also with the same amounts",
      spent: 3,
      run: async ({ settle }, bench) => {
        match(await settle(9, { revision: 2 }), { ...FIRST, status: "settled" }, "revision 2, upwards")
        await bench.expectCounter("a", { spent: 9 })
        match(await settle(3, { revision: 5 }), { ...FIRST, status: "settled" }, "revision 5, downwards")
        match(await settle(3, { revision: 5 }), { status: "settled", replayed: true }, "revision 5 again")
        match(await settle(3, { revision: 6 }), { ...FIRST, status: "settled" }, "revision 6 with the same amount")
        match(await settle(3, { revision: 5 }), { status: "mismatch" }, "revision 5 after revision 6")
      },
    },
    {
      call: "settle of the same revision with other amounts",
      outcome: "mismatch",
      spent: SETTLED,
      run: async ({ settle }) => match(await settle(SETTLED + 1), { status: "mismatch" }, "settle"),
    },
    {
      call: "settle of a lower revision",
      outcome: "mismatch",
      spent: 9,
      run: async ({ settle }) => {
        await settle(9, { revision: 2 })
        match(await settle(5, { revision: 1 }), { status: "mismatch" }, "revision 1")
        match(await settle(SETTLED), { status: "mismatch" }, "revision 0")
        match(await settle(9, { revision: 2 }), { status: "settled", replayed: true }, "revision 2 again")
      },
    },
    {
      call: "release",
      outcome: "mismatch",
      spent: SETTLED,
      run: async ({ release }) => {
        match(await release(), { status: "mismatch" }, "release")
        match(await release({ revision: 3 }), { status: "mismatch" }, "a release of a higher revision")
      },
    },
    {
      call: "extend",
      outcome: "settled",
      spent: SETTLED,
      run: async ({ extend }) => match(await extend(), { status: "settled" }, "extend"),
    },
    {
      call: "expire",
      outcome: "not-due",
      spent: SETTLED,
      run: async ({ expire }) => match(await expire(), { status: "not-due" }, "expire"),
    },
  ],
  released: [
    {
      call: "reserve",
      outcome: "resolved: released",
      run: async ({ reserve }) => match(await reserve(), { status: "resolved", state: "released" }, "reserve"),
    },
    {
      call: "settle",
      outcome: "mismatch: nothing may be sent after a release",
      run: async ({ settle }) => {
        match(await settle(8), { status: "mismatch" }, "settle")
        match(await settle(8, { revision: 1 }), { status: "mismatch" }, "settle of a higher revision")
      },
    },
    {
      call: "release",
      outcome: "replayed",
      run: async ({ release }) => match(await release(), { status: "released", replayed: true }, "release"),
    },
    {
      call: "extend",
      outcome: "released",
      run: async ({ extend }) => match(await extend(), { status: "released" }, "extend"),
    },
    {
      call: "expire",
      outcome: "not-due",
      run: async ({ expire }) => match(await expire(), { status: "not-due" }, "expire"),
    },
  ],
}

/** Every row of the contract's table of states, and another fingerprint in each state. */
function defineRows(test: TestFunction, states: readonly State[]): void {
  for (const state of states) {
    for (const { call, outcome, spent = 0, reserved = 0, run } of TABLE[state]) {
      test(`a key that is ${state}: ${call} → ${outcome}`, async (bench) => {
        await run(await enter(bench, state), bench)
        await bench.expectCounter("a", { spent, reserved }, "counter a afterwards")
      })
    }
    if (state === "unknown") continue
    test(`a key that is ${state}: another fingerprint → mismatch, nothing changes`, async (bench) => {
      const subject = await enter(bench, state)
      const before = await bench.counterState("a")
      const fingerprint = "other"
      match(await subject.settle(7, { fingerprint }), { status: "mismatch" }, "settle")
      match(
        await subject.settle(7, { fingerprint, revision: 9 }),
        { status: "mismatch" },
        "settle of a higher revision",
      )
      match(await subject.release({ fingerprint }), { status: "mismatch" }, "release")
      match(await subject.reserve(fingerprint), { status: "mismatch" }, "reserve")
      equal(await bench.counterState("a"), before, "counter a afterwards")
    })
  }
}

export const stateCases = [
  ...defineCases({ level: "contract", rule: "States" }, (test) =>
    defineRows(test, ["unknown", "held", "settled", "released"]),
  ),
  ...defineCases({ level: "leases", rule: "States", needs: ["clock"] }, (test) =>
    defineRows(test, ["held, lease ended", "expired"]),
  ),
]
