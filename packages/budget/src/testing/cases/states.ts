import type { SettleRequest } from "../../store/budget-store"
import type { Bench } from "../bench"
import { equal, match } from "../expect"
import { counter, LEASE_MS, reserveRequest, settleRequest } from "../requests"
import { defineCases, type TestFunction } from "../store-case"

type State = "unknown" | "held" | "held, lease ended" | "expired" | "settled" | "released"

const AMOUNT = 10
const ON_EXPIRE = 6
const SETTLED = 4

/** A call to the key: its member, and for a settle its amount and what is unusual about it. */
type Call =
  | ["reserve" | "extend" | "expire"]
  | ["release", Partial<SettleRequest>?]
  | ["settle", number, Partial<SettleRequest>?]

/** A call and what its reply must hold; `counter` is what the first counter of the reply must hold. */
interface Step {
  call: Call
  reply: Record<string, unknown>
  counter?: Record<string, unknown>
}

/** One cell of the table of states: the calls in order, and counter `a` afterwards. */
interface Cell {
  call: string
  outcome: string
  steps: Step[]
  spent?: number
  reserved?: number
}

const FIRST = { replayed: false, late: false, recovered: false, forgottenCounters: 0 }
const REPLAY = { replayed: true }

const step = (call: Call, reply: Record<string, unknown>, first?: Record<string, unknown>): Step =>
  first === undefined ? { call, reply } : { call, reply, counter: first }

/** A cell with one call and no surprise. */
const cell = (name: Call[0], outcome: string, reply: Record<string, unknown>, after: Partial<Cell> = {}): Cell => ({
  call: name,
  outcome,
  steps: [step([name] as Call, reply)],
  ...after,
})

const TABLE: Record<State, Cell[]> = {
  unknown: [
    cell("reserve", "held", { status: "ok", replayed: false }, { reserved: AMOUNT }),
    {
      call: "settle of a key that was never reserved",
      outcome: "settled, recovered",
      spent: 8,
      steps: [
        step(
          ["settle", 8, { expiresAt: null }],
          { ...FIRST, status: "settled", recovered: true },
          { peakBefore: 0, peak: 8 },
        ),
        step(["reserve"], { status: "resolved", state: "settled" }),
      ],
    },
    {
      call: "settle of a key that the store lost",
      outcome: "settled, recovered",
      spent: 8,
      // Long after any lease of this case.
      steps: [step(["settle", 8, { expiresAt: 4e12 }], { ...FIRST, status: "settled", recovered: true })],
    },
    {
      call: "release",
      outcome: "released, so that a late reserve is not admitted",
      steps: [
        step(["release"], { status: "released", replayed: false, late: false }),
        step(["reserve"], { status: "resolved", state: "released" }),
      ],
    },
    cell("extend", "unknown", { status: "unknown" }),
    cell("expire", "not-due", { status: "not-due" }),
  ],
  held: [
    cell("reserve", "ok, replayed", { status: "ok", replayed: true }, { reserved: AMOUNT }),
    { call: "settle", outcome: "settled", spent: 8, steps: [step(["settle", 8], { ...FIRST, status: "settled" })] },
    cell("release", "released", { ...FIRST, status: "released" }),
    cell("extend", "held", { status: "held" }, { reserved: AMOUNT }),
    cell("expire", "not-due", { status: "not-due" }, { reserved: AMOUNT }),
  ],
  "held, lease ended": [
    {
      call: "reserve",
      outcome: "lease-ended, which writes nothing: expire it and reserve again",
      spent: ON_EXPIRE,
      steps: [
        step(["reserve"], { status: "lease-ended", storedCounters: ["a"], due: true }, { spent: 0, reserved: AMOUNT }),
        step(["reserve"], { status: "lease-ended" }, { spent: 0, reserved: AMOUNT }),
        step(["expire"], { status: "expired" }),
        step(["reserve"], { status: "resolved", state: "expired" }),
      ],
    },
    {
      call: "settle",
      outcome: "settled, not late: nothing was charged yet",
      spent: 8,
      steps: [
        step(["settle", 8], { ...FIRST, status: "settled" }, { spent: 8, reserved: 0, peakBefore: 0, peak: 8 }),
        step(["expire"], { status: "not-due" }),
      ],
    },
    {
      call: "release",
      outcome: "released",
      steps: [step(["release"], { ...FIRST, status: "released" }), step(["expire"], { status: "not-due" })],
    },
    {
      call: "extend",
      outcome: "expired, never revived",
      spent: ON_EXPIRE,
      steps: [
        step(["extend"], { status: "expired" }),
        step(["reserve"], { status: "lease-ended" }),
        step(["expire"], { status: "expired" }),
      ],
    },
    {
      call: "expire",
      outcome: "expired, charges onExpire",
      spent: ON_EXPIRE,
      steps: [
        step(
          ["expire"],
          { status: "expired", charged: [ON_EXPIRE] },
          { spent: ON_EXPIRE, reserved: 0, peakBefore: 0, peak: ON_EXPIRE },
        ),
      ],
    },
  ],
  expired: [
    cell("reserve", "resolved: expired", { status: "resolved", state: "expired", due: false }, { spent: ON_EXPIRE }),
    {
      call: "settle of less than was charged",
      outcome: "settled, late: the charge becomes smaller",
      spent: 2,
      steps: [
        step(["settle", 2], { ...FIRST, status: "settled", late: true }, { peakBefore: ON_EXPIRE, peak: ON_EXPIRE }),
      ],
    },
    {
      call: "settle of more than was charged",
      outcome: "settled, late: the charge becomes larger",
      spent: 15,
      steps: [step(["settle", 15], { ...FIRST, status: "settled", late: true }, { peakBefore: ON_EXPIRE, peak: 15 })],
    },
    cell("release", "released, late: refunded", { ...FIRST, status: "released", late: true }),
    cell("extend", "expired", { status: "expired" }, { spent: ON_EXPIRE }),
    cell("expire", "not-due", { status: "not-due" }, { spent: ON_EXPIRE }),
  ],
  settled: [
    cell("reserve", "resolved: settled", { status: "resolved", state: "settled" }, { spent: SETTLED }),
    {
      call: "settle of the same amounts",
      outcome: "replayed",
      spent: SETTLED,
      steps: [step(["settle", SETTLED], { ...REPLAY, status: "settled" })],
    },
    {
      call: "settle of a higher revision",
      outcome: "replaced, also with the same amounts",
      spent: 3,
      steps: [
        step(["settle", 9, { revision: 2 }], { ...FIRST, status: "settled" }, { spent: 9, reserved: 0 }),
        step(["settle", 3, { revision: 5 }], { ...FIRST, status: "settled" }, { spent: 3, reserved: 0 }),
        step(["settle", 3, { revision: 5 }], { ...REPLAY, status: "settled" }),
        step(["settle", 3, { revision: 6 }], { ...FIRST, status: "settled" }),
        step(["settle", 3, { revision: 5 }], { status: "mismatch" }),
      ],
    },
    {
      call: "settle of the same revision with other amounts",
      outcome: "mismatch",
      spent: SETTLED,
      steps: [step(["settle", SETTLED + 1], { status: "mismatch" })],
    },
    {
      call: "settle of a lower revision",
      outcome: "mismatch",
      spent: 9,
      steps: [
        step(["settle", 9, { revision: 2 }], { ...FIRST, status: "settled" }),
        step(["settle", 5, { revision: 1 }], { status: "mismatch" }),
        step(["settle", SETTLED], { status: "mismatch" }),
        step(["settle", 9, { revision: 2 }], { ...REPLAY, status: "settled" }),
      ],
    },
    {
      call: "release",
      outcome: "mismatch",
      spent: SETTLED,
      steps: [step(["release"], { status: "mismatch" }), step(["release", { revision: 3 }], { status: "mismatch" })],
    },
    cell("extend", "settled", { status: "settled" }, { spent: SETTLED }),
    cell("expire", "not-due", { status: "not-due" }, { spent: SETTLED }),
  ],
  released: [
    cell("reserve", "resolved: released", { status: "resolved", state: "released" }),
    {
      call: "settle",
      outcome: "mismatch: nothing may be sent after a release",
      steps: [
        step(["settle", 8], { status: "mismatch" }),
        step(["settle", 8, { revision: 1 }], { status: "mismatch" }),
      ],
    },
    cell("release", "replayed", { ...REPLAY, status: "released" }),
    cell("extend", "released", { status: "released" }),
    cell("expire", "not-due", { status: "not-due" }),
  ],
}

