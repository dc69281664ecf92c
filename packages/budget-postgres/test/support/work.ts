import { StoreError } from "@p2/budget/store"
import { postgresStore } from "@p2/budget-postgres"
import { Pool } from "pg"
import { entryOf } from "../../../budget/test/adapters/requests"

/**
 * A process that reserves and settles until it is killed. It reports each settle that was confirmed, so that the parent can
 * look for it afterwards. A call that failed is sent again, as the budget does.
 */
const [url, schema, name] = process.argv.slice(2) as [string, string, string]
const pool = new Pool({ connectionString: url, max: 4 })
const store = postgresStore({ pool, schema, timeoutMs: 5_000 })
const CALLERS = 6

const random = (below: number) => Math.floor(Math.random() * below)

async function untilReply<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!StoreError.isInstance(error) || error.code !== "store-unavailable") throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

async function operate(key: string): Promise<void> {
  const partition = ["main", "other"][random(2)]!
  const counters = ["total", `user=${random(3)}`].map((each) => ({
    name: each,
    startsAt: null,
    endsAt: null,
    keepMs: null,
  }))
  const amount = 1 + random(1_000_000_007)
  const reserved = await untilReply(() =>
    store.reserve({
      ...{ partition, key, fingerprint: key, leaseMs: random(4) === 0 ? 50 : 60_000 },
      counters: counters.map((counter) => ({ ...counter, amount, limit: null, onExpire: amount })),
      pendingEntry: { ...entryOf(key), status: "expired", costNanoUsd: amount, costSource: "bound" },
    }),
  )
  if (reserved.status !== "ok") return
  if (random(10) === 0) return
  const cost = random(amount)
  const settled = await untilReply(() =>
    store.settle({
      ...{ partition, key, fingerprint: key, outcome: "settled", revision: 0, expiresAt: reserved.expiresAt },
      counters: counters.map((counter) => ({ ...counter, reserved: amount, amount: cost })),
      entry: entryOf(key, { costNanoUsd: cost }),
    }),
  )
  if (settled.status === "settled") process.send!([partition, key, cost])
  if (random(10) > 0) return
  const { due } = await untilReply(() => store.listDue({ partition, limit: 64 }))
  for (const lease of due) await untilReply(() => store.expire({ partition, ...lease }))
}

await Promise.all(
  Array.from({ length: CALLERS }, async (_, lane) => {
    for (let index = 0; ; index++) await operate(`${name}.${lane}.${index}`)
  }),
)
