import { execFile } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import { bundleFromSources } from "../../../../scripts/bundle-from-sources.mjs"
import { StoreError } from "../../src/store/store-error"
import {
  type CaseReport,
  defineStoreSuite,
  runStoreSuite,
  type StoreReport,
  SUITE_LEVELS,
  SUITE_RULES,
  type SuiteFactory,
  type SuiteOptions,
  storeCases,
} from "../../src/testing"
import { describeDifferences, differences } from "../../src/testing/expect"
import { ModelStore } from "../../src/testing/model"
import { modelFactory } from "./model-target"

const limits = { processes: "one process" }
const only = (beginning: string) => ({ limits, only: ({ title }: { title: string }) => title.startsWith(beginning) })
const short = only("an unseen counter")
const allCases = (report: StoreReport) => report.levels.flatMap((level) => level.cases)
const failedCase = (report: StoreReport) => allCases(report).find((one) => one.status === "failed")

/** Adds 1 too much, but only to the amount 13: only random programs find it. */
class Unlucky extends ModelStore {
  override sum(a: number, b: number): number {
    return super.sum(a, b === 13 ? 14 : b)
  }
}

describe("the cases", () => {
  it("are at least two hundred, each title once, of every level and every rule", () => {
    const titles = storeCases.map((one) => one.title)
    expect(new Set(titles).size).toBe(titles.length)
    expect(titles.length).toBeGreaterThanOrEqual(200)
    expect(new Set(storeCases.map((one) => one.level))).toEqual(new Set(SUITE_LEVELS))
    expect(new Set(storeCases.map((one) => one.rule))).toEqual(new Set(SUITE_RULES))
  })

  it("hold every cell of the contract's table of states, and another fingerprint in each state", () => {
    const states = ["unknown", "held", "held, lease ended", "expired", "settled", "released"]
    const calls = ["reserve", "settle", "release", "extend", "expire"]
    const cells = states.flatMap((state) => calls.map((call) => `a key that is ${state}: ${call}`))
    const missing = cells.filter((cell) => !storeCases.some(({ title }) => title.startsWith(cell)))
    expect(missing).toEqual([])
    expect(storeCases.filter(({ title }) => title.includes("another fingerprint")).length).toBe(states.length - 1)
  })
})

describe("the report", () => {
  it("is JSON, and contains the name and the check of the store", async () => {
    const report = await runStoreSuite(modelFactory(), short)
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
    expect(report).toMatchObject({ version: 1, store: "model", ok: true, check: { durability: "none" } })
    expect(report.levels.map((level) => level.level)).toEqual(SUITE_LEVELS)
  })

  it("names each reason once, also where a case lacks several things", async () => {
    const both = { down: "in memory", restart: "in memory", damage: "nothing to overwrite", clock: "in memory" }
    const report = await runStoreSuite(modelFactory(), {
      limits: { ...limits, ...both },
      only: ({ level }) => level === "faults",
    })
    const faults = report.levels.find((level) => level.level === "faults")
    expect([...faults!.reasons].sort()).toEqual(["in memory", "nothing to overwrite"])
  })

  it("is not ok when no case ran", async () => {
    const excluded = await runStoreSuite(modelFactory(), { limits, only: ({ level }) => level === "processes" })
    expect(allCases(excluded).length).toBeGreaterThan(0)
    expect(allCases(excluded).every((one) => one.status === "not claimed")).toBe(true)
    expect(excluded.ok).toBe(false)
    expect((await runStoreSuite(modelFactory(), { limits, only: () => false })).ok).toBe(false)
  })

  it("distinguishes a level that did not run, or only in part, from one that passed", async () => {
    const report = await runStoreSuite(modelFactory(), short)
    const others = SUITE_LEVELS.slice(1).map(() => "not run")
    expect(report.levels.map((level) => level.status)).toEqual(["passed", ...others])
    const sizes = SUITE_LEVELS.map((level) => storeCases.filter((one) => one.level === level).length)
    expect(report.levels.map(({ notRun }) => notRun)).toEqual([sizes[0]! - 1, ...sizes.slice(1)])
  })

  it("is `not claimed` for a level whose cases are all excluded by limits", async () => {
    const report = await runStoreSuite(modelFactory(), { limits, only: ({ level }) => level === "processes" })
    expect(report.levels.find(({ level }) => level === "processes")).toMatchObject({ status: "not claimed", notRun: 0 })
  })

  it("passes each case to onCase", async () => {
    const cases: CaseReport[] = []
    const report = await runStoreSuite(modelFactory(), {
      limits,
      only: ({ title }) => /^an unseen|^read replies/.test(title),
      onCase: (one) => cases.push(one),
    })
    expect(cases.map(({ status }) => status)).toEqual(["passed", "passed"])
    expect(cases).toEqual(allCases(report))
  })
})

