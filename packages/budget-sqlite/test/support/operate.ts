import type { CellRef, SettleRequest, UsageEntry } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"

/**
 * A process that does random operations until its share is done or it is killed. It reports each commit that was
 * answered, so that the parent can look for it afterwards.
 */
const [path, name, count] = process.argv.slice(2) as [string, string, string]
const store = sqliteStore(path, { timeoutMs: 30_000 })
const CALLERS = 6

const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)]!
const amount = () => Math.floor(Math.random() * 1_000_000_007)
const cells: CellRef[] = ["total", "user:ann", "user:bob", "client:x", "day", "model:m"].map((key) => ({
  key,
  startsAt: null,
  endsAt: key === "day" ? Date.now() + 86_400_000 : null,
  keepMs: key.startsWith("user") ? 86_400_000 : null,
}))

let done = 0
let report: { commits: [id: string, cost: number][]; operations: number } = { commits: [], operations: 0 }

async function one(id: string): Promise<void> {
  const chosen = cells.filter(() => Math.random() < 0.5)
  const amounts = chosen.map(amount)
  const draft = { requestId: id, attempt: 1, model: pick(["m", "n"]), userId: pick(["ann", "bob"]), reservedNanoUsd: 1 }
  const about = { root: pick(["main", "other"]), id, fingerprint: id }
  const held = await store.reserve({
    ...about,
    leaseMs: pick([20, 200, 60_000]),
    cells: chosen.map((cell, index) => {
      const upTo = amounts[index]!
      return { ...cell, amount: upTo, limit: Math.random() < 0.05 ? 1 : null, onExpire: Math.floor(upTo / 2) }
    }),
    draft,
  })
  if (held.result !== "ok") return
  if (Math.random() < 0.2) await store.extend({ root: about.root, id, leaseMs: 100 })
  if (Math.random() < 0.15) return
  if (Math.random() < 0.2) await new Promise((resolve) => setTimeout(resolve, Math.random() * 60))
  for (const revision of Math.random() < 0.1 ? [0, 1] : [0]) {
    const costNanoUsd = amount()
    const entry: UsageEntry = {
      ...draft,
      status: "succeeded",
      tokens: { inputTokens: 3 },
      costNanoUsd,
      costSource: "table",
    }
    const settle: SettleRequest = {
      ...about,
      outcome: Math.random() < 0.1 ? "release" : "commit",
      revision,
      expiresAt: held.expiresAt,
      cells: chosen.map((cell, index) => ({ ...cell, reserved: amounts[index]!, amount: costNanoUsd })),
      entry: undefined,
    }
    const settled = await store.settle(settle.outcome === "commit" ? { ...settle, entry } : settle)
    if (settled.result === "committed" && revision === 0 && !settled.replayed) report.commits.push([id, costNanoUsd])
    if (settled.result === "committed" && revision === 1)
      report.commits = report.commits.filter(([known]) => known !== id)
  }
  const kind = pick(["spent", "granted", "reset"] as const)
  if (Math.random() < 0.1) {
    const delta = kind === "reset" ? 0 : amount() - 500_000_000
    await store.adjust({ root: about.root, id, cell: pick(cells), kind, delta })
  }
  if (Math.random() < 0.02) await store.sweep({ root: about.root, max: 100 })
}

async function caller(lane: number): Promise<void> {
  while (done < Number(count)) {
    const id = `${name}.${lane}.${done++}`
    await one(id)
    report.operations++
    if (report.operations >= 20) send()
  }
}

function send(): void {
  process.send!(report)
  report = { commits: [], operations: 0 }
}

await Promise.all(Array.from({ length: CALLERS }, (_, lane) => caller(lane)))
send()
await store.close!()
process.disconnect()
