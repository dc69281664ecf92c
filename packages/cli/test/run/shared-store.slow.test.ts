import { startPostgres } from "@p2/postgres-server"
import { redisForTests } from "@p2/redis-server"
import { afterAll, it } from "vitest"
import { createRuns } from "./shared-store-cases"

const threeRuns = createRuns()
const redis = await redisForTests()
afterAll(() => redis?.close())

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
