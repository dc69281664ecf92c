import type {
  AdjustRequest,
  BudgetStore,
  ExpireRequest,
  ExtendRequest,
  ReserveCounter,
  ReserveRequest,
  SettleRequest,
} from "../../store/budget-store"
import type { UsageTotals } from "../../usage/ledger"
import type { CaseContext } from "../case-context"
import { byName, canonical, describeDifferences, differences, fail, valuesOf } from "../expect"
import { ModelStore } from "../model"
import { createRandom, type Random } from "../random"
import { adjustRequest, counter, reserveRequest, settleRequest } from "../requests"
import { defineCases } from "../store-case"

const STEPS = 120
const DAY_MS = 7_000
const NAMES = ["user:u", "client:c", "total", "idle"]

type Step =
  | { member: "reserve"; request: ReserveRequest }
  | { member: "settle"; request: SettleRequest }
  | { member: "adjust"; request: AdjustRequest }
  | { member: "extend"; request: ExtendRequest }
  | { member: "expire"; request: ExpireRequest }
  | { member: "listDue"; request: { partition: string; limit: number } }
  | { member: "acceptClock"; request: { partition: string } }
  | { member: "advance"; request: number }

/** The store and the model run the same random programs, and must reply and record the same. */
export const fuzzCases = defineCases({ level: "leases", rule: "Rules", needs: ["clock"] }, (test) => {
  test("random programs get the same replies, counters and entries as the model", async (t) => {
    for (let run = 0; run < t.fuzzRuns; run++) await runProgram(t, t.seed + run)
  })
})

async function runProgram(t: CaseContext, seed: number): Promise<void> {
  const { store, partition, clock, retentionMs } = t.inPartition(`s${seed}`)
  // Without a ledger the model keeps no entry, so that no key is known by its entry.
  const ledgerRetentionMs = store.ledger === undefined ? 0 : undefined
  const model = new ModelStore({ clock: () => clock.now(), retentionMs, ledgerRetentionMs })
  const program = new Program(createRandom(seed), partition, retentionMs, clock.now())
  const stores: [BudgetStore, BudgetStore] = [store, model]
  /** Calls both, and compares what is returned. */
  const compare = async (what: string, step: number, read: (store: BudgetStore) => Promise<unknown>) => {
    const [actual, expected] = [await read(stores[0]), await read(stores[1])]
    const found = differences(actual, expected)
    if (found.length === 0) return expected
    fail(
      `seed ${seed}, step ${step}: ${what}: ${describeDifferences(found)}\nRepeat with { seed: ${seed}, fuzzRuns: 1 }.`,
    )
  }
  for (let step = 0; step < STEPS; step++) {
    for (const next of program.next(clock.now())) {
      if (next.member === "advance") {
        await clock.advance(next.request)
        continue
      }
      const reply = await compare(`reply of ${next.member}`, step, async (one) => comparable(await call(one, next)))
      program.learn(next, reply as object)
    }
    const counters = NAMES.concat(program.day)
    await compare("counters", step, (one) => one.read({ partition, counters }))
    if (store.ledger === undefined || step % 30 !== 29) continue
    const list = { partition, filter: {}, cursor: null, limit: 1_000, newestFirst: false }
    await compare("entries", step, async (one) => (await one.ledger!.list(list)).entries.map(withoutZeros))
    const totals = { partition, filter: {}, groupBy: ["status" as const], buckets: null }
    await compare("totals", step, async (one) => byName((await one.ledger!.totals(totals)).map(namedByGroup), "row"))
  }
}

const namedByGroup = (row: UsageTotals) => ({ name: String(row.group), row })

function call(store: BudgetStore, { member, request }: Exclude<Step, { member: "advance" }>): Promise<object> {
  return (store[member] as (request: unknown) => Promise<object>).call(store, structuredClone(request))
}

/** A reply without what the contract leaves open: the order of stored counters, and `recovered` of a release. */
function comparable(reply: object): object {
  const { storedCounters, ...rest } = reply as { storedCounters?: string[]; status?: string; counters?: unknown }
  if (storedCounters !== undefined) return { ...rest, storedCounters: [...storedCounters].sort() }
  if (rest.status === "released") return { ...rest, recovered: undefined }
  if (rest.status !== "held") return rest
  return { ...rest, counters: (rest.counters as { name: string }[]).map(canonical).sort() }
}

/** Whether a counter that was charged nothing is among the charges is the store's choice. */
function withoutZeros(entry: { charges: Record<string, number> }): object {
  const charges = Object.entries(entry.charges).filter(([, amount]) => amount !== 0)
  return { ...entry, charges: Object.fromEntries(charges) }
}

/** Chooses calls that often affect each other: few keys, few counters, tight limits, short leases. */
class Program {
  day = "day.0"
  #reservations: { request: ReserveRequest; expiresAt: number }[] = []
  #count = 0

  constructor(
    private readonly random: Random,
    private readonly partition: string,
    private readonly retentionMs: number,
    private readonly start: number,
  ) {}

