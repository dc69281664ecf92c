import type { BudgetStore, StoreCapabilities, StoreCheck } from "../store/budget-store"
import { checkedStore } from "../store/checked-store"
import { CallLog } from "./call-log"
import { CaseContext } from "./case-context"
import { checkSuiteOptions, checkTarget, offers } from "./check-suite"
import { describeError, SuiteFailure } from "./expect"
import { type CaseReport, type LevelReport, type StoreReport, SUITE_LEVELS, type SuiteLevel } from "./report"
import type { StoreCase } from "./store-case"
import { storeCases } from "./store-cases"
import type { StoreProcess, SuiteFactory, SuiteOptions, SuiteTarget } from "./target"

/** The two functions of a test runner: vitest, node:test, jest. */
export interface SuiteRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>, timeoutMs?: number): unknown
}

const DEFAULT_TIMEOUT_MS = 120_000
/** Maximum time to close a target. The runner's timeout is later, so that its message never replaces ours. */
const CLOSE_TIMEOUT_MS = 20_000

/**
 * Registers every case with the runner, one `describe` a level and one `it` a case, and a last `it` that hands the
 * report to `options.onReport`. Cases that a declared limit or `only` excludes are not registered, but reported.
 *
 * @throws InvalidArgumentError for an unknown option or limit, before any case is registered
 */
export function defineStoreSuite(runner: SuiteRunner, factory: SuiteFactory, options: SuiteOptions = {}): void {
  const run = new SuiteRun(options)
  runner.describe(options.name ?? "budget store", () => {
    for (const level of SUITE_LEVELS) {
      const cases = storeCases.filter((one) => one.level === level && run.includes(one))
      if (cases.length === 0) continue
      runner.describe(level, () => {
        for (const one of cases) {
          const body = async () => {
            const failure = await run.runCase(one, factory)
            if (failure !== undefined) throw failure
          }
          runner.it(one.title, body, 2 * (run.timeoutMs + CLOSE_TIMEOUT_MS))
        }
      })
    }
    runner.it("report", async () => {
      options.onReport?.(run.report())
    })
  })
}

/**
 * Runs the cases one after another without a test runner. Never rejects because of the store: read the report.
 *
 * @throws InvalidArgumentError for an unknown option or limit, before any case runs
 */
export async function runStoreSuite(factory: SuiteFactory, options: SuiteOptions = {}): Promise<StoreReport> {
  const run = new SuiteRun(options)
  for (const one of storeCases) if (run.includes(one)) await run.runCase(one, factory)
  const report = run.report()
  options.onReport?.(report)
  return report
}

let partitions = 0

class SuiteRun {
  readonly timeoutMs: number
  readonly #options: SuiteOptions
  readonly #results = new Map<StoreCase, CaseReport>()
  #store: string | null = null
  #capabilities: StoreCapabilities | null = null
  #check: StoreCheck | null = null

  constructor(options: SuiteOptions) {
    checkSuiteOptions(options)
    this.#options = options
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  }

