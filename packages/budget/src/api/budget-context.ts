import { InvalidArgumentError } from "@p2/core"
import { type GivenAmount, readAmount } from "../limits/amount"
import { type Limit, type Limits, type PlannedLimit, planLimits } from "../limits/limit"
import { toName } from "../limits/names"
import type { Subject } from "../limits/subject"
import { Alerts } from "../reservations/alerts"
import { CarryOvers } from "../reservations/carry-overs"
import { Heartbeats, Sweeper } from "../reservations/leases"
import { type BudgetServices, LocalAllowance, StoreClock, Turns } from "../reservations/process-state"
import { UnconfirmedSettles } from "../reservations/settles"
import { WaitingCalls } from "../reservations/waiting"
import type { BudgetStore, CounterChange, StoreCheck } from "../store/budget-store"
import { checkedStore } from "../store/checked-store"
import { MAX_TIMER_MS, type Name } from "../store/shape"
import { misconfigured, unavailable } from "../store/store-error"
import { DenialRecorder } from "../usage/denial-recorder"
import type { BudgetOptions, OnExpire } from "./budget"

const MIN_LEASE_MS = 1_000

/** State that a budget and its children share. */
export class BudgetContext implements BudgetServices {
  readonly givenStore: BudgetStore
  /** Validates replies, and applies the store's timeout. Requests are built from validated values. */
  readonly store: BudgetStore
  readonly leaseMs: number
  readonly maxLeaseMs: number
  readonly onExpire: "charge" | "release" | GivenAmount
  readonly allowance: LocalAllowance | undefined
  readonly alerts: Alerts
  readonly waiting = new WaitingCalls()
  readonly carryOvers = new CarryOvers(this)
  readonly unconfirmedSettles = new UnconfirmedSettles(this)
  readonly sweeper = new Sweeper(this)
  readonly denials = new DenialRecorder(this)
  readonly clock = new StoreClock()
  readonly turns = new Turns()
  readonly heartbeats = new Heartbeats()
  isClosed = false
  /** Whether the check of the store's configuration has passed. */
  isChecked = false
  readonly #limits: readonly PlannedLimit[] | Exclude<Limits, readonly Limit[]>
  readonly #partition: Name | ((subject: Subject) => string)
  readonly #onWarning: BudgetOptions["onWarning"]
  #checking: Promise<void> | undefined

  constructor(options: BudgetOptions) {
    this.givenStore = options.store
    this.store = checkedStore(this.givenStore, { trustsRequests: true })
    this.leaseMs = this.readLease(options.leaseMs, "leaseMs") ?? 60_000
    this.maxLeaseMs = this.readLease(options.maxLeaseMs, "maxLeaseMs") ?? 900_000
    this.onExpire = readOnExpire(options.onExpire ?? "charge", "onExpire")
    this.allowance = readAllowance(options.onStoreFailure)
    const { partition = "main", limits, onAlert } = options
    this.#partition = typeof partition === "function" ? partition : toName(partition, "partition")
    this.#onWarning = readCallback(options.onWarning, "onWarning")
    this.#limits = typeof limits === "function" ? limits : planLimits(limits, "limits")
    const ofBudget = typeof this.#limits === "function" ? [] : this.#limits
    this.alerts = new Alerts(readCallback(onAlert, "onAlert"), this.warn, ofBudget)
  }

  /** The budget's own limits, those of the call, and those of child budgets. */
  limitsFor(
    subject: Subject,
    ofCall: readonly Limit[] | undefined,
    childLimits: readonly PlannedLimit[],
  ): readonly PlannedLimit[] | Promise<readonly PlannedLimit[]> {
    const limits = this.#limits
    const added = planLimits(ofCall ?? [], "limits")
    if (typeof limits !== "function") return [...limits, ...added, ...childLimits]
    return Promise.resolve(limits(subject)).then((own) => [
      ...planLimits(own, "limits(subject)"),
      ...added,
      ...childLimits,
    ])
  }

  /** After a settle, an expiry or an adjustment: delivers alerts, and wakes waiting calls. */
  changed(partition: Name, changes: readonly CounterChange[], onAlert?: BudgetOptions["onAlert"]): void {
    this.alerts.changed(partition, changes, onAlert)
    this.waiting.changed(partition, changes)
  }

  partitionOf(subject: Subject): Name {
    const partition = this.#partition
    return typeof partition === "function" ? toName(partition(subject), "partition") : partition
  }

  /** Never throws: a callback that throws must not fail the call. */
  readonly warn = (message: string, cause?: unknown): void => {
    const warnOnConsole = () => console.warn(`@p2/budget: ${message}`, ...(cause === undefined ? [] : [cause]))
    try {
      const result: unknown = this.#onWarning === undefined ? warnOnConsole() : this.#onWarning(message, cause)
      if (result instanceof Promise) result.catch(warnOnConsole)
    } catch {
      warnOnConsole()
    }
  }

  throwIfClosed(): void {
    if (this.isClosed) throw unavailable("The budget is closed. Create a new one.")
  }

  /** Checks the store's configuration once, and again before each call as long as the check fails. */
  async requireChecked(): Promise<void> {
    if (this.isChecked) return
    this.#checking ??= this.#firstCheck().finally(() => {
      this.#checking = undefined
    })
    await this.#checking
  }

  async check(partition?: Name): Promise<StoreCheck> {
    const check = await this.store.check(partition === undefined ? {} : { partition })
    for (const warning of check.warnings) if (check.ok) this.warn(warning)
    return check
  }

  /** @throws InvalidArgumentError */
  readLease(value: number | undefined, argument: string): number | undefined {
    if (value === undefined) return undefined
    if (Number.isSafeInteger(value) && value >= MIN_LEASE_MS && value <= MAX_TIMER_MS) return value
    throw new InvalidArgumentError(argument, `milliseconds, an integer from ${MIN_LEASE_MS} to 2^31 − 1`, value)
  }

  async #firstCheck(): Promise<void> {
    const { ok, warnings } = await this.check()
    if (!ok) throw misconfigured(`The store "${this.store.name}" is misconfigured: ${warnings.join(" ")}`)
    this.isChecked = true
  }
}

/** @throws InvalidArgumentError */
export function readOnExpire(value: OnExpire, argument: string): BudgetContext["onExpire"] {
  if (value === "charge" || value === "release") return value
  try {
    return readAmount(value, argument)
  } catch (error) {
    if (typeof value !== "string") throw error
    throw new InvalidArgumentError(argument, '"charge", "release" or an amount such as "0.05"', value)
  }
}

function readAllowance(choice: BudgetOptions["onStoreFailure"]): LocalAllowance | undefined {
  if (choice === undefined || choice === "deny") return undefined
  if (typeof choice !== "object" || choice === null || choice.allowUpTo === undefined)
    throw new InvalidArgumentError("onStoreFailure", '"deny" or { allowUpTo: "1.00" }', choice)
  return new LocalAllowance(readAmount(choice.allowUpTo, "onStoreFailure.allowUpTo"))
}

/** @throws InvalidArgumentError */
export function readCallback<Callback>(callback: Callback, argument: string): Callback {
  if (callback === undefined || typeof callback === "function") return callback
  throw new InvalidArgumentError(argument, "a function", callback)
}
