import type { StoreCapabilities, StoreCheck } from "../store"
import { checkOptions, checkTarget } from "./check-suite"
import { SuiteFailure } from "./expect"
import type { CaseReport, LevelReport, StoreReport } from "./report"
import type { CaseBench, StoreCase } from "./store-case"
import { storeCases } from "./store-cases"
import { SUITE_LEVELS, type SuiteFactory, type SuiteNeed, type SuiteOptions, type SuiteTarget } from "./target"

/** The two functions of a test runner: vitest, node:test, jest. */
export interface SuiteRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>, timeoutMs?: number): unknown
}

/**
 * Registers every case with the runner, one `describe` a level and one `it` a case, and a last `it` that hands the
 * report to `options.onReport`. Cases that a declared limit excludes are not registered, but reported.
 *
 * @throws InvalidArgumentError for an option or a limit that does not exist, before any case is registered
 */
export function defineStoreSuite(runner: SuiteRunner, factory: SuiteFactory, options: SuiteOptions = {}): void {
  const collected = new Collector(options)
  runner.describe(options.name ?? "budget store", () => {
    for (const level of SUITE_LEVELS) {
      const cases = storeCases.filter((one) => one.level === level && collected.claims(one))
      if (cases.length === 0) continue
      runner.describe(level, () => {
        for (const one of cases) {
          const body = async () => {
            const failure = await collected.run(one, factory)
            if (failure !== undefined) throw failure
          }
          runner.it(one.name, body, options.timeoutMs ?? 120_000)
        }
      })
    }
    runner.it("report", async () => {
      options.onReport?.(collected.report())
    })
  })
}

/**
 * Runs the cases one after another without a test runner. Never rejects because of the store: read the report.
 *
 * @throws InvalidArgumentError for an option or a limit that does not exist, before any case runs
 */
export async function runStoreSuite(
  factory: SuiteFactory,
  options: SuiteOptions & { only?: ((one: StoreCase) => boolean) | undefined } = {},
): Promise<StoreReport> {
  const collected = new Collector(options)
  for (const one of storeCases) {
    if (!collected.claims(one) || options.only?.(one) === false) continue
    await collected.run(one, factory)
  }
  const report = collected.report()
  options.onReport?.(report)
  return report
}

let roots = 0

class Collector {
  readonly #options: SuiteOptions
  readonly #results = new Map<StoreCase, CaseReport>()
  #store: string | null = null
  #capabilities: StoreCapabilities | null = null
  #check: StoreCheck | null = null

  constructor(options: SuiteOptions) {
    checkOptions(options)
    this.#options = options
  }

  /** Whether no declared limit excludes the case; remembers the reason when one does. */
  claims(one: StoreCase): boolean {
    const reasons = this.#reasons([one])
    if (reasons.length === 0) return true
    this.#results.set(one, { name: one.name, status: "not claimed", reason: reasons.join("; ") })
    return false
  }

  /** Why declared limits exclude these cases, each reason once. */
  #reasons(cases: readonly StoreCase[]): string[] {
    return [...new Set(cases.flatMap((one) => one.needs.flatMap((need) => this.#options.limits?.[need] ?? [])))]
  }

  async run(one: StoreCase, factory: SuiteFactory): Promise<unknown> {
    const began = performance.now()
    let target: SuiteTarget | undefined
    let failure: unknown
    try {
      const made: unknown = await factory({ level: one.level, name: one.name })
      checkTarget(made)
      target = made
      await this.#describe(target)
      this.#refuseContradictions(target)
      for (const need of one.needs) requireNeed(target, need)
      await one.run(this.#bench(target)).catch((error) => {
        throw withReading(error, one)
      })
    } catch (error) {
      failure = error ?? new SuiteFailure("the case threw nothing")
    }
    try {
      await target?.close?.()
    } catch (error) {
      failure ??= error
    }
    const durationMs = Math.round(performance.now() - began)
    const how =
      failure === undefined
        ? { status: "passed" as const }
        : { status: "failed" as const, reason: reasonOf(failure), read: one.read }
    this.#results.set(one, { name: one.name, ...how, durationMs })
    return failure
  }

  report(): StoreReport {
    const levels = SUITE_LEVELS.map((level) => this.#level(level))
    return {
      version: 1,
      store: this.#store,
      capabilities: this.#capabilities,
      check: this.#check,
      ok: levels.every((level) => level.failed === 0) && levels.some((level) => level.passed > 0),
      levels,
    }
  }

  #level(level: (typeof SUITE_LEVELS)[number]): LevelReport {
    const reported = storeCases.filter((one) => one.level === level && this.#results.has(one))
    const cases = reported.map((one) => this.#results.get(one)!)
    const count = (status: CaseReport["status"]) => cases.filter((one) => one.status === status).length
    const [passed, failed, notClaimed] = [count("passed"), count("failed"), count("not claimed")]
    return {
      level,
      status: failed > 0 ? "failed" : passed > 0 ? "passed" : "not claimed",
      passed,
      failed,
      notClaimed,
      reasons: this.#reasons(reported),
      cases,
    }
  }

  async #describe(target: SuiteTarget): Promise<void> {
    if (this.#store !== null) return
    this.#store = target.store.name
    this.#capabilities = target.store.capabilities
    this.#check = (await target.store.check?.()) ?? null
  }

  #refuseContradictions(target: SuiteTarget): void {
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

  #bench(target: SuiteTarget): CaseBench {
    const root = target.root ?? `suite.${Date.now().toString(36)}.${(roots++).toString(36)}`
    return {
      store: target.store,
      root,
      target,
      fuzzRuns: this.#options.fuzzRuns ?? 40,
      seed: this.#options.seed ?? 1,
      get clock() {
        if (target.clock === undefined) throw new SuiteFailure("The target has no clock.")
        return target.clock
      },
      otherRoot: (name) => `${root}.${name}`,
      now: async () => (await target.store.read({ root, keys: ["time"] })).now,
    }
  }
}

/** What the case found, and where its rule stands. Runners print the stack, which begins with the message. */
function withReading(error: unknown, { read }: StoreCase): unknown {
  if (!(error instanceof SuiteFailure)) return error
  const { message } = error
  const page = read === "States" ? "README.md" : "docs/custom-store.md"
  error.message = `${message}\nThe rule stands in ${page} of @p2/budget, under "${read}".`
  if (error.stack !== undefined) error.stack = error.stack.replace(message, () => error.message)
  return error
}

/** Its message, and what it was caused by: the driver's own words are often all that helps. */
function reasonOf(failure: unknown, causes = 4): string {
  if (!(failure instanceof Error)) return String(failure)
  const { cause, message } = failure
  return cause === undefined || causes === 0 ? message : `${message} Caused by: ${reasonOf(cause, causes - 1)}`
}

function requireNeed(target: SuiteTarget, need: SuiteNeed): void {
  const offered: Record<SuiteNeed, boolean> = {
    clock: target.clock !== undefined,
    size: target.size !== undefined,
    ledger: target.store.ledger !== undefined,
    ledgerRetention: target.ledgerRetentionMs !== undefined,
    processes: target.spawn !== undefined,
    down: target.faults?.down !== undefined && target.faults.up !== undefined,
    loseAnswer: target.faults?.loseAnswer !== undefined,
    damage: target.faults?.damage !== undefined,
    restart: target.faults?.restart !== undefined,
  }
  if (offered[need]) return
  throw new SuiteFailure(
    `The case needs \`${need}\`, which the factory's target does not offer: offer it, or say why not in \`limits.${need}\`.`,
  )
}
