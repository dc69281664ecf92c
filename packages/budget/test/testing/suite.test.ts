import { execFile } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
// @ts-expect-error plain JavaScript, shared with the programs that are run from their sources
import { bundleFromSources } from "../../../../scripts/bundle-from-sources.mjs"
import { StoreError } from "../../src/store-error"
import {
  defineStoreSuite,
  runStoreSuite,
  type StoreReport,
  SUITE_LEVELS,
  type SuiteFactory,
  type SuiteOptions,
  storeCases,
} from "../../src/testing"
import { difference } from "../../src/testing/expect"
import { type ModelOptions, ModelStore } from "../../src/testing/model"
import { modelFactory } from "./model-target"

const limits = { processes: "one process" }
const short = { limits, only: (one: { name: string }) => one.name.startsWith("an unseen key") }

/** Charges one nano too many, but only for the amount 13: nothing but chance finds it. */
class Unlucky extends ModelStore {
  protected override sum(a: number, b: number): number {
    return super.sum(a, b === 13 ? 14 : b)
  }
}

describe("the cases", () => {
  it("are at least eighty, and named once", () => {
    const names = storeCases.map((one) => `${one.level}: ${one.name}`)
    expect(new Set(names).size).toBe(names.length)
    expect(names.length).toBeGreaterThanOrEqual(80)
    expect(new Set(storeCases.map((one) => one.level))).toEqual(new Set(SUITE_LEVELS))
  })

  it("hold every cell of the contract's table of states", () => {
    const states = ["none", "held", "held, lease past", "expired", "committed", "released"]
    const missing = states.flatMap((state) =>
      ["reserve", "commit", "release", "extend"].filter(
        (op) => !storeCases.some((one) => one.name.startsWith(`state ${state}: ${op}`)),
      ),
    )
    expect(missing).toEqual([])
    const byOthers = storeCases.filter((one) => /^state held.*by others/.test(one.name)).map((one) => one.name)
    expect(byOthers.length).toBe(3)
    const mismatches = storeCases.filter((one) => one.name.includes("another fingerprint"))
    expect(mismatches.length).toBe(states.length - 1)
  })
})

describe("the report", () => {
  it("is JSON, says what the store is, and names what is not claimed and why", async () => {
    const report = await runStoreSuite(modelFactory(), short)
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
    expect(report).toMatchObject({ version: 1, store: "model", ok: true })
    expect(report.levels.map((level) => level.level)).toEqual(SUITE_LEVELS)
    const processes = report.levels.find((level) => level.level === "processes")
    expect(processes).toMatchObject({ status: "not claimed", passed: 0, reasons: ["one process"] })
  })

  it("names each reason once, also where a case lacks several things", async () => {
    const both = { down: "in memory", restart: "in memory", damage: "nothing to overwrite", clock: "in memory" }
    const report = await runStoreSuite(modelFactory(), { ...short, limits: { ...limits, ...both } })
    const faults = report.levels.find((level) => level.level === "faults")
    expect([...faults!.reasons].sort()).toEqual(["in memory", "nothing to overwrite"])
  })

  it("is not ok when no case ran", async () => {
    const level = (name: string) => (one: { level: string }) => one.level === name
    const excluded = await runStoreSuite(modelFactory(), { limits, only: level("processes") })
    expect(excluded.levels.flatMap((one) => one.cases).every((one) => one.status === "not claimed")).toBe(true)
    expect(excluded.ok).toBe(false)
    expect((await runStoreSuite(modelFactory(), { limits, only: level("no such level") })).ok).toBe(false)
  })

  it("tells a level that did not run from one that passed", async () => {
    const report = await runStoreSuite(modelFactory(), short)
    expect(report.levels.map((level) => level.status)).toEqual([
      "passed",
      ...Array.from({ length: 6 }, () => "not claimed"),
    ])
  })
})

