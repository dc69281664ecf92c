import { type Budget, type BudgetOptions, type BudgetStore, createBudget, memoryStore } from "@p2/budget"
import type { Charge } from "../../../src/charge/charge"
import { Circuits } from "../../../src/charge/circuit/circuits"
import { decideCharge } from "../../../src/charge/decide-charge"
import {
  type AttemptReserveResult,
  type ReservedAttempt,
  reserveAttempt,
  settleAttempt,
} from "../../../src/charge/reserve-attempt"
import { evidence, RESERVED, reading, usageOf } from "../example-evidence"

/** A fiftieth of a dollar. */
export const BOUND = 20_000_000
export const NOON = Date.UTC(2026, 10, 30, 12)

const reserved = {
  ...RESERVED,
  nanoUsd: BOUND,
  costOf: () => ({ costNanoUsd: 1_000, tokens: 10, costSource: "table", tableCostNanoUsd: undefined }) as const,
}

/** How an attempt ended: answered with usage, a server error, a rejection, an abort by the caller, a deadline. */
export type Outcome = "answered" | "unmetered" | 503 | 429 | "aborted" | "timed-out" | "not-sent"

export function chargeOf(outcome: Outcome): Charge {
  const complete = reading({ state: "complete" })
  const ends = {
    answered: { httpStatus: 200, reading: { ...complete, usage: usageOf(1, 1) } },
    unmetered: { httpStatus: 200, reading: { ...complete, receivedOutputTokens: 1 } },
    503: { httpStatus: 503 },
    429: { httpStatus: 429 },
    aborted: { endedBy: "caller" },
    "timed-out": { endedBy: "deadline" },
    "not-sent": { sent: "not-sent" },
  } as const
  return decideCharge(evidence(ends[outcome]), reserved)
}

/** Several processes on one memory store, with a clock that tests move. */
export class CircuitWorld {
  nowMs = NOON
  readonly store: BudgetStore
  readonly processes: Circuits[]
  readonly budget: Budget
  /** The operations that the store received. */
  readonly calls: string[] = []

  constructor(options: { processes?: number; limits?: BudgetOptions["limits"] } = {}) {
    const { processes = 1, limits = [{ scope: "user", limit: 1, per: "day" }] } = options
    this.store = this.#counting(memoryStore({ now: () => this.nowMs }))
    this.budget = createBudget({ store: this.store, limits, onWarning: () => {} })
    this.processes = Array.from({ length: processes }, () => this.start())
  }

  /** Starts another process. */
  start(): Circuits {
    return new Circuits(this.store, () => this.nowMs)
  }

  reserve(process = 0, options: Partial<Parameters<typeof reserveAttempt>[0]> = {}): Promise<AttemptReserveResult> {
    const subject = { userId: "ada" }
    const amount = { nanoUsd: BOUND, tokens: 1_500 }
    const request = { budget: this.budget, provider: "openai", model: "m", subject, amount, recordDenial: false }
    return reserveAttempt({ ...request, ...options }, this.processes[process])
  }

  async send(process = 0, options: Parameters<CircuitWorld["reserve"]>[1] = {}): Promise<ReservedAttempt> {
    const outcome = await this.reserve(process, options)
    if (outcome.status !== "reserved") throw outcome.error
    return outcome.attempt
  }

  end(attempt: ReservedAttempt, outcome: Outcome): Promise<unknown> {
    return settleAttempt(attempt, chargeOf(outcome))
  }

  /** Reserves, sends and ends one attempt; the status of a reserve that was not admitted. */
  async call(outcome: Outcome, process = 0, options: Parameters<CircuitWorld["reserve"]>[1] = {}): Promise<string> {
    const reserve = await this.reserve(process, options)
    if (reserve.status !== "reserved") return reserve.status
    await this.end(reserve.attempt, outcome)
    return "sent"
  }

  /** What was charged, and the part of it that is in doubt. */
  async totals(): Promise<{ spentNanoUsd: number; inDoubtNanoUsd: number; reservedNanoUsd: number }> {
    const [status] = await this.budget.status({ userId: "ada" })
    const [totals] = await this.budget.usage.totals()
    return {
      spentNanoUsd: status?.spentNanoUsd ?? 0,
      reservedNanoUsd: status?.reservedNanoUsd ?? 0,
      inDoubtNanoUsd: totals?.inDoubtNanoUsd ?? 0,
    }
  }

  #counting(store: BudgetStore): BudgetStore {
    const operations = ["reserve", "settle", "extend", "expire", "read", "adjust"]
    return new Proxy(store, {
      get: (target, name, receiver) => {
        const member: unknown = Reflect.get(target, name, receiver)
        if (typeof member !== "function") return member
        return (...args: unknown[]) => {
          if (operations.includes(String(name))) this.calls.push(String(name))
          return member.apply(target, args)
        }
      },
    })
  }
}
