import type { Budget } from "@p2/budget"
import {
  addUsage,
  type CostSource,
  checkOptions,
  InvalidArgumentError,
  isRecord,
  type NanoUsd,
  type Usage,
  usd,
} from "@p2/core"
import { RunFinishedError } from "../errors"
import { leastCertain, type Receipt, type SettlementStatus } from "../receipt"

/** Options of `client.run()` and of `run.child()`. */
export interface RunLimit {
  /** Maximum cost of all calls of the run together, in dollars: `0.5`, `"0.50"` or `"$0.50"`. */
  maxBudget: number | string
}

/** What a run cost, over all its calls, including those of its forks and children. */
export interface RunReceipt {
  runId: string
  /** One receipt for each call that has ended, in the order in which they ended. */
  requests: readonly Receipt[]
  /** Sum over the attempts that reported usage. */
  usage: Usage
  costNanoUsd: NanoUsd
  /** The least certain source among the calls: `bound`, then `table`, `custom`, `provider`, `none`. */
  costSource: CostSource
  /** The part of `costNanoUsd` that is in doubt. */
  inDoubtNanoUsd: NanoUsd
  maxBudgetNanoUsd: NanoUsd
  /** `maxBudget − cost`. */
  remainingNanoUsd: NanoUsd
  /** `pending` while the store has not confirmed every attempt. */
  settlement: SettlementStatus
}

const LIMIT_NAMES: ReadonlySet<string> = new Set(["maxBudget"])

/** The limit of a run and the receipts of its calls. A child has its own, inside those of its parent. */
export class RunScope {
  readonly id = crypto.randomUUID()
  readonly #maxBudgetNanoUsd: NanoUsd
  readonly #outer: RunScope | undefined
  readonly #receipts: Receipt[] = []
  readonly #running = new Set<Promise<unknown>>()
  #isFinished = false

  /** @throws InvalidArgumentError */
  constructor(limit: RunLimit, outer: RunScope | undefined) {
    if (!isRecord(limit)) throw new InvalidArgumentError("options", 'an object such as { maxBudget: "0.50" }', limit)
    checkOptions(limit, LIMIT_NAMES)
    this.#maxBudgetNanoUsd = readBudget(limit.maxBudget)
    this.#outer = outer
  }

  /** The budget with the limits of the run and of the runs around it. The same id is the same counter, in every process. */
  limit(budget: Budget): Budget {
    const outer = this.#outer?.limit(budget) ?? budget
    return outer.child({ id: this.id, limit: { nanoUsd: this.#maxBudgetNanoUsd } })
  }

  /** @throws RunFinishedError if this run or one around it is finished */
  checkOpen(): void {
    if (this.#isFinished) throw new RunFinishedError()
    this.#outer?.checkOpen()
  }

  record(receipt: Receipt): void {
    this.#receipts.push(receipt)
    this.#outer?.record(receipt)
  }

  /** Makes `finish` wait for this work. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work)
    const tracked = work.finally(() => this.#running.delete(work))
    return this.#outer?.track(tracked) ?? tracked
  }

  /** Rejects further calls, and waits for running ones. */
  async finish(): Promise<void> {
    this.#isFinished = true
    await Promise.allSettled(this.#running)
  }

  receipt(): RunReceipt {
    const requests = [...this.#receipts]
    const sum = (amount: (receipt: Receipt) => number) =>
      requests.reduce((total, receipt) => total + amount(receipt), 0)
    const costNanoUsd = sum((receipt) => receipt.costNanoUsd)
    return {
      runId: this.id,
      requests,
      usage: addUsage(...requests.map(({ usage }) => usage)),
      costNanoUsd,
      ...leastCertain(requests),
      inDoubtNanoUsd: sum((receipt) => receipt.inDoubtNanoUsd),
      maxBudgetNanoUsd: this.#maxBudgetNanoUsd,
      remainingNanoUsd: this.#maxBudgetNanoUsd - costNanoUsd,
    }
  }
}

function readBudget(maxBudget: number | string): NanoUsd {
  const nanoUsd = parseDollars(maxBudget)
  if (nanoUsd === undefined || nanoUsd < 0)
    throw new InvalidArgumentError("maxBudget", 'a dollar amount of at least 0, such as 0.5 or "0.50"', maxBudget)
  return nanoUsd
}

function parseDollars(amount: number | string): NanoUsd | undefined {
  try {
    return usd(amount)
  } catch {
    return undefined
  }
}
