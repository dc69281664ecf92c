import { type Budget, type BudgetAlert, createBudget, type Limit } from "../src/index"
import type { BudgetStore } from "../src/store/budget-store"
import { createRandom, type Random } from "../src/testing/random"
import { audit, checkCalls, isAnyDue } from "./audit"
import { Caller } from "./caller"
import { Journal } from "./journal"
import { Network, type NetworkFaults } from "./network"
import type { SimulatedServer } from "./servers"
import type { SimulatedCall } from "./simulated-call"
import { type SimulatedProcess, VirtualTime } from "./virtual-time"

/** Up to ten minutes before a new day, week, month and year in UTC, so that every window closes in some runs. */
const START = Date.UTC(2028, 11, 31, 23, 50)
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
export const LEASE_MS = 5_000
const PROCESSES = 3
const LANES = 3
const MAX_LIVES = 3
/** Jumps of a server's clock: past a lease, the retention or a day, but less than a store's margin. */
const JUMPS_MS = [20_000, 10 * MINUTE_MS, 3 * HOUR_MS, 26 * HOUR_MS, 50 * HOUR_MS]

const LIMITS: readonly Limit[] = [
  { scope: "total", limit: { nanoUsd: 4_000 }, per: "day", alertAt: [0.5, 1] },
  { scope: "user", limit: { nanoUsd: 1_500 }, per: "1h", alertAt: [0.8] },
  { scope: "client", limit: { nanoUsd: 2_500 } },
  { scope: "user", limit: { nanoUsd: 900, requests: 6 }, per: "7s" },
]

export interface RunResult {
  seed: number
  violations: string[]
  trace: string[]
  /** Members of the store with the statuses of their replies. */
  replies: ReadonlySet<string>
  calls: number
}

/** One run: processes make calls through an unreliable network, some crash, clocks jump; in the end every amount must be right. */
export async function runSeed(seed: number, server: SimulatedServer): Promise<RunResult> {
  const random = createRandom(seed)
  const time = new VirtualTime(START + random.integer(0, 540_000), createRandom(seed + 0.5))
  const clock = { offsetMs: 0 }
  const store = await server.open(() => time.now + clock.offsetMs)
  const restore = time.install()
  try {
    const world = new World(random, time, clock, store)
    await world.run()
    const { trace, replies } = world.network
    return { seed, violations: world.violations(), trace, replies, calls: world.calls.length }
  } finally {
    restore()
  }
}

class World {
  readonly network: Network
  readonly calls: SimulatedCall[] = []
  readonly #journal: Journal
  readonly #violations: string[] = []
  readonly #alerts = new Map<string, number>()
  readonly #budgets = new Map<SimulatedProcess, Budget>()
  /** Number of processes that work or are about to start. */
  #working = 0
  /** True once the faults have ended. */
  #isOver = false
  #hasJumped = false

  constructor(
    private readonly random: Random,
    private readonly time: VirtualTime,
    private readonly clock: { offsetMs: number },
    private readonly store: BudgetStore,
  ) {
    const isReliable = random.chance(0.15)
    const faults: NetworkFaults = {
      drop: isReliable ? 0 : random.next() * 0.15,
      duplicate: random.next() * 0.2,
      delay: isReliable ? 0 : random.next() * 0.1,
    }
    this.#journal = new Journal(() => this.#serverClock(), store.capabilities.retentionMs)
    this.network = new Network(time, random, store, this.#journal, faults)
  }

  violations(): string[] {
    return [...this.#violations, ...this.network.violations, ...this.#journal.violations]
  }

  async run(): Promise<void> {
    const { random } = this
    for (let index = 0; index < PROCESSES; index++) this.#start(`p${index}`, 0, [])
    if (random.chance(0.4)) this.#fail()
    if (random.chance(0.35)) this.#jump()
    if (random.chance(0.5)) this.#operate()
    // The bound catches a package that never finishes.
    for (let steps = 0; this.#working > 0; steps++) {
      if (steps > 200_000) throw new Error("The processes do not finish.")
      if (!this.time.step()) throw new Error(`${this.#working} processes wait, and no event is scheduled.`)
      await this.#complete()
      if (random.chance(0.003)) await this.#audit("in the middle")
    }
    this.#isOver = true
    await this.#end()
  }

  #serverClock(): number {
    return this.time.now + this.clock.offsetMs
  }

  /** Waits until every task that needs no virtual time is done. */
  async #complete(): Promise<void> {
    do await this.time.turn()
    while (this.network.inFlight > 0)
  }

