import { describe, expect, it } from "vitest"
import { runStoreSuite, type StoreCase } from "../../src/testing"
import { modelFactory } from "./model-target"
import { plants } from "./planted-stores"

const options = {
  limits: { processes: "one process" },
  fuzzRuns: 10,
  // The one long case finds nothing that the others of its level do not.
  only: (one: StoreCase) => !one.name.startsWith("ten thousand entries"),
}

async function failedCases(plant: (typeof plants)[number]): Promise<string[]> {
  const report = await runStoreSuite(modelFactory(plant.Store, plant.connect), options)
  return report.levels.flatMap((level) => level.cases.filter((one) => one.status === "failed").map((one) => one.name))
}

describe("the suite finds what is wrong", () => {
  it("plants are many, and named once", () => {
    expect(plants.length).toBeGreaterThanOrEqual(18)
    expect(new Set(plants.map((plant) => plant.name)).size).toBe(plants.length)
  })

  it.each(plants)("$name", async (plant) => {
    const failed = await failedCases(plant)
    const missed = plant.caughtBy.filter((beginning) => !failed.some((name) => name.startsWith(beginning)))
    expect(missed, `cases that must fail; those that did: ${failed.join(" | ")}`).toEqual([])
    expect(plant.caughtBy.length).toBeGreaterThan(0)
  })
})
