import { fileURLToPath } from "node:url"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { startPostgres } from "@p2/postgres-server"
import { redisForTests } from "@p2/redis-server"
import { afterAll, beforeAll, expect, it } from "vitest"
import { type CliWorld, createCliWorld } from "../support/run-cli"

const CALLERS = fileURLToPath(new URL("./parallel-callers.mjs", import.meta.url))

let world: CliWorld
let provider: LocalProvider
const redis = await redisForTests()

beforeAll(async () => {
  world = await createCliWorld()
  provider = await startLocalProvider()
  provider.faults.always({ fillOutput: true })
})
afterAll(async () => {
  await world.close()
  await provider.close()
  await redis?.close()
})

/** Three concurrent runs of one user, each with 30 concurrent calls, on a limit for about ten. */
async function threeRuns(store: string, userId: string): Promise<void> {
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

it("concurrent runs of one user share the limit in a file", () => threeRuns("file:shared.db", "ada"))

it.skipIf(redis === undefined)("concurrent runs of one user share the limit in Redis", () =>
  threeRuns(redis!.url, `ada-${process.pid}`),
)

it("concurrent runs of one user share the limit in PostgreSQL, whose address has a password", async () => {
  const postgres = await startPostgres()
  try {
    const address = new URL(postgres.url)
    address.password = "planted-Pa55w0rd"
    await threeRuns(address.href, "ada")
  } finally {
    await postgres.stop()
  }
})
