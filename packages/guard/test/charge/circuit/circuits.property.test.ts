import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { ReservedAttempt } from "../../../src/charge/reserve-attempt"
import { BOUND, CircuitWorld, type Outcome } from "./circuit-world"

/** A call of a process starts, the oldest call of a process ends, or time passes. */
type Step =
  | { kind: "start"; process: number }
  | { kind: "end"; process: number; outcome: Outcome }
  | { kind: "wait"; ms: number }

const PROCESSES = 4
const process = fc.integer({ min: 0, max: PROCESSES - 1 })
const outcome = fc.constantFrom<Outcome>("answered", 503, 503, 503, "timed-out", 429, "aborted", "not-sent")
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("start" as const), process }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("end" as const), process, outcome }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(100, 6_000, 61_000, 700_000) }),
  },
)

const MIDNIGHT = Date.UTC(2026, 10, 30)

interface Flight {
  attempt: ReservedAttempt
  isProbe: boolean
  /** The number of amounts in doubt when it was sent. */
  doubts: number
}

/** Runs steps within one day. A call that would wait for others is aborted. */
class Run {
  readonly world = new CircuitWorld({ processes: PROCESSES })
  readonly inFlight: Flight[][] = Array.from({ length: PROCESSES }, () => [])
  /** For each doubt, whether its call was sent without proof. */
  readonly doubts: { isProbe: boolean }[] = []
  /** The amounts in doubt that a success has cleared: those from before its call was sent. */
  cleared = 0

  get probedDoubts(): number {
    return this.doubts.slice(this.cleared).filter(({ isProbe }) => isProbe).length
  }

  /** A tenth of the limit is five upper bounds; after that, one call per hour. */
  get allowedProbes(): number {
    return 5 + Math.floor((this.world.nowMs - MIDNIGHT) / 3_600_000)
  }

  constructor() {
    this.world.nowMs = MIDNIGHT
  }

  async start(index: number): Promise<string> {
    const result = await this.world.reserve(index, { signal: AbortSignal.timeout(10) }).catch(() => undefined)
    if (result?.status !== "reserved") return result?.status ?? "waits"
    const isProbe = result.attempt.circuit?.pass.probe !== undefined
    this.inFlight[index]!.push({ attempt: result.attempt, isProbe, doubts: this.doubts.length })
    return isProbe ? "probe" : "proven"
  }

  async end(index: number, how: Outcome): Promise<void> {
    const flight = this.inFlight[index]!.shift()
    if (flight === undefined) return
    await this.world.end(flight.attempt, how)
    if (how === "answered" && flight.isProbe) this.cleared = Math.max(this.cleared, flight.doubts)
    if (how === 503 || how === "timed-out") this.doubts.push({ isProbe: flight.isProbe })
  }
}

describe("the circuit breaker, over random sequences of calls and outcomes", () => {
  it("leaves no more in doubt than the share, and what was in flight at proven processes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const run = new Run()
        for (const each of steps) {
          if (each.kind === "wait") run.world.nowMs += each.ms
          else if (each.kind === "start") await run.start(each.process)
          else await run.end(each.process, each.outcome)
          expect(run.probedDoubts).toBeLessThanOrEqual(run.allowedProbes)
        }
        for (let index = 0; index < PROCESSES; index++)
          while (run.inFlight[index]!.length > 0) await run.end(index, 503)
        expect(run.probedDoubts).toBeLessThanOrEqual(run.allowedProbes)
        expect((await run.world.totals()).reservedNanoUsd).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  it("sends nothing more without proof, once a proven process has failed", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(process, fc.integer({ min: 0, max: 6 })), { minLength: 1, maxLength: 8 }),
        async (flights) => {
          const run = new Run()
          for (let index = 0; index < PROCESSES; index++) await run.world.call("answered", index)
          let sent = 0
          for (const [index, calls] of flights)
            for (let call = 0; call < calls; call++) if ((await run.start(index)) === "proven") sent++
          for (let index = 0; index < PROCESSES; index++)
            while (run.inFlight[index]!.length > 0) await run.end(index, 503)
          for (let call = 0; call < 40; call++) if ((await run.world.call(503, call % PROCESSES)) === "sent") sent++
          // Each process may fail once before it knows, and all of them together use the share.
          expect((await run.world.totals()).inDoubtNanoUsd).toBe(sent * BOUND)
          const flown = flights.reduce((sum, [, calls]) => sum + calls, 0)
          expect(sent).toBeLessThanOrEqual(flown + PROCESSES + 5)
        },
      ),
      { numRuns: 30 },
    )
  })

  it("never rejects for longer than a minute while a provider fails now and then", async () => {
    const seeds = fc.integer({ min: 1, max: 2 ** 31 - 1 })
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const random = randomOf(seed)
        const world = new CircuitWorld({ processes: PROCESSES, limits: [{ scope: "user", limit: 10, per: "day" }] })
        let rejectedSince: number | undefined
        for (let call = 0; call < 300; call++) {
          world.nowMs += Math.floor(random() * 5_000)
          const how = random() < 0.05 ? 503 : "answered"
          const result = await world.call(how, Math.floor(random() * PROCESSES))
          if (result === "sent") rejectedSince = undefined
          else rejectedSince ??= world.nowMs
          if (rejectedSince !== undefined) expect(world.nowMs - rejectedSince).toBeLessThanOrEqual(60_000)
        }
      }),
      { numRuns: 10 },
    )
  })
})

/** A generator of numbers in [0, 1): mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