  /** True if neither `only` nor a declared limit excludes the case. Records the reason of a limit. */
  includes(one: StoreCase): boolean {
    if (this.#options.only?.(one) === false) return false
    const reasons = this.#reasons([one])
    if (reasons.length === 0) return true
    this.#results.set(one, { title: one.title, status: "not claimed", reason: reasons.join("; ") })
    return false
  }

  /** Runs one case on a separate target; resolves to why it failed. */
  async runCase(one: StoreCase, factory: SuiteFactory): Promise<unknown> {
    const start = performance.now()
    const processes: StoreProcess[] = []
    const calls = new CallLog()
    let target: SuiteTarget | undefined
    let failure: unknown
    try {
      const making = (async (): Promise<unknown> => factory({ level: one.level, title: one.title }))()
      const made = await within(this.timeoutMs, making, `The factory did not return within ${this.timeoutMs} ms.`)
      checkTarget(made)
      target = made
      const body = this.#runOn(target, one, processes, calls)
      await within(this.timeoutMs, body, `The case did not end within ${this.timeoutMs} ms.`)
    } catch (error) {
      failure = withCalls(error ?? new SuiteFailure("The case threw nothing."), one, calls)
    }
    const closed = [
      ...(await closeAll(processes.map((process) => () => process.close()))),
      ...(await closeAll([async () => target?.close?.()])),
    ]
    for (const result of closed) if (result.status === "rejected") failure ??= result.reason
    const durationMs = Math.round(performance.now() - start)
    const result: CaseReport =
      failure === undefined
        ? { title: one.title, status: "passed", durationMs }
        : { title: one.title, status: "failed", reason: describeError(failure), rule: one.rule, durationMs }
    this.#results.set(one, result)
    this.#options.onCase?.(result)
    return failure
  }

  report(): StoreReport {
    const levels = SUITE_LEVELS.map((level) => this.#levelReport(level))
    return {
      version: 1,
      store: this.#store,
      capabilities: this.#capabilities,
      check: this.#check,
      ok: levels.every((level) => level.failed === 0) && levels.some((level) => level.passed > 0),
      levels,
    }
  }

  async #runOn(target: SuiteTarget, one: StoreCase, processes: StoreProcess[], calls: CallLog): Promise<void> {
    const store = checkedStore(target.store)
    this.#rejectContradictions(target)
    const missing = one.needs.find((need) => !offers(target, need))
    if (missing !== undefined) {
      throw new SuiteFailure(
        `The case needs \`${missing}\`, which the factory's target does not offer: offer it, or declare the reason in \`limits.${missing}\`.`,
      )
    }
    await this.#describeStore(store)
    const partition = target.partition ?? `suite.${Date.now().toString(36)}.${(partitions++).toString(36)}`
    const { fuzzRuns = 40, seed = 1 } = this.#options
    const run = { target, fuzzRuns, seed, processes, calls, reservations: new Map() }
    await one.run(new CaseContext(run, calls.record(store), partition))
  }

  async #describeStore(store: BudgetStore): Promise<void> {
    if (this.#store !== null) return
    const check = await store.check()
    this.#store = store.name
    this.#capabilities = store.capabilities
    this.#check = check
  }

  #rejectContradictions(target: SuiteTarget): void {
    const { limits } = this.#options
    if (limits?.ledger !== undefined && target.store.ledger !== undefined) {
      throw new SuiteFailure("The store has a ledger: remove `limits.ledger`, so that the ledger is tested.")
    }
    if (limits?.processes !== undefined && target.store.capabilities.shared) {
      throw new SuiteFailure(
        "The store claims `capabilities.shared`: remove `limits.processes` and offer `spawn`, so that the claim is tested.",
      )
    }
  }

  #levelReport(level: SuiteLevel): LevelReport {
    const all = storeCases.filter((one) => one.level === level)
    const reported = all.filter((one) => this.#results.has(one))
    const notRun = all.length - reported.length
    const cases = reported.map((one) => this.#results.get(one)!)
    const count = (status: CaseReport["status"]) => cases.filter((one) => one.status === status).length
    const [passed, failed, notClaimed] = [count("passed"), count("failed"), count("not claimed")]
    const status = failed > 0 ? "failed" : passed > 0 ? "passed" : notClaimed > 0 ? "not claimed" : "not run"
    return { level, status, passed, failed, notClaimed, notRun, reasons: this.#reasons(reported), cases }
  }

  /** Declared reasons that exclude these cases, each once. */
  #reasons(cases: readonly StoreCase[]): string[] {
    return [...new Set(cases.flatMap((one) => one.needs.flatMap((need) => this.#options.limits?.[need] ?? [])))]
  }
}

/** Rejects with `message` if the work takes longer. The work itself continues, because it cannot be cancelled. */
async function within<T>(timeoutMs: number, work: Promise<T>, message: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new SuiteFailure(message)), timeoutMs)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}

function closeAll(closes: readonly (() => Promise<void>)[]): Promise<PromiseSettledResult<void>[]> {
  const message = `The target, or a process of it, did not close within ${CLOSE_TIMEOUT_MS} ms.`
  return Promise.allSettled(closes.map((close) => within(CLOSE_TIMEOUT_MS, close(), message)))
}

/** Adds the rule and the last calls. Runners print the stack, which begins with the message. */
function withCalls(error: unknown, { rule }: StoreCase, calls: CallLog): unknown {
  if (!(error instanceof SuiteFailure)) return error
  const { message } = error
  error.message = `${message}\nSee "${rule}" in docs/custom-store.md of @p2/budget. ${calls.describe()}`
  if (error.stack !== undefined) error.stack = error.stack.replace(message, () => error.message)
  return error
}
