import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startPostgres } from "@p2/postgres-server"
import { startRedis } from "@p2/redis-server"
import { afterAll, beforeAll, it } from "vitest"
import { openStore } from "../../src/store/open-store"
import { noonZone } from "../support/noon-zone"
import { soon } from "../support/soon"
import { readSections } from "./support/sections"
import { type ServedDashboard, serveDashboard, signIn } from "./support/served-dashboard"

const folder = mkdtempSync(join(tmpdir(), "p2-dashboard-stores-"))
let redis: Awaited<ReturnType<typeof startRedis>>
let postgres: Awaited<ReturnType<typeof startPostgres>>

beforeAll(async () => {
  redis = await startRedis()
  postgres = await startPostgres()
})
afterAll(async () => {
  await redis?.stop()
  await postgres?.stop()
  rmSync(folder, { recursive: true, force: true })
})

it.each([
  ["file", () => `file:${join(folder, "p2.db")}`],
  ["redis", () => redis.url],
  ["postgres", () => postgres.url],
] as const)("shows the limits and the ledger of another process's store: %s", async (_name, address) => {
  const limits = [
    { scope: "total", limit: 5 },
    { scope: "user", limit: "1.00", per: "day", timeZone: noonZone(), optional: true },
  ] as const
  const shown = await openStore(address(), { limits })
  const other = await openStore(address(), { limits })
  try {
    await using served = await serveDashboard([], { budget: shown.budget })
    await using stream = await readSections(served.url, await signIn(served.dashboard))
    await soon(() => stream.sections.totals?.sums.calls).toBe(0)
    for (let index = 0; index < 30; index++) {
      const subject = { userId: `user-${index % 3}`, model: "m", tags: { team: "search" } }
      const result = await other.budget.reserve({ subject, amount: "0.01" })
      if (result.ok) await result.reservation.settle({ nanoUsd: index })
    }
    await other.budget.reserve({ subject: { userId: "user-0", model: "m" }, amount: "2.00" })
    await soon(() => stream.sections.totals?.sums).toMatchObject({ calls: 30, denied: 1, costNanoUsd: 435 })
    await soon(() => stream.sections.limits?.limits.find(({ value }) => value === "user-2")?.spent).toBe(155)
    await soon(() => stream.sections.calls?.calls).toHaveLength(31)
    await expectTeam(served)
  } finally {
    await other.close()
    await shown.close()
  }
})

/** A page that is opened later groups by the team tag immediately. */
async function expectTeam(served: ServedDashboard): Promise<void> {
  await using stream = await readSections(served.url, await signIn(served.dashboard), "24h")
  const teams = () => stream.sections.totals?.groups.find(({ tag }) => tag === "team")?.rows
  await soon(teams).toMatchObject([{ value: "search", costNanoUsd: 435 }, {}])
}