describe("limits are declared, not assumed", () => {
  const first = (report: StoreReport) => report.levels.flatMap((level) => level.cases)[0]

  it("what is neither offered nor declared fails", async () => {
    const onlyStore = () => ({ store: new ModelStore({ now: Date.now }) })
    const report = await runStoreSuite(onlyStore, { only: (one) => one.name.startsWith("memory is bounded") })
    expect(first(report)).toMatchObject({ status: "failed", reason: expect.stringContaining("`clock`") })
  })

  it("a limit that the store contradicts fails", async () => {
    const report = await runStoreSuite(modelFactory(), { ...short, limits: { ledger: "none" } })
    expect(report.levels[0]?.cases[0]).toMatchObject({
      status: "failed",
      reason: expect.stringContaining("limits.ledger"),
    })
  })

  it("a store that claims to be shared cannot leave its processes out", async () => {
    class Shared extends ModelStore {
      override readonly capabilities = { shared: true, clock: "process", retentionMs: 1_000, maxCells: 16 } as const
      constructor(options: ModelOptions) {
        super(options)
      }
    }
    const report = await runStoreSuite(modelFactory(Shared), short)
    expect(report.levels[0]?.cases[0]).toMatchObject({ status: "failed", reason: expect.stringContaining("spawn") })
  })

  it.each([
    [{ limits: { process: "one process" } }, /`limits.process`.*Did you mean `processes`/],
    [{ limit: { processes: "one process" } }, /`limit`.*Did you mean `limits`/],
    [{ limits: { processes: "" } }, /`limits.processes`: expected the reason in words/],
  ])("%j is a mistake at once", async (wrong, message) => {
    const options = wrong as SuiteOptions
    const mistake = { code: "invalid-argument", kind: "usage", message: expect.stringMatching(message) }
    await expect(runStoreSuite(modelFactory(), options)).rejects.toMatchObject(mistake)
    const runner = { describe: () => {}, it: () => {} }
    expect(() => defineStoreSuite(runner, modelFactory(), options)).toThrow(message)
  })

  const model = () => new ModelStore({ now: Date.now })
  it.each([
    ["the store itself", () => model(), /return \{ store \} instead of the store itself/],
    ["nothing", () => undefined, /the factory's target`: expected an object with the member `store`, got undefined/],
    ["no store", () => ({}), /`target.store`: expected the store to test, got undefined/],
    ["a promise of a store", () => ({ store: Promise.resolve(model()) }), /await the promise/],
    ["a store of a name", () => ({ store: { name: "x" } }), /`store.capabilities`: expected an object \{ shared/],
    [
      "a store without a member",
      () => ({ store: { name: "x", capabilities: {} } }),
      /`store.reserve`: expected a function/,
    ],
    ["a store without a name", () => ({ store: { capabilities: {} } }), /`store.name`: expected a string/],
  ])("a factory that returns %s is told what was expected", async (_what, factory, message) => {
    const report = await runStoreSuite(factory as unknown as SuiteFactory, short)
    expect(first(report)).toMatchObject({ status: "failed", reason: expect.stringMatching(message) })
  })

  it("a factory that throws fails its case and no other", async () => {
    let calls = 0
    const factory = () => {
      calls++
      if (calls === 1) throw new Error("no store today")
      return modelFactory()({ level: "contract", name: "" })
    }
    const report = await runStoreSuite(factory, { limits, only: (one) => /^an unseen|^read answers/.test(one.name) })
    expect(report.levels[0]).toMatchObject({ passed: 1, failed: 1 })
  })
})

describe("a case that failed", () => {
  const only = (beginning: string) => ({
    limits,
    only: (one: { name: string }) => one.name.startsWith(beginning),
  })
  const failed = (report: StoreReport) =>
    report.levels.flatMap((level) => level.cases).find((one) => one.status === "failed")

  it("says what was expected, what came, and where the rule stands", async () => {
    class Short extends ModelStore {
      protected override sum(a: number, b: number): number {
        return super.sum(a, b === 30 ? 29 : b)
      }
    }
    const found = failed(await runStoreSuite(modelFactory(Short), only("reserve sets the amount aside")))
    expect(found?.reason).toMatch(/^cells of the answer: expected .*"reserved":30.*, got .*"reserved":29/)
    expect(found?.reason).toMatch(/\nThe rule stands in docs\/custom-store.md of @p2\/budget, under "Rules"\.$/)
    expect(found).toMatchObject({ read: "Rules", durationMs: expect.any(Number) })
  })

  it("shows of long answers what stands around the first difference", () => {
    const long = "x".repeat(1_000)
    expect(difference(`${long}a`, `${long}b`)).toBe(
      `expected …${"x".repeat(120)}b, got …${"x".repeat(120)}a (both are the same for 1000 characters)`,
    )
    expect(difference(`a${long}`, `b${long}`)).toBe(`expected b${"x".repeat(399)}…, got a${"x".repeat(399)}…`)
    expect(difference("1", "2")).toBe("expected 2, got 1")
  })

  it("says what a rejection was caused by", async () => {
    class Refused extends ModelStore {
      override async read(): Promise<never> {
        const cause = new Error("ERROR: relation does not exist")
        throw new StoreError("Postgres failed.", { code: "unavailable", applied: "no", cause })
      }
    }
    const found = failed(await runStoreSuite(modelFactory(Refused), only("an unseen key")))
    expect(found?.reason).toBe("Postgres failed. Caused by: ERROR: relation does not exist")
  })
})

describe("a failing seed", () => {
  const fuzz = { limits, only: (one: { name: string }) => one.name.startsWith("random programs") }
  const reasonOf = (report: StoreReport) =>
    report.levels.flatMap((level) => level.cases).find((one) => one.status === "failed")?.reason ?? ""

  it("is printed, and replays alone", async () => {
    const reason = reasonOf(await runStoreSuite(modelFactory(Unlucky), { ...fuzz, fuzzRuns: 30 }))
    const seed = Number(/^seed (\d+), step \d+/.exec(reason)?.[1])
    expect(reason).toContain(`Replay with { seed: ${seed}, fuzzRuns: 1 }`)
    const [line] = reason.split("\n")
    const again = reasonOf(await runStoreSuite(modelFactory(Unlucky), { ...fuzz, seed, fuzzRuns: 1 }))
    expect(again.split("\n")[0]).toBe(line)
  })
})

describe("runners", () => {
  it("any describe and it will do, and cases that are not claimed are not registered", async () => {
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
    expect(bodies.length).toBe(storeCases.filter((one) => one.level !== "processes").length + 1)
    await bodies.at(0)!()
    await bodies.at(-1)!()
    expect(report?.levels[0]).toMatchObject({ passed: 1, failed: 0 })
  })

  it("node:test runs it", { timeout: 120_000 }, async () => {
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
      const passed = Number(/# pass (\d+)/.exec(stdout)?.[1])
      expect(stdout).toContain("# fail 0")
      expect(passed).toBeGreaterThan(150)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
