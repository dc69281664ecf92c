import type {
  BudgetStore,
  CounterRef,
  ReserveCounter,
  ReserveRequest,
  SettleRequest,
} from "../../src/store/budget-store"
import { StoreError } from "../../src/store/store-error"
import type { UsageEntry } from "../../src/usage/entry"

export const PARTITIONS = ["main", "other"] as const
/** Short, because the run waits for leases that are never settled. */
export const LONGEST_LEASE_MS = 2_000
const LEASES_MS = [30, 300, LONGEST_LEASE_MS]
const CALLERS = 8
const WINDOW_MS = 1_000
const DAY_MS = 86_400_000

/** What a process sends to its parent, every few requests. */
export interface Report {
  kind: "report"
  /** Calls of the store that got a reply. */
  operations: number
  /** Settles of revision 0 that were confirmed, and not corrected since. */
  settles: [key: string, costNanoUsd: number][]
  /** Confirmed changes of `spent` by an adjustment. */
  adjustments: AppliedAdjustment[]
}

/** An adjustment that was applied to `spent` of a counter. */
export interface AppliedAdjustment {
  partition: string
  key: string
  counter: string
  applied: number
}

/** The operations of one process since its last report. */
type Journal = Omit<Report, "kind">

const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)]!
const chance = (probability: number) => Math.random() < probability
const randomAmount = () => Math.floor(Math.random() * 1_000_000_007)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function countersNow(): CounterRef[] {
  const startsAt = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS
  const endless = (name: string, keepMs: number | null): CounterRef => ({ name, startsAt: null, endsAt: null, keepMs })
  return [
    endless("total", null),
    endless("user:ann", DAY_MS),
    endless("user:bob", DAY_MS),
    endless("client:x", null),
    { name: `second.${startsAt}`, startsAt, endsAt: startsAt + WINDOW_MS, keepMs: null },
  ]
}

/** Does random operations with a store until it is killed, and reports the confirmed ones. */
export async function operate(store: BudgetStore, name: string, send: (report: Report) => void): Promise<never> {
  const operator = new Operator(store)
  let keys = 0
  const lane = async (): Promise<never> => {
    for (;;) {
      await operator.request(`${name}.${keys++}`).catch(ignoreFailure)
      if (operator.journal.operations >= 50) send({ kind: "report", ...operator.takeJournal() })
    }
  }
  return Promise.race(Array.from({ length: CALLERS }, lane))
}

/** A call may get no reply in time; any other error is a defect. */
function ignoreFailure(error: unknown): void {
  if (!StoreError.isInstance(error) || error.code !== "store-unavailable") throw error
}

class Operator {
  journal: Journal = { operations: 0, settles: [], adjustments: [] }

  constructor(private readonly store: BudgetStore) {}

  takeJournal(): Journal {
    const { journal } = this
    this.journal = { operations: 0, settles: [], adjustments: [] }
    return journal
  }

  async request(key: string): Promise<void> {
    const { store } = this
    const request = reserveRequest(key)
    const { partition } = request
    const reserved = await this.#count(store.reserve(request))
    if (reserved.status !== "ok") {
      const entry = { ...request.pendingEntry, status: "denied", costNanoUsd: 0, costSource: "none" } as const
      await this.#count(store.ledger!.record({ partition, key, entry }))
      return
    }
    if (chance(0.1)) await this.#count(store.reserve(request))
    if (chance(0.2)) await this.#count(store.extend({ partition, key, leaseMs: 400 }))
    // A caller that returns here leaves the reservation to its lease.
    if (chance(0.15)) return
    if (chance(0.2)) await pause(Math.random() * 80)
    const isCorrected = chance(0.1)
    const cost = await this.#settle(request, 0, reserved.expiresAt)
    if (isCorrected) await this.#settle(request, 1, reserved.expiresAt)
    else if (cost !== undefined) this.journal.settles.push([key, cost])
    if (chance(0.1)) await this.#adjust(partition, key)
    if (chance(0.02)) await this.#sweep(partition)
  }

