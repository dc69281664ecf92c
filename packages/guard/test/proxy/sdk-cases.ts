import type { Limit } from "@p2/budget"
import type { LocalProvider } from "@p2/local-provider"
import { afterEach, describe, expect, it, vi } from "vitest"
import { budgetErrorFrom } from "../../src/index"
import type { ProxyOptions } from "../../src/proxy"
import { failure } from "../failure"
import type { Connection, Integration } from "../sdks/integrations"
import { type ProxiedProvider, proxyTo } from "./proxied-provider"

/** The cases of SDKs that reach the provider through the proxy. */
export function describeThroughProxy(provider: LocalProvider, integrations: readonly Integration[]): void {
  const opened: ProxiedProvider[] = []
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(({ server }) => server.close()))
  })

  /** A proxy for an SDK that knows only a base URL and a key. */
  async function connect(limit: Limit["limit"], options: Partial<ProxyOptions> = {}) {
    const proxied = await proxyTo(provider, limit, options)
    opened.push(proxied)
    const counts = { requests: 0 }
    const connection: Connection = {
      server: proxied.provider,
      fetch: (...call) => {
        counts.requests++
        return fetch(...call)
      },
      middleware: (request, next) => next(request),
    }
    return { ...proxied, connection, counts }
  }

  /** Every attempt has ended: at least what was billed is spent, and nothing is reserved. */
  async function expectCovered({ attempts, counts, balance }: Awaited<ReturnType<typeof connect>>): Promise<void> {
    await vi.waitFor(() => expect(attempts).toHaveLength(counts.requests), 60_000)
    const { spent, reserved } = await balance()
    expect(reserved).toBe(0)
    expect(spent).toBeGreaterThanOrEqual(provider.ledger.totalNanoUsd)
  }

  describe.each(integrations)("$name through the proxy", (integration) => {
    it("charges a call, steps with a tool and a stream what was billed", async () => {
      const { connection, attempts, balance } = await connect("1.00")
      await integration.call(connection)
      await integration.steps(connection)
      let pieces = 0
      await integration.stream(connection, () => ++pieces > 0)
      expect(pieces).toBeGreaterThan(1)
      expect(provider.ledger.calls).toHaveLength(4)
      expect(attempts.map(({ status, inDoubt }) => [status, inDoubt])).toEqual(Array(4).fill(["succeeded", false]))
      expect(await balance()).toEqual({ spent: provider.ledger.totalNanoUsd, reserved: 0 })
    })

    it("tries a denied call once, and recognizes the denial", async () => {
      const { connection, counts, balance } = await connect("0.000001")
      for (const call of [() => integration.call(connection), () => integration.stream(connection, () => true)]) {
        counts.requests = 0
        const error = await failure(call())
        expect(budgetErrorFrom(error)).toMatchObject({ code: "budget-exceeded", scope: "total", limitNanoUsd: 1_000 })
        expect(counts.requests).toBe(1)
      }
      expect(provider.ledger.calls).toHaveLength(0)
      expect(await balance()).toEqual({ spent: 0, reserved: 0 })
    })

    it("charges every retry of the SDK", async () => {
      const proxied = await connect("1.00")
      const headers = { "retry-after-ms": "1" }
      // LangChain gives up after a 429.
      const second = integration.name === "@langchain/openai" ? 503 : 429
      // Google documents that a 500 is not billed.
      const first = /google|gemini/i.test(integration.name) ? 503 : 500
      for (const status of [first, second]) provider.faults.next({ status, headers, billed: status === first })
      await integration.call(proxied.connection)
      expect(proxied.attempts.map(({ httpStatus }) => httpStatus)).toEqual([first, second, 200])
      expect(provider.ledger.calls).toHaveLength(2)
      await expectCovered(proxied)
    })

    it("admits as many of 40 calls at once as the budget can pay", async () => {
      const probe = await connect("1.00")
      await integration.call(probe.connection)
      const bound = probe.attempts[0]!.reservedNanoUsd
      provider.ledger.clear()
      const proxied = await connect({ nanoUsd: 10 * bound })
      let answer = () => {}
      provider.faults.always({ until: new Promise<void>((resolve) => (answer = resolve)) })
      const calls = Array.from({ length: 40 }, () => failure(integration.call(proxied.connection)))
      // The first ones end when the last ones have been denied.
      const countDenied = () => proxied.attempts.filter(({ status }) => status === "denied").length
      await vi.waitFor(() => expect(countDenied()).toBe(30), 60_000)
      answer()
      const errors = await Promise.all(calls)
      expect(errors.filter((error) => budgetErrorFrom(error) !== undefined)).toHaveLength(30)
      expect(errors.filter((error) => error === undefined)).toHaveLength(10)
      expect(provider.ledger.totalNanoUsd).toBeLessThanOrEqual(10 * bound)
      await expectCovered(proxied)
    })

    it("charges a stream that its reader abandons", async () => {
      const proxied = await connect("1.00")
      provider.faults.always({ chunkDelayMs: 5 })
      await integration.stream(proxied.connection, () => false)
      await expectCovered(proxied)
      expect(proxied.attempts).toHaveLength(1)
    })

    it.each([
      ["headers", { stall: "headers" }],
      ["body", { stall: "body" }],
    ] as const)("charges a call whose caller disconnects before its %s", async (_name, fault) => {
      const proxied = await connect("1.00")
      provider.faults.always(fault)
      const controller = new AbortController()
      const failing = failure(integration.call({ ...proxied.connection, signal: controller.signal }))
      await vi.waitFor(() => expect(provider.ledger.calls).toHaveLength(1), 60_000)
      controller.abort()
      expect(await failing).toBeDefined()
      await expectCovered(proxied)
      expect(proxied.attempts).toMatchObject([{ inDoubt: true }])
    })

    it("charges a stream that never ends when its caller disconnects", async () => {
      const proxied = await connect("1.00")
      provider.faults.always({ stall: "stream", afterChunks: 2 })
      const controller = new AbortController()
      const signal = controller.signal
      const reading = integration.stream({ ...proxied.connection, signal }, () => {
        controller.abort()
        return true
      })
      await failure(reading)
      await expectCovered(proxied)
      expect(proxied.attempts).toMatchObject([{ inDoubt: true }])
    })

    it("charges a stream that is cut, and breaks it for its reader", async () => {
      const proxied = await connect("1.00")
      provider.faults.next({ cut: "stream" })
      await failure(integration.stream(proxied.connection, () => true))
      await expectCovered(proxied)
      expect(proxied.attempts[0]).toMatchObject({ status: "failed", inDoubt: true })
    })
  })
}
