import { P2Error } from "@p2/core"
import {
  type Budget,
  type Reservation,
  ReservationHeldError,
  ReservationResolvedError,
  type ReserveOptions,
  StoreError,
  UnknownReservationError,
} from "../src/index"
import type { Random } from "../src/testing/random"
import type { Journal } from "./journal"
import { TIMEOUT_MS } from "./network"
import type { SimulatedCall } from "./simulated-call"
import type { SimulatedProcess, VirtualTime } from "./virtual-time"
import { LEASE_MS } from "./world"

const CALLS = 12
const WAIT_MS = 2_000
/** Roughly the maximum number of sequential calls that a reserve sends, each with the store's timeout. */
const MAX_STORE_CALLS = 10

export interface CallerOptions {
  process: SimulatedProcess
  budget: Budget
  time: VirtualTime
  random: Random
  calls: SimulatedCall[]
  journal: Journal
  /** A random process that is running. */
  anyProcess: () => [SimulatedProcess, Budget] | undefined
  fail: (violation: string) => void
}

/** Reserves, sends calls, settles, and corrects by invoices, as one process. */
export class Caller {
  constructor(private readonly options: CallerOptions) {}

  async makeCalls(lane: number): Promise<void> {
    const { random, time, process, calls } = this.options
    for (let index = 0; index < CALLS; index++) {
      await time.sleep(random.integer(0, 1_500))
      const bound = random.integer(0, 400)
      const call: SimulatedCall = {
        key: `${process.name}.${lane}.${index}`,
        subject: { userId: random.pick(["u1", "u2", "\ud800{", "u:1"]), clientId: random.pick(["c1", "c2"]) },
        ...{ bound, onExpire: random.pick([bound, bound, 0, bound >> 1]) },
        ...{ owner: process, billed: null, billedBefore: null, outcome: "open" },
        ...{ isReleaseSent: false, isAbandoned: false },
      }
      calls.push(call)
      await this.#makeCall(call)
    }
  }

  /** A queue delivers the calls of a dead process again, under the same keys, possibly in different windows. */
  async takeOver(abandoned: readonly SimulatedCall[]): Promise<void> {
    const { random, time, process, budget } = this.options
    for (const call of abandoned) {
      await time.sleep(random.integer(0, 1_000))
      call.owner = process
      if (random.chance(0.5)) {
        await this.#makeCall(call)
        continue
      }
      try {
        await this.#send(call, await budget.resume(call.key, { subject: call.subject }))
      } catch (error) {
        if (!UnknownReservationError.isInstance(error) && !isExpected(error)) throw error
        call.outcome = outcomeOf(error)
      }
    }
  }

