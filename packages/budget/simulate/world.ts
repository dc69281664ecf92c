import type { Budget, BudgetAlert, Reservation } from "../src/budget"
import { createBudget } from "../src/index"
import type { StoredEntry, UsageDraft } from "../src/ledger"
import type { Limit } from "../src/limit"
import type { BudgetStore } from "../src/store"
import { createRandom, type Random } from "../src/testing/random"
import { allowedCharges, type BookedCall } from "./book"
import { Network } from "./network"
import { type SimulatedProcess, VirtualTime } from "./virtual-time"

/** Ten minutes before a new day, week, month and year in UTC, so that every window closes in some of the runs. */
const START = Date.UTC(2028, 11, 31, 23, 50)
const LEASE_MS = 5_000
const PROCESSES = 3
const CALLS = 12

const LIMITS: readonly Limit[] = [
  { scope: "total", limit: { nanoUsd: 4_000 }, per: "day", alertAt: [0.5, 1] },
  { scope: "user", limit: { nanoUsd: 1_500 }, per: "1h", alertAt: [0.8] },
  { scope: "client", limit: { nanoUsd: 2_500 } },
]

/** Where the store of one run comes from. */
export interface SimulatedServer {
  /** Opens a fresh store whose time is `now()`. */
  open(now: () => number): Promise<{ store: BudgetStore; root: string; close(): Promise<void> }>
}

export interface RunResult {
  seed: number
  violations: string[]
  trace: string[]
  calls: number
}

/** One run: processes make calls over a bad network, some crash; in the end the books must agree. */
export async function runSeed(seed: number, server: SimulatedServer): Promise<RunResult> {
  const random = createRandom(seed)
  const time = new VirtualTime(START + random.integer(0, 540_000), createRandom(seed + 0.5))
  const { store, root, close } = await server.open(() => time.now)
  const restore = time.install()
  try {
    const world = new World(random, time, store, root)
    await world.run()
    return { seed, violations: world.violations(), trace: world.network.trace, calls: world.calls.size }
  } finally {
    restore()
    await close()
  }
}

class World {
  readonly network: Network
  readonly calls = new Map<string, BookedCall>()
  readonly #found: string[] = []
  readonly #alerts = new Map<string, number>()
  readonly #budgets = new Map<SimulatedProcess, Budget>()
  #working = 0
  /** From here on nobody crashes: whoever were started anew would still be at work in the end. */
  #isOver = false

  constructor(
    private readonly random: Random,
    private readonly time: VirtualTime,
    private readonly store: BudgetStore,
    private readonly root: string,
  ) {
    const calm = random.chance(0.15)
    const weather = {
      drop: calm ? 0 : random.next() * 0.15,
      duplicate: random.next() * 0.2,
      late: calm ? 0 : random.next() * 0.1,
    }
    this.network = new Network(time, random, store, weather)
  }

  violations(): string[] {
    return [...this.#found, ...this.network.violations]
  }

  async run(): Promise<void> {
    for (let index = 0; index < PROCESSES; index++) this.#start(`p${index}`, 0)
    if (this.random.chance(0.4)) this.#outage()
    // Lanes end by themselves; the bound is for a package that waits for ever.
    for (let steps = 0; this.#working > 0; steps++) {
      if (steps > 200_000) throw new Error("the processes never finish")
      if (!this.time.step()) throw new Error(`nothing happens any more, and ${this.#working} lanes wait`)
      await this.#settled()
    }
    this.#isOver = true
    await this.#calm()
    await this.#checkBooks()
  }

  /** Waits until everything that needs no virtual time is done. */
  async #settled(): Promise<void> {
    do await this.time.turn()
    while (this.network.inFlight > 0)
  }