describe("limits are declared, not assumed", () => {
  it("a need that is neither offered nor declared fails", async () => {
    const onlyStore = () => ({ store: new ModelStore({ clock: Date.now }) })
    const report = await runStoreSuite(onlyStore, only("memory is bounded"))
    expect(failedCase(report)?.reason).toContain("needs `clock`")
  })

  it("a limit that the store contradicts fails", async () => {
    const report = await runStoreSuite(modelFactory(), { ...short, limits: { ledger: "none" } })
    expect(failedCase(report)?.reason).toContain("remove `limits.ledger`")
  })

  it("a store that claims to be shared cannot leave its processes out", async () => {
    class Shared extends ModelStore {
      override readonly capabilities = {
        shared: true,
        clock: "process",
        retentionMs: 1_000,
        maxCounters: 16,
        timeoutMs: 500,
      } as const
    }
    const report = await runStoreSuite(modelFactory(Shared), short)
    expect(failedCase(report)?.reason).toContain("offer `spawn`")
  })

  it.each([
    [{ limits: { process: "one process" } }, /`limits.process`.*Did you mean `processes`/],
    [{ limit: { processes: "one process" } }, /`limit`.*Did you mean `limits`/],
    [{ limits: { processes: "" } }, /`limits.processes`: expected the reason in words/],
  ])("%j is an immediate usage error", async (wrong, message) => {
    const options = wrong as SuiteOptions
    const error = { code: "invalid-argument", kind: "usage", message: expect.stringMatching(message) }
    await expect(runStoreSuite(modelFactory(), options)).rejects.toMatchObject(error)
    const runner = { describe: () => {}, it: () => {} }
    expect(() => defineStoreSuite(runner, modelFactory(), options)).toThrow(message)
  })

  const model = () => new ModelStore({ clock: Date.now })
  it.each([
    ["the store itself", () => model(), /return \{ store \} instead of the store itself/],
    ["nothing", () => undefined, /the factory's target`: expected an object with the member `store`, got undefined/],
    ["no store", () => ({}), /`target.store`: expected the store to test, got undefined/],
    ["a promise of a store", () => ({ store: Promise.resolve(model()) }), /await the promise/],
    ["a store that is only a name", () => ({ store: { name: "x" } }), /`store.reserve`: expected a function/],
    [
      "a store without capabilities",
      () => ({ store: Object.assign(model(), { capabilities: undefined }) }),
      /`store.capabilities`: expected an object/,
    ],
    [
      "a store with wrong capabilities",
      () => ({ store: Object.assign(model(), { capabilities: { ...model().capabilities, maxCounters: 3 } }) }),
      /`store.capabilities.maxCounters`: expected/,
    ],
    ["a store without a name", () => ({ store: { capabilities: {} } }), /`store.name`: expected a string/],
  ])("a factory that returns %s fails with what was expected", async (_what, factory, message) => {
    const report = await runStoreSuite(factory as unknown as SuiteFactory, short)
    expect(failedCase(report)?.reason).toMatch(message)
  })

  it("a factory that throws fails its case and no other", async () => {
    let calls = 0
    const factory: SuiteFactory = (about) => {
      calls++
      if (calls === 1) throw new Error("The database does not start.")
      return modelFactory()(about)
    }
    const report = await runStoreSuite(factory, { limits, only: ({ title }) => /^an unseen|^read replies/.test(title) })
    expect(report.levels[0]).toMatchObject({ passed: 1, failed: 1 })
  })
})

describe("a case that fails", () => {
  it("says what was expected, what came, which calls came last, and where the rule stands", async () => {
    class TooLittle extends ModelStore {
      override sum(a: number, b: number): number {
        return super.sum(a, b === 30 ? 29 : b)
      }
    }
    const found = failedCase(await runStoreSuite(modelFactory(TooLittle), only("reserve sets the amount aside")))
    const lines = found?.reason?.split("\n") ?? []
    expect(lines.slice(0, 2)).toEqual([
      "reserve: counters[0].reserved: expected 30, got 29",
      'See "Windows and limits" in docs/custom-store.md of @p2/budget. The last calls, the newest last:',
    ])
    expect(lines.at(-2)).toMatch(/^ {2}reserve \{"counters":\[\{"amount":30,.*"key":"r1"/)
    expect(lines.at(-1)).toMatch(/^ {4}→ \{"counters":\[\{"granted":0,"name":"a","reserved":29/)
    expect(found).toMatchObject({ rule: "Windows and limits", durationMs: expect.any(Number) })
  })

  it("names every place where two values differ, and cuts long strings to the part around the difference", () => {
    const difference = (actual: unknown, expected: unknown) => describeDifferences(differences(actual, expected))
    expect(difference({ a: [1, { b: 2, c: undefined }] }, { a: [1, { b: 3 }], d: null })).toBe(
      "a[1].b: expected 3, got 2\n  d: expected null, got undefined",
    )
    expect(difference([1], [1, 2])).toBe("expected [1,2], got [1]")
    const long = "x".repeat(1_000)
    expect(difference(`${long}a`, `${long}b`)).toBe(`expected …${"x".repeat(120)}b", got …${"x".repeat(120)}a"`)
    const many = difference(Array(20).fill(0), Array(20).fill(1)).split("\n")
    expect([many.length, many.at(-1)]).toEqual([9, "  and 12 more"])
  })

  it("includes the driver's message of a rejection", async () => {
    class Refused extends ModelStore {
      override async read(): Promise<never> {
        const cause = new Error("ERROR: relation does not exist")
        throw new StoreError("Postgres failed.", { code: "store-unavailable", applied: "no", cause })
      }
    }
    const found = failedCase(await runStoreSuite(modelFactory(Refused), short))
    expect(found?.reason).toBe("Postgres failed. Caused by: ERROR: relation does not exist")
  })

  it("includes the driver's message where another error was expected", async () => {
    class Wrong extends ModelStore {
      override async read(): Promise<never> {
        throw new StoreError("Postgres failed.", {
          code: "store-misconfigured",
          applied: "no",
          cause: new Error("no table"),
        })
      }
    }
    const found = failedCase(await runStoreSuite(modelFactory(Wrong), only("a damaged counter is reported")))
    expect(found?.reason).toContain("no table")
  })

  it("because it does not end does not delay the others", async () => {
    class Stuck extends ModelStore {
      override readonly capabilities = { ...new ModelStore({ clock: Date.now }).capabilities, timeoutMs: 100_000 }

      override async adjust(): Promise<never> {
        return new Promise(() => {})
      }
    }
    const options = {
      limits,
      timeoutMs: 50,
      only: ({ title }: { title: string }) => /^a reset of an unseen|^names that/.test(title),
    }
    const report = await runStoreSuite(modelFactory(Stuck), options)
    expect(failedCase(report)?.reason).toMatch(/^The case did not end within 50 ms/)
    expect(report.levels[0]?.passed).toBeGreaterThan(0)
  })

  it("because its factory does not return does not delay the others", async () => {
    let calls = 0
    const factory: SuiteFactory = (about) => (calls++ === 0 ? new Promise(() => {}) : modelFactory()(about))
    const report = await runStoreSuite(factory, {
      limits,
      timeoutMs: 50,
      only: ({ title }) => /^an unseen|^read replies/.test(title),
    })
    expect(failedCase(report)?.reason).toMatch(/^The factory did not return within 50 ms/)
    expect(report.levels[0]).toMatchObject({ passed: 1, failed: 1 })
  })

  it("ends the processes that it started", async () => {
    const ended: number[] = []
    const factory: SuiteFactory = async (about) => ({
      ...(await modelFactory()(about)),
      spawn: async () => ({
        store: new ModelStore({ clock: Date.now }),
        kill: async () => {},
        close: async () => {
          ended.push(1)
        },
      }),
    })
    const report = await runStoreSuite(factory, { only: ({ title }) => title.startsWith("every process sees") })
    expect(failedCase(report)).toBeDefined()
    expect(ended.length).toBe(2)
  })
})

describe("a random program that fails", () => {
  it("prints its seed, which repeats it alone, and the differences", async () => {
    const reasonWith = async (options: object) => {
      const report = await runStoreSuite(modelFactory(Unlucky), {
        ...only("random programs"),
        ...options,
      })
      return failedCase(report)?.reason ?? ""
    }
    const reason = await reasonWith({ fuzzRuns: 30 })
    const seed = Number(
      /^seed (\d+), step \d+: .*(spent|reserved|granted): expected -?\d+, got -?\d+/.exec(reason)?.[1],
    )
    expect(reason).toContain(`Repeat with { seed: ${seed}, fuzzRuns: 1 }`)
    expect((await reasonWith({ seed, fuzzRuns: 1 })).split("\n")[0]).toBe(reason.split("\n")[0])
  })
})

describe("runners", () => {
  it("work with any `describe` and `it`, and cases that are not claimed are not registered", async () => {
    const bodies: (() => Promise<void>)[] = []
    let report: StoreReport | undefined
    const runner = {
      describe: (_name: string, body: () => void) => body(),
      it: (_name: string, body: () => Promise<void>) => bodies.push(body),
    }
    const onReport = (written: StoreReport) => {
      report = written
    }
    defineStoreSuite(runner, modelFactory(), { limits, fuzzRuns: 2, onReport })
    expect(bodies.length).toBe(storeCases.filter(({ level }) => level !== "processes").length + 1)
    await bodies.at(0)!()
    await bodies.at(-1)!()
    expect(report?.levels[0]).toMatchObject({ passed: 1, failed: 0 })
  })

  it("register only the cases that `only` accepts", () => {
    const titles: string[] = []
    const runner = {
      describe: (_name: string, body: () => void) => body(),
      it: (title: string) => titles.push(title),
    }
    defineStoreSuite(runner, modelFactory(), short)
    expect(titles).toEqual(["an unseen counter reads as zeros", "report"])
  })

  it("node:test runs it", { timeout: 180_000 }, async () => {
    const folder = fileURLToPath(new URL(`../../node_modules/.cache/suite-${process.pid}`, import.meta.url))
    mkdirSync(folder, { recursive: true })
    try {
      const here = fileURLToPath(new URL(".", import.meta.url))
      writeFileSync(
        `${folder}/suite.ts`,
        `import { describe, it } from "node:test"
import { defineStoreSuite } from "${here}../../src/testing"
import { modelFactory } from "${here}model-target"
defineStoreSuite({ describe, it }, modelFactory(), { limits: { processes: "one process", ledger: undefined }, fuzzRuns: 2 })
`,
      )
      await bundleFromSources({ entry: `${folder}/suite.ts`, folder })
      const run = promisify(execFile)(process.execPath, ["--test", "--test-reporter=tap", `${folder}/suite.mjs`])
      const { stdout } = await run
      expect(stdout).toContain("# fail 0")
      expect(Number(/# pass (\d+)/.exec(stdout)?.[1])).toBeGreaterThan(200)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
