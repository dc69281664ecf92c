import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Budget, createBudget, type LimitStatus } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { type CliWorld, createCliWorld, type RunningCli } from "../support/run-cli"

/*
 * Programs with many calls in flight, and kill -9 of the program, of p2, and of both. The local provider's own ledger
 * shows what was billed.
 */

const CALLERS = fileURLToPath(new URL("./parallel-callers.mjs", import.meta.url))
/** The lease of a reservation is 60 s. */
const AFTER_LEASES_MS = 120_000

let world: CliWorld
let provider: LocalProvider

beforeAll(async () => {
  world = await createCliWorld()
  provider = await startLocalProvider()
})
afterEach(() => provider.faults.clear())
afterAll(async () => {
  await world.close()
  await provider.close()
})

/** A user with its own limit in the file, and what the provider has billed since. */
function userWith(budget: string, userId: string) {
  const billedBefore = provider.ledger.totalNanoUsd
  const file = join(world.folder, "home", "p2.db")
  const withBudget = async <T>(use: (budget: Budget) => Promise<T>, offsetMs = 0): Promise<T> => {
    const opened = createBudget({
      store: sqliteStore(file, { now: () => Date.now() + offsetMs }),
      limits: [{ scope: "user", limit: budget, per: "total" }],
    })
    try {
      return await use(opened)
    } finally {
      await opened.close()
    }
  }
  const statusIn = async (opened: Budget): Promise<LimitStatus> => (await opened.status({ userId }))[0]!
  return {
    start: (...command: string[]): RunningCli =>
      world.start(["run", "--budget", budget, "--per", "total", "--user", userId, "--", process.execPath, ...command], {
        ...{ OPENAI_API_KEY: "sk-planted-0123456789", OPENAI_BASE_URL: provider.baseURL },
      }),
    billed: () => provider.ledger.totalNanoUsd - billedBefore,
    status: () => withBudget(statusIn),
    /** The state after every lease has ended and been expired. */
    statusAfterLeases: () =>
      withBudget(async (opened) => {
        await opened.sweep()
        return statusIn(opened)
      }, AFTER_LEASES_MS),
  }
}

describe("200 parallel calls from 4 processes on a budget for 20", () => {
  it("never pass the budget, with retries and faults", async () => {
    // Every answer has all the 100 tokens that its call may have: 20 × 100 × $0.60 per million, and a little for the input.
    const user = userWith("0.00125", "parallel")
    provider.faults.always({ status: 503, headers: { "retry-after-ms": "1" } }, ({ number }) => number % 7 === 0)
    provider.faults.always({ status: 500, billed: true, fillOutput: true }, ({ number }) => number % 7 === 3)
    provider.faults.always({ cut: "stream", afterChunks: 2, fillOutput: true }, ({ number }) => number % 7 === 5)
    provider.faults.always({ fillOutput: true })
    const { code, stdout } = await user.start(CALLERS, "4", "50").ended
    expect(code).toBe(0)
    const ends = stdout.split("\n").filter((line) => /^(answered|denied|failed)/.test(line))
    expect(ends).toHaveLength(200)
    expect(ends.filter((line) => line === "answered").length).toBeGreaterThan(0)
    expect(ends.filter((line) => line === "denied").length).toBeGreaterThan(100)
    const { spentNanoUsd, reservedNanoUsd } = await user.status()
    expect(user.billed()).toBeGreaterThan(0)
    expect(user.billed()).toBeLessThanOrEqual(1_250_000)
    expect(spentNanoUsd).toBeGreaterThanOrEqual(user.billed())
    expect(spentNanoUsd).toBeLessThanOrEqual(1_250_000)
    expect(reservedNanoUsd).toBe(0)
  })
})

describe("kill -9", () => {
  /** Starts calls that the provider answers only halfway, and waits until all are in flight. */
  async function withCallsInFlight(userId: string) {
    const user = userWith("1", userId)
    const callsBefore = provider.ledger.calls.length
    provider.faults.always({ stall: "stream", keepAliveMs: 20, billed: true }, ({ body }) => body.stream === true)
    provider.faults.always({ stall: "body", billed: true })
    const code = `console.log("program", process.pid); await import(${JSON.stringify(CALLERS)})`
    const running = user.start("--input-type=module", "-e", code, CALLERS, "1", "8")
    await running.wrote("chunk")
    await waitFor(() => provider.ledger.calls.length - callsBefore === 8)
    return { user, running, programPid: Number(/program (\d+)/.exec(running.stdout)?.[1]) }
  }

  it("of the program: p2 settles, prints the receipt, and ends by the same signal", async () => {
    const { user, running, programPid } = await withCallsInFlight("kill-program")
    process.kill(programPid, "SIGKILL")
    const { signal, stderr } = await running.ended
    expect(signal).toBe("SIGKILL")
    expect(stderr).toMatch(/in doubt: \$0\.\d+ for 8 calls/)
    const { spentNanoUsd, reservedNanoUsd } = await user.status()
    expect(spentNanoUsd).toBeGreaterThanOrEqual(user.billed())
    expect(reservedNanoUsd).toBe(0)
  })

  it("of p2: the calls of the program fail, and the leases charge what was in flight", async () => {
    const { user, running } = await withCallsInFlight("kill-parent")
    running.child.kill("SIGKILL")
    const { stdout } = await running.ended
    expect(stdout.match(/^failed /gm)).toHaveLength(8)
    expect((await user.status()).reservedNanoUsd).toBeGreaterThan(0)
    const { spentNanoUsd, reservedNanoUsd } = await user.statusAfterLeases()
    expect(spentNanoUsd).toBeGreaterThanOrEqual(user.billed())
    expect(reservedNanoUsd).toBe(0)
  })

  it("of both: the leases charge what was in flight", async () => {
    const { user, running, programPid } = await withCallsInFlight("kill-both")
    running.child.kill("SIGKILL")
    process.kill(programPid, "SIGKILL")
    await running.ended
    const { spentNanoUsd, reservedNanoUsd } = await user.statusAfterLeases()
    expect(user.billed()).toBeGreaterThan(0)
    expect(spentNanoUsd).toBeGreaterThanOrEqual(user.billed())
    expect(reservedNanoUsd).toBe(0)
  })
})

async function waitFor(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 20))
}
