import type { CaseContext } from "../case-context"
import { expectReply } from "../expect"
import { counter, LEASE_MS } from "../requests"
import { defineCases, type TestFunction } from "../store-case"

type State = "unknown" | "held" | "held, lease ended" | "expired" | "settled" | "released"

const AMOUNT = 10
const ON_EXPIRE = 6
const SETTLED = 4

/** The calls to the key of a case. */
function callsTo(t: CaseContext) {
  return {
    reserve: () => t.tryReserve("key"),
    settle: (amount: number, revision = 0) => t.settle("key", [amount], { revision }),
    release: (revision = 0) => t.release("key", { revision }),
    extend: () => t.extend("key", 2 * LEASE_MS),
    expire: () => t.expire("key"),
  }
}

/** Brings the key into a state, by the calls that lead there. */
async function enter(t: CaseContext, state: State): Promise<void> {
  const counters = [counter("a", AMOUNT, 100, { onExpire: ON_EXPIRE })]
  if (state === "unknown") t.prepare("key", counters)
  else await t.reserve("key", counters)
  if (state === "held, lease ended" || state === "expired") await t.clock.advance(LEASE_MS)
  if (state === "expired") await t.expire("key")
  if (state === "settled") await t.settle("key", [SETTLED])
  if (state === "released") await t.release("key")
}

type Calls = ReturnType<typeof callsTo>
/** Adds a case: a call and its outcome, counter `a` afterwards, and the calls. */
type Row = (
  title: string,
  after: { spent?: number; reserved?: number },
  body: (calls: Calls) => Promise<unknown>,
) => void

const TABLE: Record<State, (row: Row) => void> = {
  unknown: (row) => {
    row("settle of a key that was never reserved → settled, recovered", { spent: 8 }, async ({ settle, reserve }) => {
      await expectReply(settle(8), "settled, recovered", { counter: { peakBefore: 0, peak: 8 } })
      await expectReply(reserve(), "resolved: settled")
    })
    row("release → released, so that a late reserve is not admitted", {}, async ({ release, reserve }) => {
      await expectReply(release(), "released")
      await expectReply(reserve(), "resolved: released")
    })
    row("reserve → held", { reserved: AMOUNT }, ({ reserve }) => expectReply(reserve(), "ok"))
    row("extend → unknown", {}, ({ extend }) => expectReply(extend(), "unknown"))
    row("expire → not-due", {}, ({ expire }) => expectReply(expire(), "not-due"))
  },
  held: (row) => {
    row("reserve → ok, replayed", { reserved: AMOUNT }, ({ reserve }) => expectReply(reserve(), "ok, replayed"))
    row("settle → settled", { spent: 8 }, ({ settle }) => expectReply(settle(8), "settled"))
    row("release → released", {}, ({ release }) => expectReply(release(), "released"))
    row("extend → held", { reserved: AMOUNT }, ({ extend }) => expectReply(extend(), "held"))
    row("expire → not-due", { reserved: AMOUNT }, ({ expire }) => expectReply(expire(), "not-due"))
  },
  "held, lease ended": (row) => {
    row("reserve → lease-ended, which writes nothing", { spent: ON_EXPIRE }, async ({ reserve, expire }) => {
      const held = { storedCounters: ["a"], due: true, counter: { spent: 0, reserved: AMOUNT } }
      for (const _copy of [1, 2]) await expectReply(reserve(), "lease-ended", held)
      await expectReply(expire(), "expired")
      await expectReply(reserve(), "resolved: expired")
    })
    row("settle → settled, not late: nothing was charged before", { spent: 8 }, async ({ settle, expire }) => {
      await expectReply(settle(8), "settled", { counter: { spent: 8, reserved: 0, peakBefore: 0, peak: 8 } })
      await expectReply(expire(), "not-due")
    })
    row("release → released", {}, async ({ release, expire }) => {
      await expectReply(release(), "released")
      await expectReply(expire(), "not-due")
    })
    row("extend → expired, never revived", { spent: ON_EXPIRE }, async ({ extend, reserve, expire }) => {
      await expectReply(extend(), "expired")
      await expectReply(reserve(), "lease-ended")
      await expectReply(expire(), "expired")
    })
    row("expire → expired, charges onExpire", { spent: ON_EXPIRE }, ({ expire }) => {
      const state = { spent: ON_EXPIRE, reserved: 0, peakBefore: 0, peak: ON_EXPIRE }
      return expectReply(expire(), "expired", { charged: [ON_EXPIRE], counter: state })
    })
  },
  expired: (row) => {
    row("reserve → resolved: expired", { spent: ON_EXPIRE }, ({ reserve }) =>
      expectReply(reserve(), "resolved: expired", { due: false }),
    )
    row("settle of less than was charged → settled, late: the charge becomes smaller", { spent: 2 }, ({ settle }) =>
      expectReply(settle(2), "settled, late", { counter: { peakBefore: ON_EXPIRE, peak: ON_EXPIRE } }),
    )
    row("settle of more than was charged → settled, late: the charge becomes larger", { spent: 15 }, ({ settle }) =>
      expectReply(settle(15), "settled, late", { counter: { peakBefore: ON_EXPIRE, peak: 15 } }),
    )
    row("release → released, late: the charge is refunded", {}, ({ release }) =>
      expectReply(release(), "released, late"),
    )
    row("extend → expired", { spent: ON_EXPIRE }, ({ extend }) => expectReply(extend(), "expired"))
    row("expire → not-due", { spent: ON_EXPIRE }, ({ expire }) => expectReply(expire(), "not-due"))
  },
  settled: (row) => {
    row("reserve → resolved: settled", { spent: SETTLED }, ({ reserve }) => expectReply(reserve(), "resolved: settled"))
    row("settle of the same amounts → replayed", { spent: SETTLED }, ({ settle }) =>
      expectReply(settle(SETTLED), "settled, replayed"),
    )
    row("settle of a higher revision → replaced, also with the same amounts", { spent: 3 }, async ({ settle }) => {
      await expectReply(settle(9, 2), "settled", { counter: { spent: 9, reserved: 0 } })
      await expectReply(settle(3, 5), "settled", { counter: { spent: 3, reserved: 0 } })
      await expectReply(settle(3, 5), "settled, replayed")
      await expectReply(settle(3, 6), "settled")
      await expectReply(settle(3, 5), "mismatch")
    })
    row("settle of the same revision with other amounts → mismatch", { spent: SETTLED }, ({ settle }) =>
      expectReply(settle(SETTLED + 1), "mismatch"),
    )
    row("settle of a lower revision → mismatch", { spent: 9 }, async ({ settle }) => {
      await expectReply(settle(9, 2), "settled")
      await expectReply(settle(5, 1), "mismatch")
      await expectReply(settle(SETTLED), "mismatch")
      await expectReply(settle(9, 2), "settled, replayed")
    })
    row("release → mismatch", { spent: SETTLED }, async ({ release }) => {
      for (const revision of [0, 3]) await expectReply(release(revision), "mismatch")
    })
    row("extend → settled", { spent: SETTLED }, ({ extend }) => expectReply(extend(), "settled"))
    row("expire → not-due", { spent: SETTLED }, ({ expire }) => expectReply(expire(), "not-due"))
  },
  released: (row) => {
    row("reserve → resolved: released", {}, ({ reserve }) => expectReply(reserve(), "resolved: released"))
    row("settle → mismatch: a released call was not sent", {}, async ({ settle }) => {
      for (const revision of [0, 1]) await expectReply(settle(8, revision), "mismatch")
    })
    row("release → replayed", {}, ({ release }) => expectReply(release(), "released, replayed"))
    row("extend → released", {}, ({ extend }) => expectReply(extend(), "released"))
    row("expire → not-due", {}, ({ expire }) => expectReply(expire(), "not-due"))
  },
}

