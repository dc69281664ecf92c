import type { AdjustRequest, BudgetStore, ReserveRequest, SettleRequest } from "../../store"
import { canonical, difference, fail } from "../expect"
import { ModelStore } from "../model"
import { createRandom, type Random } from "../random"
import { cell, fingerprintOf, reserveRequest, settleRequest } from "../requests"
import { type CaseBench, casesOf } from "../store-case"

const KEYS = ["user:u", "client:c", "total", "day", "idle"]
const STEPS = 120

type Step =
  | { member: "reserve"; request: ReserveRequest }
  | { member: "settle"; request: SettleRequest }
  | { member: "adjust"; request: AdjustRequest }
  | { member: "extend"; request: { root: string; id: string; leaseMs: number } }
  | { member: "sweep"; request: { root: string; max: number } }
  | { member: "read"; request: { root: string; keys: string[] } }
  | { member: "advance"; request: number }

/** The store and the model go through the same random programs, and must answer the same. */
export const fuzzCases = casesOf("leases", "Rules", [
  [
    "random programs: the store answers as the model does",
    ["clock"],
    async (bench) => {
      for (let run = 0; run < bench.fuzzRuns; run++) await runProgram(bench, bench.seed + run)
    },
  ],
])

async function runProgram(bench: CaseBench, seed: number): Promise<void> {
  const random = createRandom(seed)
  const root = bench.otherRoot(`s${seed}`)
  const model = new ModelStore({
    now: () => bench.clock.now(),
    retentionMs: bench.store.capabilities.retentionMs,
  })
  const program = new Program(random, root, bench.store.capabilities.retentionMs, bench.clock.now())
  const done: string[] = []
  for (let step = 0; step < STEPS; step++) {
    for (const next of program.next(bench.clock.now())) {
      done.push(canonical(next))
      if (next.member === "advance") {
        await bench.clock.advance(next.request)
        continue
      }
      const [actual, expected] = [await call(bench.store, next), await call(model, next)]
      program.learn(next, expected)
      const [a, b] = [comparable(next, actual), comparable(next, expected)]
      if (a !== b) failWith(seed, step, done, `${next.member}: ${difference(a, b)}`)
    }
    const keys = KEYS.concat(program.dayKey)
    const [actual, expected] = [await bench.store.read({ root, keys }), await model.read({ root, keys })]
    const [a, b] = [canonical(actual), canonical(expected)]
    if (a !== b) failWith(seed, step, done, `cells: ${difference(a, b)}`)
  }
}

function failWith(seed: number, step: number, done: readonly string[], what: string): never {
  const last = done.slice(-6).join("\n  ")
  fail(
    `seed ${seed}, step ${step}: ${what}\nReplay with { seed: ${seed}, fuzzRuns: 1 }. The last calls were:\n  ${last}`,
  )
}

function call(store: BudgetStore, step: Exclude<Step, { member: "advance" }>): Promise<object> {
  return (store[step.member] as (request: unknown) => Promise<object>)(structuredClone(step.request))
}

/**
 * What the contract fixes of an answer. Of a replay it leaves open whether `late` and `recovered` are remembered; of an
 * answer that changed nothing, the cells; of a lower revision, the word.
 */
function comparable(step: Step, answer: object): string {
  const { cells, result, replayed, expired, ...rest } = answer as Record<string, unknown>
  const unchanged =
    result === "mismatch" || result === "forgotten" || result === "resolved" || result === "stale-window"
  const seen: Record<string, unknown> = { ...rest, result, replayed, expired, cells: unchanged ? undefined : cells }
  if (result !== "ok" || replayed === true) seen.cell = undefined
  if (replayed === true) seen.late = undefined
  if (replayed === true || result === "released") seen.recovered = undefined
  if (step.member === "reserve" && replayed === true) seen.cells = undefined
  if (step.member === "settle" && replayed !== false) {
    if (step.request.revision < 2 && step.request.outcome === "commit") return "unchanged"
  }
  return canonical(seen)
}

/** Makes calls that often meet: few ids, few cells, tight limits, leases that end in between. */
class Program {
  dayKey = "day.0"
  #known: { request: ReserveRequest; expiresAt: number }[] = []
  #count = 0

  constructor(
    private readonly random: Random,
    private readonly root: string,
    private readonly retentionMs: number,
    private readonly start: number,
  ) {}

