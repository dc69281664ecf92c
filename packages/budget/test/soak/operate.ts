import type { UsageEntry } from "../../src/ledger"
import type { BudgetStore, CellRef, ReserveCell, SettleRequest } from "../../src/store"
import { StoreError } from "../../src/store-error"

export const ROOTS = ["main", "other"] as const
/** Short, so that the run can wait for the end of those who never settle. */
export const LONGEST_LEASE_MS = 2_000
const LEASES_MS = [30, 300, LONGEST_LEASE_MS]
const CALLERS = 8
const WINDOW_MS = 1_000

/** What a process tells the one that started it, every few requests. */
export interface Report {
  kind: "report"
  /** Calls of the store that were answered. */
  operations: number
  /** Commits of revision 0 that were answered as applied, and not corrected since. */
  commits: [id: string, costNanoUsd: number][]
}

const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)]!
const chance = (of: number) => Math.random() < of
const amount = () => Math.floor(Math.random() * 1_000_000_007)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function cellsNow(): CellRef[] {
  const startsAt = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS
  const endless = (key: string, keepMs: number | null): CellRef => ({ key, startsAt: null, endsAt: null, keepMs })
  return [
    endless("total", null),
    endless("user:ann", 86_400_000),
    endless("user:bob", 86_400_000),
    endless("client:x", null),
    { key: `second.${startsAt}`, startsAt, endsAt: startsAt + WINDOW_MS, keepMs: null },
  ]
}

/** Does random operations with a store until it is told to stop, and reports what was answered. */
export async function operate(store: BudgetStore, name: string, tell: (report: Report) => void): Promise<never> {
  let report: Report = { kind: "report", operations: 0, commits: [] }
  const counted = <T>(answer: Promise<T>): Promise<T> =>
    answer.then((value) => {
      report.operations++
      return value
    })
  let ids = 0
  const lane = async (): Promise<never> => {
    for (;;) {
      await request(store, `${name}.${ids++}`, counted, (commit) => report.commits.push(commit)).catch(onlyFailures)
      if (report.operations < 50) continue
      tell(report)
      report = { kind: "report", operations: 0, commits: [] }
    }
  }
  return Promise.race(Array.from({ length: CALLERS }, lane))
}

/** A call that was not answered in time is a part of the run; anything else is a defect. */
function onlyFailures(error: unknown): void {
  if (!(error instanceof StoreError) || error.code !== "unavailable") throw error
}

async function request(
  store: BudgetStore,
  id: string,
  counted: <T>(answer: Promise<T>) => Promise<T>,
  committed: (commit: [id: string, costNanoUsd: number]) => void,
): Promise<void> {
  const chosen = cellsNow().filter(() => chance(0.5))
  const about = { root: pick(ROOTS), id, fingerprint: id }
  const draft = { requestId: id, attempt: 1, model: pick(["m", "n"]), userId: pick(["ann", "bob"]), reservedNanoUsd: 7 }
  const cells: ReserveCell[] = chosen.map((cell) => {
    const upTo = amount()
    return { ...cell, amount: upTo, limit: chance(0.05) ? 1 : null, onExpire: Math.floor(upTo / 2) }
  })
  const asked = { ...about, leaseMs: pick(LEASES_MS), cells, draft }
  const held = await counted(store.reserve(asked))
  if (held.result !== "ok") {
    const refused = { ...draft, status: "refused", tokens: {}, costNanoUsd: 0, costSource: "none" } as const
    if (store.ledger !== undefined) await counted(store.ledger.record({ root: about.root, id, entry: refused }))
    return
  }
  if (chance(0.1)) await counted(store.reserve(asked))
  if (chance(0.2)) await counted(store.extend({ root: about.root, id, leaseMs: 400 }))
  // Whoever goes away here is one whose lease decides.
  if (chance(0.15)) return
  if (chance(0.2)) await pause(Math.random() * 80)
  const settle = async (revision: number) => {
    const cost = amount()
    const entry: UsageEntry = {
      ...draft,
      ...{ status: "succeeded", tokens: { inputTokens: 3 }, costNanoUsd: cost, costSource: "table" },
    }
    const outcome = chance(0.1) ? "release" : "commit"
    const told: SettleRequest = {
      ...about,
      ...{ outcome, revision, expiresAt: held.expiresAt },
      cells: cells.map((cell) => ({ ...cell, reserved: cell.amount, amount: cost })),
      ...(outcome === "commit" ? { entry } : {}),
    }
    const answer = await counted(store.settle(told))
    if (chance(0.1)) await counted(store.settle(told))
    return answer.result === "committed" ? cost : undefined
  }
  const isCorrected = chance(0.1)
  const cost = await settle(0)
  if (isCorrected) await settle(1)
  else if (cost !== undefined) committed([id, cost])
  if (chance(0.1)) await adjust(store, about, counted)
  if (chance(0.02)) await counted(store.sweep({ root: about.root, max: 100 }))
}

async function adjust(
  store: BudgetStore,
  { root, id }: { root: string; id: string },
  counted: <T>(answer: Promise<T>) => Promise<T>,
): Promise<void> {
  const kind = pick(["spent", "granted", "reset"] as const)
  const told = { root, id, cell: pick(cellsNow()), kind, delta: kind === "reset" ? 0 : amount() - 500_000_000 }
  await counted(store.adjust(told))
  if (chance(0.2)) await counted(store.adjust(told))
}