/** Every cell of the contract's table of states, and another fingerprint in each state. */
function defineRows(test: TestFunction, states: readonly State[]): void {
  for (const state of states) {
    TABLE[state]((title, after, body) =>
      test(`a key that is ${state}: ${title}`, async (t) => {
        await enter(t, state)
        await body(callsTo(t))
        await t.expectCounters({ a: after })
      }),
    )
    if (state === "unknown") continue
    test(`a key that is ${state}: another fingerprint → mismatch, nothing changes`, async (t) => {
      await enter(t, state)
      const { name: _name, ...before } = (await t.read("a")).counters[0]!
      const fingerprint = "other"
      await expectReply(t.settle("key", [7], { fingerprint }), "mismatch")
      await expectReply(t.settle("key", [7], { fingerprint, revision: 9 }), "mismatch")
      await expectReply(t.release("key", { fingerprint }), "mismatch")
      await expectReply(t.tryReserve("key", t.requestOf("key").counters, { fingerprint }), "mismatch")
      await t.expectCounters({ a: before })
    })
  }
}

export const stateCases = [
  ...defineCases({ level: "contract", rule: "States" }, (test) => {
    defineRows(test, ["unknown", "held", "settled", "released"])
    test("a key that is unknown: settle of a key that the store lost → settled, recovered", async (t) => {
      // Long after any lease of this case.
      t.prepare("key", [counter("a", AMOUNT)], 4e12)
      await expectReply(t.settle("key", [8]), "settled, recovered")
      await t.expectCounters({ a: { spent: 8 } })
    })
  }),
  ...defineCases({ level: "leases", rule: "States", needs: ["clock"] }, (test) =>
    defineRows(test, ["held, lease ended", "expired"]),
  ),
]
