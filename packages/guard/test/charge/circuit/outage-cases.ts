import { fork } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type BudgetStore, createBudget } from "@p2/budget"
import { redisStore } from "@p2/budget/redis"
import { sqliteStore } from "@p2/budget-sqlite"
import { type RedisForTests, redisForTests } from "@p2/redis-server"
import { Redis } from "ioredis"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { bundleFromSources } from "../../../../../scripts/bundle-from-sources.mjs"

const PROCESSES = 8
const CALLS = 100
const BOUND = 20_000_000
const DAY = 1_000_000_000

const here = fileURLToPath(new URL(".", import.meta.url))
// Inside the package, where ioredis and libsql can be found.
const scripts = join(here, "../../../node_modules/.cache/children", `${process.pid}-outage`)
const FAILURES: Record<string, (response: ServerResponse) => void> = {
  "503": (response) => response.writeHead(503).end('{"error":{"message":"Overloaded"}}'),
  "500 with a cut body": (response) => {
    response.writeHead(500, { "content-length": "1000" }).write('{"error":')
    setTimeout(() => response.destroy(), 5)
  },
  "200 with a cut stream": (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write("data: {}\n\n")
    setTimeout(() => response.destroy(), 5)
  },
}

/** How the provider fails, and whether the calls come at once or in turn. */
export type OutageCase = readonly [failure: string, order: "at-once" | "in-turn"]

export const OUTAGES: readonly OutageCase[] = [
  ...Object.keys(FAILURES).map((failure) => [failure, "at-once"] as const),
  ["503", "in-turn"],
]

interface Opened {
  store: BudgetStore
  address: string
  prefix: string
  close(): Promise<unknown>
}

/** The calls of several processes to a provider that fails, for each kind of store. */
export function describeOutages(cases: Partial<Record<"sqlite" | "redis", readonly OutageCase[]>>): void {
  const files = mkdtempSync(join(tmpdir(), "p2-outage-"))
  let redis: RedisForTests | undefined
  let server: Server
  let serverURL: string
  let requests = 0
  let answer: (response: ServerResponse) => void

  beforeAll(async () => {
    mkdirSync(scripts, { recursive: true })
    const external = ["ioredis", "libsql"]
    await bundleFromSources({ entry: join(here, "outage-process.ts"), folder: scripts, external })
    if (cases.redis !== undefined) redis = await redisForTests()
    server = createServer((request, response) => {
      requests++
      request.resume().on("end", () => answer(response))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    serverURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  })

  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await redis?.close()
    for (const folder of [scripts, files]) rmSync(folder, { recursive: true, force: true })
  })

  /** Runs the processes and lets all of them start at the same time. */
  async function run({ address, prefix }: Opened, order: "at-once" | "in-turn"): Promise<string[]> {
    const children = Array.from({ length: PROCESSES }, (_, index) => {
      const calls = Math.floor(CALLS / PROCESSES) + (index < CALLS % PROCESSES ? 1 : 0)
      return fork(join(scripts, "outage-process.mjs"), [address, prefix, serverURL, String(calls), order])
    })
    const outcomes: string[] = []
    const ends = children.map(
      (child) =>
        new Promise<void>((resolve, reject) => {
          child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`A process ended with ${code}.`))))
        }),
    )
    const ready = children.map(
      (child) =>
        new Promise<void>((resolve) => {
          child.on("message", (message: "ready" | { outcomes: string[] }) => {
            if (message === "ready") resolve()
            else outcomes.push(...message.outcomes)
          })
        }),
    )
    try {
      await Promise.race([Promise.all(ready), Promise.all(ends)])
      for (const child of children) child.send("go")
      await Promise.all(ends)
    } finally {
      for (const child of children) child.kill("SIGKILL")
    }
    return outcomes
  }

  describe.each(Object.keys(cases) as (keyof typeof cases)[])("100 calls over 8 processes on %s", (kind) => {
    it.each([...(cases[kind] ?? [])])("charge at most a tenth of the day: %s, %s", async (failure, order) => {
      if (kind === "redis" && redis === undefined) return
      requests = 0
      answer = FAILURES[failure]!
      const opened = open(kind)
      try {
        const outcomes = await run(opened, order)
        expect(outcomes).toHaveLength(CALLS)
        expect(outcomes.filter((outcome) => outcome === "sent")).toHaveLength(requests)
        expect(requests).toBeGreaterThan(0)

        const { store } = opened
        const budget = createBudget({ store, limits: [{ scope: "user", limit: 1, per: "day" }], onWarning: () => {} })
        const [status] = await budget.status({ userId: "ada" })
        const [totals] = await budget.usage.totals()
        expect(status?.reserved).toBe(0)
        const costNanoUsd = requests * BOUND
        expect(totals).toMatchObject({ costNanoUsd, inDoubtNanoUsd: costNanoUsd, inDoubt: requests })
        expect(costNanoUsd).toBeLessThanOrEqual(DAY / 10)
      } finally {
        await opened.close()
      }
    })
  })

  let opened = 0

  function open(kind: string): Opened {
    const prefix = `outage-${process.pid}-${opened++}`
    if (kind === "sqlite") {
      const address = join(files, `${prefix}.db`)
      const store = sqliteStore(address)
      return { store, address, prefix, close: async () => store.close?.() }
    }
    const client = new Redis(redis!.url)
    const store = redisStore({ client, prefix, timeoutMs: 30_000 })
    const close = async () => {
      await store.close?.()
      client.disconnect()
    }
    return { store, address: redis!.url, prefix, close }
  }
}