  /** Remembers what was asked, so that it may come again, be settled, or be settled twice. */
  learn(step: Step, answer: object): void {
    if (step.member !== "reserve") return
    const { result, expiresAt, now } = answer as { result: string; expiresAt?: number; now: number }
    if (result === "ok" || this.random.chance(0.3)) {
      this.#known.push({ request: step.request, expiresAt: expiresAt ?? now + step.request.leaseMs })
    }
  }

  next(now: number): Step[] {
    const { random } = this
    const roll = random.next()
    if (roll < 0.3 || this.#known.length === 0) return [{ member: "reserve", request: this.#reserve(now) }]
    if (roll < 0.36) return [{ member: "reserve", request: random.pick(this.#known).request }]
    if (roll < 0.65) return [this.#settle()]
    if (roll < 0.7)
      return [{ member: "extend", request: { root: this.root, id: this.#id(), leaseMs: random.integer(1, 5_000) } }]
    if (roll < 0.8) return [{ member: "adjust", request: this.#adjust() }]
    if (roll < 0.86) return [{ member: "sweep", request: { root: this.root, max: random.integer(1, 5) } }]
    if (roll < 0.98)
      return [
        { member: "advance", request: random.integer(0, 1) === 0 ? random.integer(1, 50) : random.integer(1, 4_000) },
      ]
    // What nobody ended before a long pause is between lease and retention: that is a case of its own.
    // So is money for a window whose cell is gone; what has none may be settled, and is forgotten.
    this.#known = this.#known.filter(({ request }) => request.cells.every((ref) => ref.endsAt === null))
    return [
      { member: "advance", request: 6_000 },
      { member: "sweep", request: { root: this.root, max: 1_000 } },
      { member: "advance", request: this.retentionMs + 10_000 },
    ]
  }

  #id(): string {
    return this.random.chance(0.8) && this.#known.length > 0
      ? this.random.pick(this.#known.slice(-8)).request.id
      : `r${this.random.integer(0, this.#count)}`
  }

  #reserve(now: number): ReserveRequest {
    const { random } = this
    const dayMs = 7_000
    const day = Math.floor((now - this.start) / dayMs)
    this.dayKey = `day.${day}`
    const startsAt = this.start + day * dayMs + (random.chance(0.05) ? dayMs : 0)
    const all = [
      () => this.#cell("user:u", 50),
      () => this.#cell("client:c", 80),
      () => this.#cell("total", random.chance(0.5) ? null : 150),
      () => this.#cell(this.dayKey, 40, { startsAt, endsAt: startsAt + dayMs }),
      () => this.#cell("idle", 60, { keepMs: 6_000 }),
    ]
    const cells = random
      .shuffle(all)
      .slice(0, random.integer(1, 4))
      .map((make) => make())
    const id = random.chance(0.9) ? `r${this.#count++}` : this.#id()
    return reserveRequest(this.root, id, cells, {
      leaseMs: random.integer(1, 6_000),
      fingerprint: fingerprintOf(cells),
    })
  }

  #cell(key: string, limit: number | null, more: object = {}) {
    const amount = this.random.chance(0.1) ? 0 : this.random.integer(1, 20)
    return cell(key, amount, limit, { onExpire: this.random.integer(0, amount), ...more })
  }

  #settle(): Step {
    const { random } = this
    const known = random.pick(this.#known.slice(-12))
    const commit = random.chance(0.7)
    const amounts = known.request.cells.map((ref) => (random.chance(0.5) ? ref.amount : random.integer(0, 30)))
    const request = settleRequest(known.request, commit ? amounts : [], {
      outcome: commit ? "commit" : "release",
      revision: random.chance(0.8) ? 0 : random.integer(0, 4),
      expiresAt: known.expiresAt,
    })
    if (random.chance(0.05)) request.fingerprint = "another"
    return { member: "settle", request }
  }

  #adjust(): AdjustRequest {
    const { random } = this
    const kind = random.pick(["spent", "granted", "reset"] as const)
    const key = random.pick(["user:u", "client:c", "total"])
    const delta = kind === "reset" ? 0 : kind === "granted" ? random.integer(0, 10) : random.integer(-20, 20)
    const id = `a${random.integer(0, 12)}`
    return { root: this.root, id, cell: { key, startsAt: null, endsAt: null, keepMs: null }, kind, delta }
  }
}
