import { createBudget, memoryStore } from "@p2/budget"
import { afterEach, describe, expect, it, vi } from "vitest"
import { withBudget } from "../../src/index"
import { balance, CALL, COMPLETION, COST, deferred, EVENTS, events, guardOver, json, post } from "./guarded-server"

const newBudget = (limit: string | { nanoUsd: number } = "1.00") =>
  createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })

describe("withBudget", () => {
  it("replaces the guard's budget for calls inside, at any depth", async () => {
    const guard = guardOver(() => json(COMPLETION))
    const inner = newBudget()
    await withBudget({ budget: inner }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      await Promise.all([1, 2].map(() => post(guard.fetch)))
    })
    await post(guard.fetch)
    expect((await balance(inner)).spent).toBe(2 * COST)
    expect((await balance(guard.budget)).spent).toBe(COST)
  })

  it("limits what is spent inside, in addition to the guard's own limits", async () => {
    const guard = guardOver(() => json(COMPLETION))
    const statuses = await withBudget({ limit: { nanoUsd: 80_000 } }, async () => [
      (await post(guard.fetch)).status,
      (await post(guard.fetch)).status,
      (await post(guard.fetch)).status,
    ])
    // A call reserves about 70,000 and spends 9,000 nano-USD: the second fits, and the third no longer does.
    expect(statuses).toEqual([200, 200, 402])
    expect(await balance(guard.budget)).toEqual({ spent: 2 * COST, reserved: 0 })
    expect((await post(guard.fetch)).status).toBe(200)
  })

  it("keeps the limit of an outer scope inside an inner one", async () => {
    const guard = guardOver(() => json(COMPLETION))
    await withBudget({ limit: { nanoUsd: 80_000 } }, async () => {
      await post(guard.fetch)
      await withBudget({ limit: "0.50", subject: { tags: { agent: "sub" } } }, async () => {
        expect((await post(guard.fetch)).status).toBe(200)
        expect((await post(guard.fetch)).status).toBe(402)
      })
      expect((await post(guard.fetch)).status).toBe(402)
    })
  })

  it("keeps the limits of outer scopes when an inner scope replaces the budget", async () => {
    const guard = guardOver(() => json(COMPLETION))
    const inner = newBudget()
    await withBudget({ limit: { nanoUsd: 80_000 } }, () =>
      withBudget({ limit: { requests: 3 } }, () =>
        withBudget({ budget: inner.child({ limit: "0.50" }) }, async () => {
          expect((await post(guard.fetch)).status).toBe(200)
          expect((await post(guard.fetch)).status).toBe(200)
          expect((await post(guard.fetch)).status).toBe(402)
        }),
      ),
    )
    expect((await balance(inner)).spent).toBe(2 * COST)
    await withBudget({ limit: { requests: 1 } }, () =>
      withBudget({ budget: inner }, async () => {
        expect((await post(guard.fetch)).status).toBe(200)
        await withBudget({ budget: newBudget(), limit: 1 }, async () => {
          // The limit counts per store.
          expect((await post(guard.fetch)).status).toBe(200)
          expect((await post(guard.fetch)).status).toBe(402)
        })
        expect((await post(guard.fetch)).status).toBe(402)
      }),
    )
  })

  describe("when its function returns a value that makes calls later", () => {
    const limit = { requests: 2 }
    const later = async (read: AsyncIterable<number>) => {
      const statuses: number[] = []
      for await (const status of read) statuses.push(status)
      return statuses
    }

    it("limits the steps of an asynchronous generator, and its end", async () => {
      const guard = guardOver(() => json(COMPLETION))
      const ends: number[] = []
      const steps = withBudget({ limit }, async function* () {
        try {
          for (;;) yield (await post(guard.fetch)).status
        } finally {
          ends.push((await post(guard.fetch)).status)
        }
      })
      const statuses: number[] = []
      for await (const status of steps) {
        statuses.push(status)
        if (statuses.length === 3) break
      }
      expect(statuses).toEqual([200, 200, 402])
      expect(ends).toEqual([402])
      expect(guard.sent).toHaveLength(2)
      expect((await post(guard.fetch)).status).toBe(200)
    })

    it("limits an exception that is thrown into a generator", async () => {
      const guard = guardOver(() => json(COMPLETION))
      const steps = withBudget({ limit: { requests: 1 } }, async function* () {
        yield (await post(guard.fetch)).status
        try {
          yield 0
        } catch {
          yield (await post(guard.fetch)).status
        }
      })
      expect((await steps.next()).value).toBe(200)
      await steps.next()
      expect((await steps.throw(new Error("x"))).value).toBe(402)
    })

    it("limits the steps of a synchronous generator and of an iterable with private fields", async () => {
      const guard = guardOver(() => json(COMPLETION))
      const promises = withBudget({ limit }, function* () {
        for (;;) yield post(guard.fetch)
      })
      const statuses: number[] = []
      for (const promise of promises) {
        statuses.push((await promise).status)
        if (statuses.length === 3) break
      }
      expect(statuses).toEqual([200, 200, 402])

      class Agent {
        #steps = 3
        async *[Symbol.asyncIterator]() {
          while (this.#steps-- > 0) yield (await post(guard.fetch)).status
        }
      }
      const agent = await withBudget({ limit }, async () => new Agent())
      expect(agent).toBeInstanceOf(Agent)
      expect(await later(agent)).toEqual([200, 200, 402])
    })

    const streamOf = (guard: ReturnType<typeof guardOver>) => {
      let steps = 0
      return new ReadableStream<number>({
        async pull(controller) {
          controller.enqueue((await post(guard.fetch)).status)
          if (++steps === 4) controller.close()
        },
      })
    }

    it("limits the pull of a stream", async () => {
      const guard = guardOver(() => json(COMPLETION))
      const stream = withBudget({ limit }, () => streamOf(guard))
      expect(stream).toBeInstanceOf(ReadableStream)
      expect(await later(stream as unknown as AsyncIterable<number>)).toEqual([200, 200, 402, 402])
      const promised = await withBudget({ limit }, async () => streamOf(guard))
      expect(await later(promised as unknown as AsyncIterable<number>)).toEqual([200, 200, 402, 402])
    })

    it("limits the body of a response, and keeps its status and headers", async () => {
      const guard = guardOver(() => json(COMPLETION))
      const response = await withBudget({ limit }, async () => {
        const lines = streamOf(guard).pipeThrough(
          new TransformStream<number, Uint8Array>({
            transform: (status, controller) => controller.enqueue(new TextEncoder().encode(`${status} `)),
          }),
        )
        return new Response(lines, { status: 201, headers: { "x-run": "1" } })
      })
      expect([response.status, response.headers.get("x-run")]).toEqual([201, "1"])
      expect(await response.text()).toBe("200 200 402 402 ")
    })

    it("passes on the error and the cancellation of a stream", async () => {
      const cancelled: unknown[] = []
      const stream = withBudget(
        { limit },
        () => new ReadableStream<number>({ cancel: (reason) => void cancelled.push(reason) }),
      )
      await stream.cancel("enough")
      expect(cancelled).toEqual(["enough"])
      const broken = withBudget(
        { limit },
        () => new ReadableStream<number>({ pull: () => Promise.reject(new RangeError("broken")) }),
      )
      await expect(broken.getReader().read()).rejects.toThrow(RangeError)
    })
  })

  it("merges subjects: headers over the inner scope over the outer one over the guard", async () => {
    const subject = { userId: "guard", clientId: "app", tags: { team: "search", env: "test" } }
    const guard = guardOver(() => json(COMPLETION), { subject })
    await withBudget({ subject: { userId: "ada", tags: { env: "production" } } }, () =>
      withBudget({ subject: { requestId: "r1", tags: { agent: "sub" } } }, () =>
        post(guard.fetch, CALL, { headers: { "x-p2-tags": "step=2" } }),
      ),
    )
    expect((await guard.budget.usage.list()).entries).toMatchObject([
      {
        userId: "ada",
        clientId: "app",
        requestId: "r1",
        tags: { team: "search", env: "production", agent: "sub", step: "2" },
      },
    ])
  })

  it("never mixes scopes that run at the same time", async () => {
    const guard = guardOver(async () => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5))
      return json(COMPLETION)
    })
    const users = Array.from({ length: 20 }, (_, index) => `user-${index}`)
    await Promise.all(
      users.map((userId) =>
        withBudget({ subject: { userId } }, async () => {
          for (let step = 0; step < 3; step++) await post(guard.fetch)
        }),
      ),
    )
    const totals = await guard.budget.usage.totals({ groupBy: ["userId"] })
    expect(totals).toHaveLength(20)
    for (const { attempts, costNanoUsd } of totals) expect([attempts, costNanoUsd]).toEqual([3, 3 * COST])
  })

  it("settles a stream in its scope, although it is read outside", async () => {
    const guard = guardOver(() => events())
    const inner = newBudget()
    const response = await withBudget({ budget: inner }, () => post(guard.fetch, { ...CALL, stream: true }))
    await withBudget({ budget: newBudget() }, () => response.text())
    expect(await balance(inner)).toEqual({ spent: COST, reserved: 0 })
    expect(EVENTS.length).toBeGreaterThan(2)
  })

  it("returns and throws what the function does", async () => {
    expect(withBudget({ limit: 1 }, () => 5)).toBe(5)
    expect(() =>
      withBudget({ limit: 1 }, () => {
        throw new RangeError("x")
      }),
    ).toThrow(RangeError)
    await expect(withBudget({ limit: 1 }, () => Promise.reject(new RangeError("x")))).rejects.toThrow(RangeError)
    const gate = deferred<number>()
    const pending = withBudget({ limit: 1 }, () => gate.promise)
    gate.resolve(7)
    expect(await pending).toBe(7)
  })

  it.each([
    [{}, "Invalid `options`: expected at least one of `budget`, `limit` and `subject`, got an object."],
    [{ limits: "1" }, "Unknown option `limits`. Did you mean `limit`?"],
    [{ userId: "ada" }, "Unknown option `userId`. Did you mean `subject: { userId }`?"],
    [{ limit: "5$" }, "Invalid `limit`"],
    [{ limit: -1 }, "Invalid `limit`"],
    [{ limit: "-0.01" }, "Invalid `limit`"],
    [{ limit: Number.NaN }, "Invalid `limit`"],
    [{ limit: null }, "Invalid `limit`"],
    [{ limit: {} }, "Invalid `limit`"],
    [{ limit: { usd: -1 } }, "Invalid `limit.usd`"],
    [{ limit: { dollars: 1 } }, "Unknown option `limit.dollars`."],
    [{ subject: { user: "ada" } }, "Unknown option `subject.user`. Did you mean `userId`?"],
    [{ budget: {} }, "Invalid `budget`: expected a budget from `createBudget`, got an object."],
  ])("checks its options (%#)", (options, message) => {
    expect(() => withBudget(options as never, () => {})).toThrow(message)
  })

  describe("in a runtime without AsyncLocalStorage", () => {
    const shared = globalThis as Record<symbol, unknown>
    const SCOPE = Symbol.for("@p2/guard/scope")
    const storage = shared[SCOPE]
    afterEach(() => {
      vi.unstubAllGlobals()
      shared[SCOPE] = storage
    })

    it("is a usage error, and a guard works without scopes", async () => {
      delete shared[SCOPE]
      vi.stubGlobal("process", { env: {} })
      expect(() => withBudget({ limit: 1 }, () => {})).toThrow(/needs AsyncLocalStorage.*pass `budget` and `subject`/s)
      const guard = guardOver(() => json(COMPLETION))
      expect((await post(guard.fetch)).status).toBe(200)
    })
  })
})
