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
/** A reserve sends at most about so many calls, one after the other, each with the store's timeout. */
const MAX_STORE_CALLS = 10

export interface CallerOptions {
  process: SimulatedProcess
  budget: Budget
  time: VirtualTime
  random: Random
  calls: SimulatedCall[]
  journal: Journal
  /** Some process that is running. */
  anyProcess: () => [SimulatedProcess, Budget] | undefined
  fail: (violation: string) => void
}

/** What one process does: it reserves, sends calls, settles, and corrects by invoices. */
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

  /** A queue delivers the calls of a dead process again: under the same keys, perhaps in other windows. */
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
    const { random } = this.options
    if (call.billed === null && random.chance(0.15)) {
      call.isReleaseSent = true
      const { status } = await reservation.release()
      call.outcome = status === "settled" ? "released" : "failed"
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
      // A reserve without a reply is released in the background, also where an earlier owner had reserved and sent it.
      call.isReleaseSent ||= call.outcome === "failed"
    } finally {
      const elapsedMs = time.now - startedAt
      if (elapsedMs > waitMs + MAX_STORE_CALLS * TIMEOUT_MS) fail(`the reserve of ${key} takes ${elapsedMs} ms`)
    }
    return undefined
  }

  /** From here on the provider bills, whatever becomes of the process. Some calls outlive their lease, some the bound. */
  async #send(call: SimulatedCall, reservation: Reservation): Promise<void> {
    const { random, time, budget } = this.options
    const { bound } = call
    // The provider knows the key, too: a call that is sent again is billed once.
    call.billed ??= random.chance(0.1) ? bound + random.integer(1, 50) : random.integer(0, bound)
    if (random.chance(0.1)) time.at(time.now + random.integer(0, 1_000), undefined, () => this.#deliverTwice(call))
    await time.sleep(random.chance(0.1) ? random.integer(LEASE_MS, 3 * LEASE_MS) : random.integer(5, 1_500))
    const settled = await reservation.settle({ nanoUsd: call.billed }, { status: "succeeded" })
    call.outcome = settled.status
    if (settled.status !== "settled" || call.isAbandoned || !random.chance(0.15)) return
    // An invoice corrects what the answer said.
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
   * The queue delivers the call to a second process, too, which must not send it. If its reserve gets no reply it releases
   * the reservation, and the first process charges the call under another key.
   */
  #deliverTwice(call: SimulatedCall): void {
    const { anyProcess, time, random, fail } = this.options
    const [process, budget] = anyProcess() ?? []
    if (process === undefined || budget === undefined) return
    call.isReleaseSent = true
    const options = reserveOptions(call)
    time.runAs(process, async () => {
      const signal = random.chance(0.5) ? this.#signalAfter(process, random.integer(0, 50)) : undefined
      try {
        await budget.run({ ...options, ...(signal && { signal }) }, async () => {
          fail(`${process.name} sends ${call.key} a second time`)
          return { value: undefined, cost: 0 }
        })
      } catch (error) {
        if (!ReservationHeldError.isInstance(error) && !isExpected(error))
          fail(`${process.name}, to which ${call.key} was delivered as well, is told ${String(error)}`)
      }
    })
  }

  /** By the entry alone, as another process would. */
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

  /** The caller goes away, perhaps in the moment in which the reply comes. */
  #signalAfter(process: SimulatedProcess, ms: number): AbortSignal {
    const { time } = this.options
    const controller = new AbortController()
    time.at(time.now + ms, process, () => controller.abort())
    return controller.signal
  }
}

/** The same content for the same call, whoever reserves it. */
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
