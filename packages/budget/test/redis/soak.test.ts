import type { Redis } from "ioredis"
import { afterAll, describe, expect, it } from "vitest"
import { type AppliedAdjustment, expectSums } from "../soak/expect-sums"
import { runProcesses } from "../soak/run-processes"
import { bundleScript } from "./bundle-script"
import { noServer, serverAndStore } from "./own-server"

/** `pnpm test:soak` does a hundred thousand. */
const OPERATIONS = Number(process.env.P2_SOAK ?? 4_000)

const child = await bundleScript("../soak/operate-child")
afterAll(() => child.remove())

/** As the scripts keep them: whoever was killed could not say what was applied for them. */
async function adjustmentsIn(client: Redis): Promise<AppliedAdjustment[]> {
  const found: AppliedAdjustment[] = []
  for await (const keys of client.scanStream({ match: "*:a:*", count: 1_000 }))
    for (const name of keys as string[]) {
      const [applied, content] = (await client.get(name))!.split("\n")
      const [key, kind] = content!.split(" ")
      if (kind === "granted") continue
      found.push({ root: /\{([^}]+)\}/.exec(name)![1]!, key: key!, applied: Number(applied) })
    }
  return found
}

describe.skipIf(noServer)("a soak", () => {
  it(`Redis: after ${OPERATIONS} operations of processes that are killed, cells are the sums of their entries`, async () => {
    const { server, client, store } = await serverAndStore({ store: { timeoutMs: 20_000 } })
    const { operations, kills, commits } = await runProcesses(child.file, { operations: OPERATIONS, url: server.url })
    const seen = await expectSums(store, commits, () => adjustmentsIn(client))
    expect(commits.size).toBeGreaterThan(0)
    console.log(`Redis: ${operations} operations, ${kills} kills, ${commits.size} answered commits found,`, seen)
  }, 900_000)
})