  async #makeCall(call: SimulatedCall): Promise<void> {
    const reservation = await this.#reserve(call)
    if (reservation === undefined) return
    const { random, time } = this.options
    if (call.billed === null && random.chance(0.15)) {
      call.isReleaseSent = true
      if (random.chance(0.2)) await time.sleep(random.integer(LEASE_MS, 3 * LEASE_MS))
      const { status } = await reservation.release()
      call.outcome = status === "released" ? "released" : "failed"
      return
    }
    await this.#send(call, reservation)
  }

  /** Undefined when the call must not be sent. */
  async #reserve(call: SimulatedCall): Promise<Reservation | undefined> {
    const { random, budget, process, time, journal, fail } = this.options
    const { key } = call
    const waitMs = random.chance(0.1) ? WAIT_MS : 0
    const options: ReserveOptions = {
      ...reserveOptions(call),
      // No other call has used the key of a call that was not abandoned.
      releaseUnanswered: !call.isAbandoned,
      ...(waitMs > 0 && { wait: { timeoutMs: waitMs } }),
      ...(random.chance(0.15) && { signal: this.#signalAfter(process, random.integer(0, 100)) }),
    }
    const startedAt = time.now
    try {
      const result = await budget.reserve(options)
      if (result.ok && !journal.reservations.has(key)) fail(`${process.name} admits ${key} without the store`)
      if (result.ok) return result.reservation
      call.outcome = "denied"
    } catch (error) {
      if (!isExpected(error)) throw error
      call.outcome = outcomeOf(error)
      // A reserve without a reply is released in the background, unless an earlier owner may have reserved and sent it.
      call.isReleaseSent ||= call.outcome === "failed" && !call.isAbandoned
    } finally {
      const elapsedMs = time.now - startedAt
      if (elapsedMs > waitMs + MAX_STORE_CALLS * TIMEOUT_MS) fail(`the reserve of ${key} takes ${elapsedMs} ms`)
    }
    return undefined
  }

  /** The provider bills the call even if the process dies. Some calls outlive their lease, some cost more than the bound. */
  async #send(call: SimulatedCall, reservation: Reservation): Promise<void> {
    const { random, time, budget } = this.options
    const { bound } = call
    // The provider has the key as well, and bills a repeated call once.
    call.billed ??= random.chance(0.1) ? bound + random.integer(1, 50) : random.integer(0, bound)
    if (random.chance(0.1)) time.at(time.now + random.integer(0, 1_000), undefined, () => this.#deliverTwice(call))
    await time.sleep(random.chance(0.1) ? random.integer(LEASE_MS, 3 * LEASE_MS) : random.integer(5, 1_500))
    const settled = await reservation.settle({ nanoUsd: call.billed }, { status: "succeeded" })
    call.outcome = settled.status
    if (settled.status !== "settled" || call.isAbandoned || !random.chance(0.15)) return
    // An invoice corrects the reported cost.
    await time.sleep(random.integer(5, 2_000))
    Object.assign(call, { billedBefore: call.billed, billed: random.integer(0, 2 * bound), outcome: "open" })
    if (random.chance(0.5)) {
      const corrected = await reservation.settle({ nanoUsd: call.billed }, {}, { revision: 1 })
      call.outcome = corrected.status
    } else {
      await this.#correct(call, budget)
    }
  }

  /**
   * The queue also delivers the call to a second process, which must neither send it nor release its reservation. If the
   * second process sets `releaseUnanswered` wrongly, it releases the key, and the first one charges the call under another.
   */
  #deliverTwice(call: SimulatedCall): void {
    const { anyProcess, time, random, fail } = this.options
    const [process, budget] = anyProcess() ?? []
    if (process === undefined || budget === undefined) return
    const releaseUnanswered = random.chance(0.5)
    if (releaseUnanswered) call.isReleaseSent = true
    const options = { ...reserveOptions(call), releaseUnanswered }
    time.runAs(process, async () => {
      const signal = random.chance(0.5) ? this.#signalAfter(process, random.integer(0, 50)) : undefined
      try {
        await budget.run({ ...options, ...(signal && { signal }) }, async () => {
          fail(`${process.name} sends ${call.key} a second time`)
          return { value: undefined, cost: 0 }
        })
      } catch (error) {
        if (!ReservationHeldError.isInstance(error) && !isExpected(error))
          fail(`${process.name}, to which ${call.key} was delivered as well, gets ${String(error)}`)
      }
    })
  }

  /** Corrects the call by its entry alone, as another process does. */
  async #correct(call: SimulatedCall, budget: Budget): Promise<void> {
    call.outcome = "uncertain"
    try {
      const entries = await budget.usage.get(call.key)
      const entry = entries.find(({ state }) => state === "settled")
      if (entry === undefined) return this.options.fail(`${call.key} is settled and has no entry`)
      const { status } = await budget.correct({ entry, cost: { nanoUsd: call.billed! }, subject: call.subject })
      if (status === "adjusted") call.billed = call.billedBefore
      call.outcome = "settled"
    } catch (error) {
      if (!StoreError.isInstance(error)) throw error
    }
  }

  /** Aborts a call, possibly at the moment its reply arrives. */
  #signalAfter(process: SimulatedProcess, ms: number): AbortSignal {
    const { time } = this.options
    const controller = new AbortController()
    time.at(time.now + ms, process, () => controller.abort())
    return controller.signal
  }
}

/** The same content for the same call in every process. */
function reserveOptions({ key, subject, bound, onExpire }: SimulatedCall): ReserveOptions {
  return { subject, idempotencyKey: key, amount: { nanoUsd: bound }, onExpire: { nanoUsd: onExpire } }
}

/** Failures of the store, aborts, and a key that was resolved before: by its lease, or by another owner. */
function isExpected(error: unknown): boolean {
  if (StoreError.isInstance(error) || (error as Error).name === "AbortedError") return true
  return ReservationResolvedError.isInstance(error)
}

function outcomeOf(error: unknown): SimulatedCall["outcome"] {
  return P2Error.isInstance(error) && error.code === "reservation-resolved" ? "resolved" : "failed"
}