  async #advance(ms: number): Promise<void> {
    const until = this.time.now + ms
    do await this.#complete()
    while (this.time.step(until))
    this.time.now = Math.max(this.time.now, until)
  }

  #log(what: string): void {
    this.network.trace.push(`${this.time.now} ${what}`)
  }

  // ── Processes ──

  /** Starts a process, which also takes over calls that it abandoned when it died. */
  #start(name: string, life: number, abandoned: readonly SimulatedCall[]): void {
    const { random, time } = this
    const skewMs = random.chance(0.3) ? random.integer(-10, 10) * MINUTE_MS : 0
    const process: SimulatedProcess = { name: `${name}.${life}`, isDead: false, skewMs }
    const budget = this.#budgetOf(process)
    const lanes = Array.from({ length: LANES }, (_, lane) => (caller: Caller) => caller.makeCalls(lane))
    if (abandoned.length > 0) lanes.push((caller) => caller.takeOver(abandoned))
    let working = lanes.length
    this.#working++
    const end = () => {
      working--
      if (working === 0 && !process.isDead) this.#working--
    }
    time.runAs(process, () => {
      const caller = new Caller({
        ...{ process, budget, time, random, calls: this.calls, journal: this.#journal },
        anyProcess: () => this.#anyProcess(),
        fail: (what) => this.#violations.push(what),
      })
      for (const lane of lanes)
        void lane(caller).then(end, (error: unknown) => {
          this.#violations.push(`${process.name} threw ${String(error)}`)
          end()
        })
    })
    if (random.chance(0.15))
      this.#later(random.integer(1, 20_000), () => {
        process.skewMs = random.integer(-10, 10) * MINUTE_MS
      })
    if (life + 1 < MAX_LIVES && random.chance(0.35))
      this.#later(random.integer(1, 20_000), () => this.#crash(process, name, life, working > 0))
  }

  #budgetOf(process: SimulatedProcess): Budget {
    const budget = this.time.runAs(process, () =>
      createBudget({
        store: this.network.storeFor(process),
        limits: LIMITS,
        leaseMs: LEASE_MS,
        onAlert: (alert) => this.#alert(alert),
        onWarning: (message) => this.#log(`${process.name} warns: ${message}`),
      }),
    )
    this.#budgets.set(process, budget)
    return budget
  }

  #crash(process: SimulatedProcess, name: string, life: number, isWorking: boolean): void {
    if (isWorking) this.#working--
    process.isDead = true
    this.#budgets.delete(process)
    this.#log(`${process.name} dies`)
    const abandoned = this.calls.filter(({ owner, outcome }) => owner === process && isUnfinished(outcome))
    for (const call of abandoned) call.isAbandoned = true
    this.#working++
    this.time.at(this.time.now + this.random.integer(1, 8_000), undefined, () => {
      this.#working--
      // A correction that was sent may still arrive; a settle of the earlier cost would then be a mismatch.
      const open = abandoned.filter(({ outcome, billedBefore }) => outcome === "open" && billedBefore === null)
      this.#start(name, life + 1, open)
    })
  }

  #alert({ scope, value, startsAt, threshold }: BudgetAlert): void {
    const crossing = JSON.stringify([scope, value, startsAt, threshold])
    const times = (this.#alerts.get(crossing) ?? 0) + 1
    this.#alerts.set(crossing, times)
    // An alert with a hashed value has no value, so that several users share it. A reset lets thresholds be crossed again.
    if (times > 1 && value !== undefined && this.#journal.resets === 0)
      this.#violations.push(`the alert ${crossing} is delivered ${times} times`)
  }

  // ── Faults ──

  #later(ms: number, fault: () => void): void {
    this.time.at(this.time.now + ms, undefined, () => {
      if (!this.#isOver) fault()
    })
  }

  #fail(): void {
    const { random, network } = this
    this.#later(random.integer(0, 20_000), () => {
      network.isDown = true
      this.#log("the server is down")
      this.time.at(this.time.now + random.integer(50, 4_000), undefined, () => {
        network.isDown = false
      })
    })
  }

  /** The server's clock jumps, usually ahead, and usually back again later. */
  #jump(): void {
    const { random, clock } = this
    const ms = random.pick(JUMPS_MS) * (random.chance(0.75) ? 1 : -1)
    const move = (by: number) => {
      clock.offsetMs += by
      this.#hasJumped = true
      this.#log(`the server's clock jumps by ${by} ms`)
    }
    const start = random.integer(1_000, 15_000)
    this.#later(start, () => move(ms))
    if (random.chance(0.2)) return
    const end = start + random.integer(500, 12_000)
    this.#later(end, () => move(-ms))
    if (random.chance(0.5)) this.#later(end + random.integer(0, 3_000), () => this.#onSomeBudget(acceptClock))
  }

  /** An operator tops up and resets. */
  #operate(): void {
    const { random } = this
    const target = { subject: { userId: "u1", clientId: "c1" }, idempotencyKey: "operator" }
    const amount = { nanoUsd: random.integer(1, 500) }
    const actions: ((budget: Budget) => Promise<unknown>)[] = [
      (budget) => budget.topUp({ ...target, scope: "user", per: "1h", amount }),
      (budget) => budget.topUp({ ...target, scope: "client", amount, idempotencyKey: "second" }),
      (budget) => budget.reset({ ...target, scope: "client", idempotencyKey: "third" }),
    ]
    for (const action of actions) {
      if (random.chance(0.4)) continue
      // Some operators repeat the call, because the first reply was lost.
      const times = random.chance(0.5) ? 2 : 1
      for (let index = 0; index < times; index++)
        this.#later(random.integer(0, 20_000), () => this.#onSomeBudget(action))
    }
  }

  #onSomeBudget(action: (budget: Budget) => Promise<unknown>): void {
    const [process, budget] = this.#anyProcess() ?? []
    if (process === undefined || budget === undefined) return
    this.time.runAs(process, () => action(budget).catch((error: unknown) => this.#expectFailure(process, error)))
  }

  #anyProcess(): [SimulatedProcess, Budget] | undefined {
    const running = [...this.#budgets]
    return running.length === 0 ? undefined : this.random.pick(running)
  }

  #expectFailure(process: SimulatedProcess, error: unknown): void {
    const { kind, argument } = error as { kind?: unknown; argument?: unknown }
    // A retry in the next window is another top-up under the same key, and is not applied.
    const isOtherWindow = kind === "usage" && argument === "idempotencyKey"
    if (kind !== "failed" && !isOtherWindow)
      this.#violations.push(`an operator at ${process.name} gets ${String(error)}`)
  }

  // ── The end ──

  /** The network recovers, the running processes finish, and the leases of dead ones end. */
  async #end(): Promise<void> {
    const { network } = this
    network.isDown = false
    network.faults = { drop: 0, duplicate: 0, delay: 0 }
    await this.#advance(30_000)
    for (const [process, budget] of this.#budgets) {
      if (budget.pending > 0) this.#violations.push(`${process.name} still has ${budget.pending} pending`)
      void this.time.runAs(process, () => budget.close({ keepStore: true, timeoutMs: 1_000 }))
    }
    await this.#advance(LEASE_MS)
    await this.#audit("after the calls")
    const process: SimulatedProcess = { name: "last", isDead: false, skewMs: 0 }
    const budget = this.#budgetOf(process)
    if (this.#hasJumped) {
      void this.time.runAs(process, () => budget.acceptClock())
      await this.#advance(1_000)
      await this.#audit("after the clock was accepted")
    }
    // A reservation that was made while the clock was ahead is held until the clock reaches the end of its lease.
    await this.#advance(LEASE_MS)
    this.clock.offsetMs += Math.max(0, this.#journal.lastLeaseEnd - this.#serverClock())
    await this.#reserveLast(process, budget)
    if (await isAnyDue(this.store)) this.#violations.push("leases that have ended are not swept")
    await this.#audit("in the end", { isEverythingResolved: true })
    this.#violations.push(...(await checkCalls(this.store, this.calls, this.#journal)))
  }

  /** Another user's reserve expires the leases of dead processes in the background; no process calls `sweep`. */
  async #reserveLast(process: SimulatedProcess, budget: Budget): Promise<void> {
    const subject = { userId: "last", clientId: "last" }
    void this.time.runAs(process, async () => {
      const result = await budget.reserve({ subject, amount: { nanoUsd: 0 } })
      if (result.ok) await result.reservation.release()
      else this.#violations.push("an amount of 0 is denied")
    })
    await this.#advance(10_000)
    void this.time.runAs(process, () => budget.close({ keepStore: true }))
    await this.#advance(1_000)
  }

  async #audit(when: string, options: { isEverythingResolved?: boolean } = {}): Promise<void> {
    const found = await audit(this.store, this.#journal, options)
    this.#violations.push(...found.map((what) => `${when}: ${what}`))
  }
}

const acceptClock = (budget: Budget) => budget.acceptClock()

/** Outcomes of a call that is not over when its process dies. */
function isUnfinished(outcome: SimulatedCall["outcome"]): boolean {
  return outcome === "open" || outcome === "pending" || outcome === "failed" || outcome === "uncertain"
}
