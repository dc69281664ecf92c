import { Redis } from "ioredis"
import { afterAll, describe, expect, it } from "vitest"
import { expectSums } from "../soak/expect-sums"
import type { AppliedAdjustment } from "../soak/operate"
import { runProcesses } from "../soak/run-processes"
import { bundleScript } from "./bundle-script"
import { nodesAndStore, noServer, PATIENT } from "./own-server"

/** `pnpm test:soak` does a hundred thousand. */
const OPERATIONS = Number(process.env.P2_SOAK ?? 4_000)

const child = await bundleScript("../soak/operate-child")
afterAll(() => child.remove())

/** As the servers store them: a killed process cannot report what was applied for it. */
async function adjustmentsIn(urls: readonly string[]): Promise<AppliedAdjustment[]> {
  const found: AppliedAdjustment[] = []
  for (const url of urls) {
    const client = new Redis(url)
    for await (const names of client.scanStream({ match: "p2:{*}:a:*", count: 1_000 }))
      for (const name of names as string[]) {
        const [, partition = "", key = ""] = /\{([^}]+)\}:a:(.*)$/.exec(name) ?? []
        const { counter = "", kind, applied } = await client.hgetall(name)
        if (kind !== "granted") found.push({ partition, key, counter, applied: Number(applied) })
      }
    client.disconnect()
  }
  return found
}

describe.skipIf(noServer)("a soak", () => {
  it.each([
    ["one server", 1],
    ["a Cluster of three", 3],
  ])(
    `Redis, %s: after ${OPERATIONS} operations of processes that are killed, counters are the sums of their entries`,
    async (_, count) => {
      const { urls, store } = await nodesAndStore(count, PATIENT)
      const journal = await runProcesses(child.file, { operations: OPERATIONS, urls })
      const seen = await expectSums(store, journal, () => adjustmentsIn(urls))
      const { operations, kills, settles } = journal
      expect(settles.size).toBeGreaterThan(0)
      console.log(`Redis: ${operations} operations, ${kills} kills, ${settles.size} confirmed settles found,`, seen)
    },
    900_000,
  )
})
