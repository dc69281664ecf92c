import { InvalidArgumentError } from "@p2/core"
import { Alerts } from "./alerts"
import { workOf } from "./at-once"
import type { BudgetOptions, OnExpire } from "./budget"
import { nameOf } from "./cell-key"
import { Heartbeats } from "./heartbeats"
import { IdUses } from "./id-uses"
import { LocalAllowance } from "./local-allowance"
import { PendingSettles } from "./pending-settles"
import { readAmount } from "./read-amount"
import { type ReadLimit, readLimits } from "./read-limits"
import { RecentLimits } from "./recent-limits"
import type { BudgetStore, Millis, StoreCheck } from "./store"
import { asStoreError, checkNow, withinTimeout } from "./store-calls"
import { StoreError } from "./store-error"
import type { Subject } from "./subject"

const WRITTEN_OUT = ["charge", "floor", "release"]

/** What a budget and its children share: the store, its clock as last seen, and everything that is still under way. */
export class BudgetContext {
  readonly store: BudgetStore
  readonly leaseMs: number
  readonly maxHoldMs: number
  readonly storeTimeoutMs: number
  readonly onExpire: OnExpire
  readonly root: (subject: Subject) => string
  readonly limitsOf: (subject: Subject) => readonly ReadLimit[] | Promise<readonly ReadLimit[]>
  readonly alerts: Alerts
  readonly warn: (message: string, cause?: unknown) => void
  readonly allowance: LocalAllowance | undefined
  readonly pending: PendingSettles
  readonly recentLimits = new RecentLimits()
  readonly uses = new IdUses()
  readonly hearts: Heartbeats
  isClosed = false
  #offsetMs = 0
  #check: Promise<StoreCheck> | undefined
  #isChecked = false

  constructor(options: BudgetOptions) {
    this.store = checkStore(options.store)
    this.leaseMs = whole(options.leaseMs, 60_000, 1_000, "leaseMs")
    this.maxHoldMs = whole(options.maxHoldMs, 900_000, 1_000, "maxHoldMs")
    this.storeTimeoutMs = whole(options.storeTimeoutMs, 500, 1, "storeTimeoutMs")
    const { retentionMs } = this.store.capabilities
    if (this.leaseMs > retentionMs)
      throw new InvalidArgumentError("leaseMs", `at most the store's retention of ${retentionMs} ms`, this.leaseMs)
    this.onExpire = checkOnExpire(options.onExpire ?? "charge", "onExpire")
    const { root = "main", limits } = options
    if (typeof root !== "function") nameOf(root, "root")
    this.root = typeof root === "function" ? root : () => root
    this.warn = (message, cause) => warnBy(options.onWarning, message, cause)
    const known = typeof limits === "function" ? undefined : readLimits(limits, "limits")
    this.limitsOf = known === undefined ? this.#limitsByFunction(limits as LimitsFunction) : () => known
    this.alerts = new Alerts(options.onAlert, this.warn, known ?? [])
    this.hearts = new Heartbeats(this.leaseMs / 3)
    this.allowance = readAllowance(options.onStoreFailure)
    this.pending = new PendingSettles({
      settle: (request) => this.call(() => this.store.settle(request)),
      now: () => this.now(),
      retentionMs,
      warn: this.warn,
    })
  }

  /** The store's time as far as it is known here. Every answer corrects it, so that a wrong clock here changes nothing. */
  now(): Millis {
    return Date.now() + this.#offsetMs
  }

  /** Calls the store within its time and learns its clock. */
  call<T extends { now: Millis }>(call: () => Promise<T>): Promise<T> {
    return withinTimeout(call, this.storeTimeoutMs, this.store.name, this.#learn)
  }

  /** Calls a store that answers at once; undefined when this one has to be waited for, and was sent nothing. */
  callNow<Request, Answer extends { now: Millis }>(
    member: (request: Request) => Promise<Answer>,
    request: Request,
  ): Answer | undefined {
    const work = workOf(member)
    if (work === undefined) return undefined
    try {
      const answer = work(request)
      this.#learn(answer)
      return answer
    } catch (error) {
      throw asStoreError(error, this.store.name)
    }
  }

  readonly #learn = (answer: { now: Millis }): void => {
    checkNow(answer, this.store.name)
    this.#offsetMs = answer.now - Date.now()
  }

  get isChecked(): boolean {
    return this.#isChecked
  }

  /** Asks the store once whether it is set up for money; again as long as it is not. */
  async requireChecked(): Promise<void> {
    if (this.#isChecked) return
    const { ok, warnings } = await this.check()
    if (ok) return
    this.#isChecked = false
    this.#check = undefined
    throw new StoreError(`The store "${this.store.name}" is not set up for money: ${warnings.join(" ")}`, {
      code: "misconfigured",
      applied: "no",
    })
  }

  check(): Promise<StoreCheck> {
    this.#check ??= this.#askStore().catch((error: unknown) => {
      this.#check = undefined
      throw error
    })
    return this.#check
  }

  #limitsByFunction(limits: LimitsFunction): (subject: Subject) => Promise<readonly ReadLimit[]> {
    if (typeof limits !== "function")
      throw new InvalidArgumentError("limits", "a list, or a function of the subject", limits)
    return async (subject) => this.recentLimits.read(await limits(subject), "limits(subject)")
  }

  async #askStore(): Promise<StoreCheck> {
    const none: StoreCheck = { ok: true, durability: "none", warnings: [] }
    const { store } = this
    const answer =
      store.check === undefined ? none : await withinTimeout(() => store.check!(), this.storeTimeoutMs, store.name)
    if (answer.ok) for (const warning of answer.warnings) this.warn(warning)
    this.#isChecked = answer.ok
    return answer
  }
}

/** A warning must not become a failure of the call that it is about. */
function warnBy(onWarning: BudgetOptions["onWarning"], message: string, cause: unknown): void {
  try {
    if (onWarning !== undefined) {
      onWarning(message, cause)
      return
    }
  } catch {
    // Said on the console instead.
  }
  console.warn(`@p2/budget: ${message}`, ...(cause === undefined ? [] : [cause]))
}

type LimitsFunction = Extract<BudgetOptions["limits"], (...args: never[]) => unknown>

function readAllowance(choice: BudgetOptions["onStoreFailure"]): LocalAllowance | undefined {
  if (choice === undefined || choice === "refuse") return undefined
  if (typeof choice !== "object" || choice === null || choice.allowUpTo === undefined)
    throw new InvalidArgumentError("onStoreFailure", '"refuse" or { allowUpTo: { usd: "1.00" } }', choice)
  return new LocalAllowance(readAmount(choice.allowUpTo, "onStoreFailure.allowUpTo"))
}

function checkStore(store: unknown): BudgetStore {
  const members = ["reserve", "settle", "extend", "read", "adjust", "sweep"]
  const given = store as Record<string, unknown> | null | undefined
  if (members.every((member) => typeof given?.[member] === "function") && typeof given?.capabilities === "object")
    return store as BudgetStore
  throw new InvalidArgumentError("store", "a budget store such as memoryStore()", store)
}

export function checkOnExpire(value: unknown, argument: string): OnExpire {
  if (WRITTEN_OUT.includes(value as string)) return value as OnExpire
  throw new InvalidArgumentError(argument, '"charge", "floor" or "release"', value)
}

function whole(value: number | undefined, fallback: number, least: number, name: string): number {
  if (value === undefined) return fallback
  // Timers hold 31 bits.
  if (Number.isSafeInteger(value) && value >= least && value < 2 ** 31) return value
  throw new InvalidArgumentError(name, `milliseconds, a whole number from ${least} to 2^31 − 1`, value)
}
