import { describe, expect, it } from "vitest"
import { runStoreSuite, storeCases } from "../../src/testing"
import { modelFactory } from "./model-target"
import { faultPlants } from "./plants/fault-plants"
import { leasePlants, timePlants } from "./plants/lease-plants"
import { ledgerPlants } from "./plants/ledger-plants"
import type { Plant } from "./plants/plant"
import { reservePlants } from "./plants/reserve-plants"
import { settlePlants } from "./plants/settle-plants"

const plants: Plant[] = [
  ...reservePlants,
  ...settlePlants,
  ...leasePlants,
  ...timePlants,
  ...faultPlants,
  ...ledgerPlants,
]

/** The titles that begin as the plant says and did not fail. */
async function missedBy({ Store, connect, caughtBy }: Plant): Promise<string[]> {
  const report = await runStoreSuite(modelFactory(Store, connect), {
    limits: { processes: "one process" },
    timeoutMs: 5_000,
    only: ({ title }) => caughtBy.some((beginning) => title.startsWith(beginning)),
  })
  const failed = report.levels.flatMap(({ cases }) => cases).filter(({ status }) => status === "failed")
  return caughtBy.filter((beginning) => !failed.some(({ title }) => title.startsWith(beginning)))
}

describe("the suite catches each planted store", () => {
  it("of 234 or more, each name once", () => {
    expect(plants.length).toBeGreaterThanOrEqual(234)
    expect(new Set(plants.map(({ name }) => name)).size).toBe(plants.length)
  })

  it("by cases that exist", () => {
    const beginnings = plants.flatMap(({ caughtBy }) => caughtBy)
    const unknown = beginnings.filter((beginning) => !storeCases.some(({ title }) => title.startsWith(beginning)))
    expect(unknown).toEqual([])
  })

  it.each(plants)("$name", async (plant) => {
    expect(plant.caughtBy.length).toBeGreaterThan(0)
    expect(await missedBy(plant)).toEqual([])
  })
})
