import { fileURLToPath } from "node:url"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, expect } from "vitest"
import { type CliWorld, createCliWorld } from "../support/run-cli"

const CALLERS = fileURLToPath(new URL("./parallel-callers.mjs", import.meta.url))

/** Runs with a provider of their own, for the calling test file. */
export function createRuns(): (store: string, userId: string) => Promise<void> {
  let world: CliWorld
  let provider: LocalProvider

  beforeAll(async () => {
    world = await createCliWorld()
    provider = await startLocalProvider()
    provider.faults.always({ fillOutput: true })
  })
  afterAll(async () => {
    await world.close()
    await provider.close()
  })

  /** Three concurrent runs of one user, each with 30 concurrent calls, on a limit for about ten. */
  return async function threeRuns(store: string, userId: string): Promise<void> {
    const before = provider.ledger.totalNanoUsd
    const options = ["run", "--budget", "0.000625", "--per", "total", "--user", userId]
    const env = { OPENAI_API_KEY: "sk-planted-0123456789", OPENAI_BASE_URL: provider.baseURL, P2_STORE: store }
    const command = ["--", process.execPath, CALLERS, "1", "30"]
    const ends = await Promise.all([1, 2, 3].map(() => world.run([...options, ...command], env)))
    for (const { stderr } of ends) expect(stderr).not.toContain("planted")
    const outcomes = ends
      .flatMap(({ stdout }) => stdout.split("\n"))
      .filter((line) => /^(answered|denied|failed)/.test(line))
    expect(outcomes).toHaveLength(90)
    expect(outcomes.filter((line) => line === "answered").length).toBeGreaterThan(5)
    expect(outcomes.filter((line) => line.startsWith("failed"))).toEqual([])
    const billed = provider.ledger.totalNanoUsd - before
    expect(billed).toBeLessThanOrEqual(625_000)
    // Another command finds the same amount in the store.
    const { stdout } = await world.run(["top", "--by", "user", "--json"], { P2_STORE: store })
    const { rows } = JSON.parse(stdout) as { rows: { value: string; costNanoUsd: number }[] }
    expect(rows.find(({ value }) => value === userId)?.costNanoUsd).toBe(billed)
  }
}