  /** Resolves to the confirmed cost; undefined for a release. */
  async #settle(reserved: ReserveRequest, revision: number, expiresAt: number): Promise<number | undefined> {
    const { partition, key, fingerprint, counters, pendingEntry } = reserved
    const cost = randomAmount()
    const outcome = chance(0.1) ? "released" : "settled"
    const entry: UsageEntry =
      outcome === "settled"
        ? { ...pendingEntry, status: "succeeded", tokens: { inputTokens: 3 }, costNanoUsd: cost, costSource: "table" }
        : { ...pendingEntry, status: "released", costNanoUsd: 0, costSource: "none" }
    const request: SettleRequest = {
      ...{ partition, key, fingerprint, outcome, revision, expiresAt, entry },
      counters: counters.map(({ name, startsAt, endsAt, keepMs, amount }) => ({
        ...{ name, startsAt, endsAt, keepMs, reserved: amount },
        amount: outcome === "settled" ? cost : 0,
      })),
    }
    // Some retries name the windows of the time of the retry; the store replies with those of the reserve.
    if (chance(0.1)) await this.#settleElsewhere(request)
    const reply = await this.#count(this.store.settle(request))
    if (chance(0.1)) await this.#count(this.store.settle(request))
    return reply.status === "settled" ? cost : undefined
  }

  async #settleElsewhere(request: SettleRequest): Promise<void> {
    const names = request.counters.map(({ name }) => name)
    const [first, ...rest] = request.counters
    if (first === undefined) return
    const elsewhere = { ...first, name: "elsewhere" }
    const reply = await this.#count(this.store.settle({ ...request, counters: [elsewhere, ...rest] }))
    if (reply.status === "mismatch" || reply.status === "forgotten") return
    const isRejected = reply.status === "other-counters" && `${[...reply.storedCounters].sort()}` === `${names.sort()}`
    if (!isRejected)
      throw new Error(
        `A settle in other counters: expected other-counters with [${names}], got ${JSON.stringify(reply)}.`,
      )
  }

  async #adjust(partition: string, key: string): Promise<void> {
    const kind = pick(["spent", "granted", "reset"] as const)
    const delta = kind === "reset" ? 0 : randomAmount() - 500_000_000
    const request = { partition, key, counter: pick(countersNow()), kind, delta }
    const reply = await this.#count(this.store.adjust(request))
    if (reply.status === "ok" && kind !== "granted")
      this.journal.adjustments.push({ partition, key, counter: request.counter.name, applied: reply.applied })
    if (chance(0.2)) await this.#count(this.store.adjust(request))
  }

  async #sweep(partition: string): Promise<void> {
    const { due } = await this.#count(this.store.listDue({ partition, limit: 64 }))
    for (const { key, counters } of due) await this.#count(this.store.expire({ partition, key, counters }))
  }

  async #count<T>(reply: Promise<T>): Promise<T> {
    const value = await reply
    this.journal.operations++
    return value
  }
}

function reserveRequest(key: string): ReserveRequest {
  const partition = pick(PARTITIONS)
  const counters = countersNow()
    .filter(() => chance(0.5))
    .map((counter): ReserveCounter => {
      const amount = randomAmount()
      return { ...counter, amount, limit: chance(0.05) ? 1 : null, onExpire: Math.floor(amount / 2) }
    })
  const pendingEntry: UsageEntry = {
    ...{ requestId: key, attempt: 1, model: pick(["m", "n"]), userId: pick(["ann", "bob"]), tokens: {} },
    ...{ status: "expired", reservedNanoUsd: 7, costNanoUsd: 3, costSource: "bound" },
  }
  return { partition, key, fingerprint: key, leaseMs: pick(LEASES_MS), counters, pendingEntry }
}