  async #advance(ms: number): Promise<void> {
    const until = this.time.now + ms
    while (this.time.step(until)) await this.#settled()
    this.time.now = Math.max(this.time.now, until)
  }

  // ── Processes ──

  #start(name: string, life: number): void {
    const { random, time } = this
    const skewMs = random.chance(0.3) ? random.integer(-600_000, 600_000) : 0
    const process: SimulatedProcess = { name: `${name}.${life}`, isDead: false, skewMs }
    time.runAs(process, () => {
      const budget = createBudget({
        store: this.network.storeFor(process),
        root: this.root,
        limits: LIMITS,
        leaseMs: LEASE_MS,
        onAlert: (alert) => this.#alert(alert),
        onWarning: () => {},
      })
      this.#budgets.set(process, budget)
      let lanes = 3
      this.#working++
      const laneEnded = () => {
        lanes--
        if (lanes === 0 && !process.isDead) this.#working--
      }
      for (let lane = 0; lane < 3; lane++)
        void this.#lane(process, budget, lane).then(laneEnded, (error) => {
          this.#found.push(`${process.name} threw ${String(error)}`)
          laneEnded()
        })
      if (life < 2 && random.chance(0.35)) {
        time.at(time.now + random.integer(1, 20_000), undefined, () =>
          this.#crash(process, name, life, () => lanes > 0),
        )
      }
    })
  }

  #crash(process: SimulatedProcess, name: string, life: number, isWorking: () => boolean): void {
    if (this.#isOver) return
    if (isWorking()) this.#working--
    process.isDead = true
    this.#budgets.delete(process)
    this.network.trace.push(`${this.time.now} ${process.name} dies`)
    for (const call of this.calls.values()) {
      if (call.id.startsWith(`${process.name}.`) && (call.outcome === "open" || call.outcome === "pending"))
        call.crashed = true
      if (call.id.startsWith(`${process.name}.`) && call.outcome === "failed") call.crashed = true
    }
    this.#working++
    this.time.at(this.time.now + this.random.integer(1, 8_000), undefined, () => {
      this.#working--
      this.#start(name, life + 1)
    })
  }

  #outage(): void {
    const { random, time } = this
    time.at(time.now + random.integer(0, 20_000), undefined, () => {
      this.network.isDown = true
      time.at(time.now + random.integer(50, 4_000), undefined, () => {
        this.network.isDown = false
      })
    })
  }

  async #lane(process: SimulatedProcess, budget: Budget, lane: number): Promise<void> {
    const { random, time } = this
    for (let index = 0; index < CALLS; index++) {
      await time.sleep(random.integer(0, 1_500))
      const id = `${process.name}.${lane}.${index}`
      const call: BookedCall = {
        id,
        bound: random.integer(0, 400),
        billed: null,
        before: null,
        outcome: "open",
        crashed: false,
      }
      this.calls.set(id, call)
      await this.#makeCall(process, budget, call)
    }
  }

  async #makeCall(process: SimulatedProcess, budget: Budget, call: BookedCall): Promise<void> {
    const { random, time } = this
    const subject = { userId: random.pick(["u1", "u2", "\ud800{", "u:1"]), clientId: random.pick(["c1", "c2"]) }
    const draft: UsageDraft = { requestId: call.id, attempt: 1, ...subject, model: "m", reservedNanoUsd: call.bound }
    let held: Reservation
    try {
      const signal = random.chance(0.15) ? this.#signalAfter(process, random.integer(0, 100)) : undefined
      const outcome = await budget.reserve({ id: call.id, subject, amount: { nanoUsd: call.bound }, draft, signal })
      if (!outcome.ok) {
        call.outcome = "refused"
        return
      }
      held = outcome.reservation
    } catch (error) {
      const { applied, name } = error as { applied?: string; name?: string }
      if (applied === undefined && name !== "AbortedError") throw error
      call.outcome = "failed"
      return
    }
    if (random.chance(0.15)) {
      const released = await held.release()
      call.outcome = released.status === "settled" ? "released" : "failed"
      return
    }
    // From here on the provider bills, whatever becomes of us. Some calls outlive their lease, some the bound.
    call.billed = random.chance(0.1) ? call.bound + random.integer(1, 50) : random.integer(0, call.bound)
    await time.sleep(random.chance(0.1) ? random.integer(LEASE_MS, 3 * LEASE_MS) : random.integer(5, 1_500))
    const entry = {
      ...draft,
      status: "succeeded" as const,
      tokens: {},
      costNanoUsd: call.billed,
      costSource: "table" as const,
    }
    const settled = await held.settle({ nanoUsd: call.billed }, entry)
    call.outcome = settled.status
    if (settled.status !== "settled" || !random.chance(0.15)) return
    // An invoice corrects what the answer said.
    await time.sleep(random.integer(5, 2_000))
    Object.assign(call, { before: call.billed, billed: random.integer(0, 2 * call.bound), outcome: "open" })
    const cost = { nanoUsd: call.billed }
    const corrected = await held.settle(cost, { ...entry, costNanoUsd: call.billed }, { revision: 1 })
    call.outcome = corrected.status
  }

  /** Whoever asked goes away, perhaps in the moment in which the answer comes. */
  #signalAfter(process: SimulatedProcess, ms: number): AbortSignal {
    const controller = new AbortController()
    this.time.at(this.time.now + ms, process, () => controller.abort())
    return controller.signal
  }

  #alert(alert: BudgetAlert): void {
    const about = JSON.stringify([alert.scope, alert.value, alert.startsAt, alert.threshold])
    const times = (this.#alerts.get(about) ?? 0) + 1
    this.#alerts.set(about, times)
    if (times > 1 && alert.value !== undefined) this.#found.push(`the alert ${about} came ${times} times`)
  }

  // ── The end ──

  /** The network recovers, the living processes finish, the leases of the dead run out. */
  async #calm(): Promise<void> {
    this.network.isDown = false
    this.network.weather = { drop: 0, duplicate: 0, late: 0 }
    await this.#advance(30_000)
    for (const [process, budget] of this.#budgets) {
      if (budget.pending > 0) this.#found.push(`${process.name} still has ${budget.pending} pending`)
      void this.time.runAs(process, () => budget.close({ keepStore: true, timeoutMs: 1_000 }))
    }
    await this.#advance(LEASE_MS * 4)
    await this.store.sweep({ root: this.root, max: 10_000 })
  }

  async #checkBooks(): Promise<void> {
    const { store, root } = this
    const entries = new Map<string, StoredEntry>()
    let cursor: string | undefined
    do {
      const page = await store.ledger!.list({ root, filter: {}, limit: 500, cursor })
      for (const entry of page.entries) entries.set(entry.id, entry)
      cursor = page.cursor ?? undefined
    } while (cursor !== undefined)

    const sums = new Map<string, number>()
    for (const entry of entries.values()) {
      for (const [key, amount] of Object.entries(entry.charges)) sums.set(key, (sums.get(key) ?? 0) + amount)
    }
    const { cells, due } = await store.read({ root, keys: [...sums.keys()] })
    if (due > 0) this.#found.push(`${due} leases are due for ever`)
    for (const cell of cells) {
      if (cell.reserved !== 0) this.#found.push(`${cell.reserved} stay reserved in ${cell.key}`)
      if (cell.spent !== sums.get(cell.key)) {
        this.#found.push(`${cell.key} spent ${cell.spent}, its entries sum to ${sums.get(cell.key)}`)
      }
    }
    this.#checkCalls(entries)
  }

  /** Each call is charged what it may be charged, in all of its cells alike: exactly once, nothing lost, all or none. */
  #checkCalls(entries: ReadonlyMap<string, StoredEntry>): void {
    const byRequest = new Map([...entries.values()].map((entry) => [entry.requestId, entry]))
    for (const call of this.calls.values()) {
      const charges = Object.values(byRequest.get(call.id)?.charges ?? {})
      const charged = charges[0] ?? 0
      if (charges.some((amount) => amount !== charged))
        this.#found.push(`${call.id} is charged ${charges} in its cells`)
      if (!allowedCharges(call).includes(charged)) {
        this.#found.push(`${call.id} is charged ${charged}, allowed: ${allowedCharges(call)} (${JSON.stringify(call)})`)
      }
    }
  }
}