/** Brings the key into a state, by the calls that lead there. Returns how to call it. */
async function enter(bench: Bench, state: State): Promise<(call: Call, fingerprint?: string) => Promise<object>> {
  const { store, partition } = bench
  const request = reserveRequest(partition, "key", [counter("a", AMOUNT, 100, { onExpire: ON_EXPIRE })])
  let expiresAt: number | null = null
  const send = ([member, ...rest]: Call, fingerprint = request.fingerprint): Promise<object> => {
    const [amount, more] = typeof rest[0] === "number" ? [rest[0], rest[1]] : [0, rest[0]]
    const outcome = member === "release" ? "released" : "settled"
    switch (member) {
      case "reserve":
        return store.reserve({ ...request, fingerprint })
      case "extend":
        return store.extend({ partition, key: "key", leaseMs: 2 * LEASE_MS })
      case "expire":
        return store.expire({ partition, key: "key", counters: ["a"] })
      default:
        return store.settle(settleRequest(request, [amount], { outcome, expiresAt, fingerprint, ...more }))
    }
  }
  if (state !== "unknown") {
    const reply = await store.reserve(request)
    if (reply.status === "ok") expiresAt = reply.expiresAt
  }
  if (state === "held, lease ended" || state === "expired") await bench.clock.advance(LEASE_MS)
  if (state === "expired") await send(["expire"])
  if (state === "settled") await send(["settle", SETTLED])
  if (state === "released") await send(["release"])
  return send
}

/** Every cell of the contract's table of states, and another fingerprint in each state. */
function defineRows(test: TestFunction, states: readonly State[]): void {
  for (const state of states) {
    for (const { call, outcome, steps, spent = 0, reserved = 0 } of TABLE[state]) {
      test(`a key that is ${state}: ${call} → ${outcome}`, async (bench) => {
        const send = await enter(bench, state)
        for (const [index, expected] of steps.entries()) {
          const reply = (await send(expected.call)) as { counters?: object[] }
          const what = `call ${index + 1}, ${expected.call[0]}`
          match(reply, expected.reply, what)
          if (expected.counter !== undefined) match(reply.counters?.[0] ?? {}, expected.counter, `${what}: counter a`)
        }
        await bench.expectCounter("a", { spent, reserved })
      })
    }
    if (state === "unknown") continue
    test(`a key that is ${state}: another fingerprint → mismatch, nothing changes`, async (bench) => {
      const send = await enter(bench, state)
      const before = await bench.counterState("a")
      for (const call of [["settle", 7], ["settle", 7, { revision: 9 }], ["release"], ["reserve"]] satisfies Call[])
        match(await send(call, "other"), { status: "mismatch" }, call[0])
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
