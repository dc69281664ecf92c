import type { CounterRef, SettleRequest } from "@p2/budget/store"
import { sqliteStore } from "@p2/budget-sqlite"
import { entryOf } from "../../../budget/test/adapters/requests"

/**
 * A process that does random operations until its share is done or it is killed. It reports each settle that was
 * confirmed, so that the parent can look for it afterwards.
 */
const [path, name, count] = process.argv.slice(2) as [string, string, string]
const store = sqliteStore(path, { timeoutMs: 30_000 })
const CALLERS = 6

const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)]!
const randomAmount = () => Math.floor(Math.random() * 1_000_000_007)
const counters: CounterRef[] = ["total", "user:ann", "user:bob", "client:x", "day", "model:m"].map((name) => ({
  name,
  startsAt: null,
  endsAt: name === "day" ? Date.now() + 86_400_000 : null,
  keepMs: name.startsWith("user") ? 86_400_000 : null,
}))

let done = 0
let report: { settles: [key: string, cost: number][]; operations: number } = { settles: [], operations: 0 }

async function operate(key: string): Promise<void> {
  const chosen = counters.filter(() => Math.random() < 0.5)
  const amounts = chosen.map(randomAmount)
  const attempt = entryOf(key, { model: pick(["m", "n"]), userId: pick(["ann", "bob"]) })
  const about = { partition: pick(["main", "other"]), key, fingerprint: key }
  const reserved = await store.reserve({
    ...about,
    leaseMs: pick([20, 200, 60_000]),
    counters: chosen.map((counter, index) => {
      const amount = amounts[index]!
      return { ...counter, amount, limit: Math.random() < 0.05 ? 1 : null, onExpire: Math.floor(amount / 2) }
    }),
    pendingEntry: { ...attempt, status: "expired" },
  })
  if (reserved.status !== "ok") return
  if (Math.random() < 0.2) await store.extend({ partition: about.partition, key, leaseMs: 100 })
  if (Math.random() < 0.15) return
  if (Math.random() < 0.2) await new Promise((resolve) => setTimeout(resolve, Math.random() * 60))
  for (const revision of Math.random() < 0.1 ? [0, 1] : [0]) {
    const costNanoUsd = randomAmount()
    const request: SettleRequest = {
      ...about,
      outcome: Math.random() < 0.1 ? "released" : "settled",
      revision,
      expiresAt: reserved.expiresAt,
      counters: chosen.map((counter, index) => ({ ...counter, reserved: amounts[index]!, amount: costNanoUsd })),
      entry: { ...attempt, costNanoUsd },
    }
    const reply = await store.settle(request)
    if (reply.status === "settled" && revision === 0 && !reply.replayed) report.settles.push([key, costNanoUsd])
    if (reply.status === "settled" && revision === 1)
      report.settles = report.settles.filter(([settled]) => settled !== key)
  }
  const kind = pick(["spent", "granted", "reset"] as const)
  if (Math.random() < 0.1) {
    const delta = kind === "reset" ? 0 : randomAmount() - 500_000_000
    await store.adjust({ partition: about.partition, key, counter: pick(counters), kind, delta })
  }
  if (Math.random() < 0.05) await expireSome(about.partition)
}

async function expireSome(partition: string): Promise<void> {
  const { due } = await store.listDue({ partition, limit: 64 })
  await Promise.all(due.map(({ key, counters }) => store.expire({ partition, key, counters })))
}

async function caller(lane: number): Promise<void> {
  while (done < Number(count)) {
    await operate(`${name}.${lane}.${done++}`)
    report.operations++
    if (report.operations >= 20) send()
  }
}

function send(): void {
  process.send!(report)
  report = { settles: [], operations: 0 }
}

await Promise.all(Array.from({ length: CALLERS }, (_, lane) => caller(lane)))
send()
await store.close!()
process.disconnect()
