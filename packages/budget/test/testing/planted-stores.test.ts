import { describe, expect, it } from "vitest"
import { runStoreSuite } from "../../src/testing"
import { modelFactory } from "./model-target"
import { plants } from "./planted-stores"

/** Runs the cases that must find the plant, and answers which of them did. */
async function failedCases(plant: (typeof plants)[number]): Promise<string[]> {
  const report = await runStoreSuite(modelFactory(plant.Store, plant.connect), {
    limits: { processes: "one process" },
    only: (one) => plant.caughtBy.some((beginning) => one.name.startsWith(beginning)),
  })
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
    expect(plant.caughtBy.length).toBeGreaterThan(0)
    expect(missed).toEqual([])
  })
})