  /** Keeps the request, so that the program may send it again, settle it, or settle it twice. */
  learn(step: Step, reply: object): void {
    if (step.member !== "reserve") return
    const { status, expiresAt, now } = reply as { status: string; expiresAt?: number; now: number }
    if (status === "ok" || this.random.chance(0.3)) {
      this.#reservations.push({ request: step.request, expiresAt: expiresAt ?? now + step.request.leaseMs })
    }
  }

  next(now: number): Step[] {
    const { random, partition } = this
    const roll = random.next()
    if (roll < 0.3 || this.#reservations.length === 0) return [{ member: "reserve", request: this.#reserve(now) }]
    if (roll < 0.36) return [{ member: "reserve", request: random.pick(this.#reservations).request }]
    if (roll < 0.63) return [{ member: "settle", request: this.#settle() }]
    if (roll < 0.68)
      return [{ member: "extend", request: { partition, key: this.#key(), leaseMs: random.integer(1, 5_000) } }]
    if (roll < 0.76) return [{ member: "adjust", request: this.#adjust() }]
    if (roll < 0.82) return [{ member: "expire", request: this.#expire() }]
    if (roll < 0.85) return [{ member: "listDue", request: { partition, limit: 64 } }]
    if (roll < 0.96)
      return [{ member: "advance", request: random.chance(0.5) ? random.integer(1, 50) : random.integer(1, 4_000) }]
    if (roll < 0.975) return [{ member: "advance", request: -random.integer(1, 2_000) }]
    if (roll < 0.985) return [{ member: "acceptClock", request: { partition } }]
    // A long pause, in which every open lease ends and every resolved key is forgotten.
    const expires = this.#reservations.map(
      ({ request }): Step => ({ member: "expire", request: expireRequest(request) }),
    )
    this.#reservations = []
    return [
      { member: "advance", request: 8_000 },
      ...expires,
      { member: "advance", request: this.retentionMs + 20_000 },
    ]
  }

  #key(): string {
    return this.random.chance(0.8)
      ? this.random.pick(this.#reservations.slice(-8)).request.key
      : `r${this.random.integer(0, this.#count)}`
  }

  #reserve(now: number): ReserveRequest {
    const { random } = this
    const day = Math.max(0, Math.floor((now - this.start) / DAY_MS))
    this.day = `day.${day}`
    const startsAt = this.start + day * DAY_MS + (random.chance(0.05) ? DAY_MS : 0)
    const all = [
      this.#counter("user:u", 50),
      this.#counter("client:c", 80),
      this.#counter("total", random.chance(0.5) ? null : 150),
      this.#counter(this.day, 40, { startsAt, endsAt: startsAt + DAY_MS, keepMs: day % 2 === 0 ? null : DAY_MS }),
      this.#counter("idle", 60, { keepMs: 6_000 }),
    ]
    const counters = random.shuffle(all).slice(0, random.integer(1, 4))
    const key = random.chance(0.9) || this.#reservations.length === 0 ? `r${this.#count++}` : this.#key()
    return reserveRequest(this.partition, key, counters, { leaseMs: random.integer(1, 6_000) })
  }

  #counter(name: string, limit: number | null, more: Partial<ReserveCounter> = {}): ReserveCounter {
    const amount = this.random.chance(0.1) ? 0 : this.random.integer(1, 20)
    return counter(name, amount, limit, { onExpire: this.random.integer(0, amount), ...more })
  }

  #settle(): SettleRequest {
    const { random } = this
    const { request: reserved, expiresAt } = random.pick(this.#reservations.slice(-12))
    const amounts = reserved.counters.map(({ amount }) => (random.chance(0.5) ? amount : random.integer(0, 30)))
    const request = settleRequest(reserved, amounts, {
      outcome: random.chance(0.7) ? "settled" : "released",
      revision: random.chance(0.8) ? 0 : random.integer(0, 4),
      expiresAt,
    })
    if (random.chance(0.05)) request.fingerprint = "another"
    if (random.chance(0.05)) request.counters = random.shuffle(request.counters)
    if (random.chance(0.05)) request.counters = request.counters.slice(1)
    return request
  }

  #expire(): ExpireRequest {
    const request = expireRequest(this.random.pick(this.#reservations.slice(-12)).request)
    if (this.random.chance(0.1)) request.counters.pop()
    return request
  }

  #adjust(): AdjustRequest {
    const { random } = this
    const kind = random.pick(["spent", "granted", "reset"] as const)
    const name = random.pick(["user:u", "client:c", "total"])
    const delta = kind === "reset" ? 0 : kind === "granted" ? random.integer(-3, 10) : random.integer(-20, 20)
    return adjustRequest(this.partition, `a${random.integer(0, 12)}`, name, kind, delta)
  }
}

function expireRequest({ partition, key, counters }: ReserveRequest): ExpireRequest {
  return { partition, key, counters: valuesOf(counters, "name") }
}
