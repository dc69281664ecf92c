import { BudgetExceededError, createBudget, memoryStore, StoreError } from "@p2/budget"
import { AbortedError } from "@p2/core"
import { describe, expect, it } from "vitest"
import type { Charge } from "../../../src/charge/charge"
import { CircuitOpenError } from "../../../src/charge/circuit/circuit-open-error"
import { Circuits } from "../../../src/charge/circuit/circuits"
import { decideCharge } from "../../../src/charge/decide-charge"
import { reserveAttempt, settleAttempt } from "../../../src/charge/reserve-attempt"
import { errorReading, evidence, RESERVED } from "../example-evidence"
import { BOUND, CircuitWorld, chargeOf, NOON } from "./circuit-world"

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Seconds of half a day, denser at its beginning. */
const HALF_DAY = [
  ...[0, 10, 20, 30, 40, 50],
  ...Array.from({ length: 120 }, (_, minute) => (minute + 1) * 60),
  ...Array.from({ length: 10 }, (_, hour) => (hour + 2) * 3_600 + 60),
]

describe("a provider that is proven to answer", () => {
  it("costs no further round trip", async () => {
    const world = new CircuitWorld()
    await world.call("answered")
    world.calls.length = 0
    expect(await world.call("answered")).toBe("sent")
    expect(world.calls).toEqual(["reserve", "settle"])
  })

  it("is proven for a minute", async () => {
    const world = new CircuitWorld()
    await world.call("answered")
    world.nowMs += MINUTE
    world.calls.length = 0
    await world.call("answered")
    expect(world.calls.length).toBeGreaterThan(2)
  })

  it("may have many concurrent calls", async () => {
    const world = new CircuitWorld()
    await world.call("answered")
    const attempts = await Promise.all(Array.from({ length: 40 }, () => world.send()))
    await Promise.all(attempts.map((attempt) => world.end(attempt, "answered")))
    expect(await world.totals()).toMatchObject({ spentNanoUsd: 41_000, reservedNanoUsd: 0, inDoubtNanoUsd: 0 })
  })

  it("is not proven for another model or another provider", async () => {
    const world = new CircuitWorld()
    await world.call("answered")
    for (const other of [{ model: "other" }, { provider: "other" }]) {
      world.calls.length = 0
      await world.call("answered", 0, other)
      expect(world.calls.length).toBeGreaterThan(2)
    }
  })

  it("is proven to a new process by the answers to others", async () => {
    const world = new CircuitWorld({ processes: 2 })
    await world.call("answered", 1, { model: "other" })
    await world.call("answered", 0)
    world.calls.length = 0
    await world.call("answered", 1)
    expect(world.calls).toEqual(["reserve", "read", "settle"])
  })

  it("is not proven to a process whose own call failed", async () => {
    const world = new CircuitWorld({ processes: 2 })
    await world.call(503, 1)
    await world.call("answered", 0)
    world.calls.length = 0
    await world.call("answered", 1)
    expect(world.calls.filter((call) => call === "reserve")).toHaveLength(2)
  })

  it("is proven by a complete answer without usage", async () => {
    const world = new CircuitWorld()
    for (let call = 0; call < 20; call++) expect(await world.call("unmetered")).toBe("sent")
    expect(await world.totals()).toMatchObject({ inDoubtNanoUsd: 20 * BOUND })
  })
})

describe("an outage", () => {
  it("takes 4 % of a limit, then one call in each window, and then one an hour", async () => {
    const world = new CircuitWorld()
    const sent: number[] = []
    for (const second of HALF_DAY) {
      world.nowMs = NOON + second * 1_000
      if ((await world.call(503)) === "sent") sent.push(second)
    }
    const hours = [3, 4, 5, 6, 7, 8, 9, 10, 11].map((hour) => hour * 3_600 + 60)
    expect(sent).toEqual([0, 10, 60, 600, 3_600, 7_200, ...hours])
    expect(await world.totals()).toEqual({
      spentNanoUsd: 15 * BOUND,
      inDoubtNanoUsd: 15 * BOUND,
      reservedNanoUsd: 0,
    })
  })

  it("is probed longer with smaller calls, and takes a tenth of the day at most", async () => {
    const world = new CircuitWorld()
    const amount = { nanoUsd: BOUND / 10, tokens: 1 }
    const sentInHours: number[] = Array.from({ length: 12 }, () => 0)
    for (const second of HALF_DAY) {
      world.nowMs = NOON + second * 1_000
      for (let call = 0; call < 4; call++) {
        const reserve = await world.reserve(0, { amount })
        if (reserve.status !== "reserved") break
        sentInHours[Math.floor(second / 3_600)]!++
        await settleAttempt(reserve.attempt, { ...chargeOf(503), costNanoUsd: amount.nanoUsd, tokens: 1 } as Charge)
      }
    }
    // 20 at once, 10 at one per minute, 10 at one per ten minutes, then one per hour.
    expect(sentInHours).toEqual([34, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    expect((await world.totals()).spentNanoUsd).toBe(100_000_000)
  })

  it.each([
    ["$0.05 a day", { nanoUsd: 50_000_000 }, "day"],
    ["$0.05 a month", { nanoUsd: 50_000_000 }, "month"],
    ["$0.05 in all", { nanoUsd: 50_000_000 }, "total"],
  ] as const)("of one call does not lock a small user out: %s", async (_name, limit, per) => {
    const world = new CircuitWorld({ limits: [{ scope: "user", limit, per }] })
    const amount = { nanoUsd: 17_200_000, tokens: 1 }
    const fail = async () => {
      const attempt = await world.send(0, { amount })
      await settleAttempt(attempt, { ...chargeOf(503), costNanoUsd: amount.nanoUsd, tokens: 1 } as Charge)
    }
    await fail()
    const rejected = await world.reserve(0, { amount })
    expect(rejected).toMatchObject({ status: "rejected", error: { retryAfterMs: MINUTE } })
    world.nowMs += MINUTE
    expect(await world.call("answered", 0, { amount })).toBe("sent")
    expect(await world.call("answered", 0, { amount })).toBe("sent")
  })

  it("of large calls lets a small call through after a minute", async () => {
    const world = new CircuitWorld({ limits: [{ scope: "user", limit: { nanoUsd: 3 * BOUND }, per: "day" }] })
    await world.call(503)
    world.nowMs += MINUTE
    expect(await world.call("answered", 0, { amount: { nanoUsd: 1_000, tokens: 1 } })).toBe("sent")
  })

  it("that hit many calls in flight is probed after a minute, after ten minutes, and then every hour", async () => {
    const world = new CircuitWorld()
    await world.call("answered")
    const flying = await Promise.all(Array.from({ length: 20 }, () => world.send()))
    await Promise.all(flying.map((attempt) => world.end(attempt, 503)))
    const sent: number[] = []
    for (const second of HALF_DAY) {
      world.nowMs = NOON + second * 1_000
      if ((await world.call(503)) === "sent") sent.push(second)
    }
    expect(sent.slice(0, 5)).toEqual([60, 120, 600, 3_600, 7_200])
  })

  it.each([3, 10, 50, 500])(
    "never rejects for longer than an hour while a limit covers 2 more of its %i calls",
    async (calls) => {
      const world = new CircuitWorld()
      const amount = { nanoUsd: Math.floor(1_000_000_000 / calls), tokens: 1 }
      const midnight = NOON - 12 * HOUR
      let sent = 0
      for (let minute = 0; minute < 24 * 60; minute += minute < 60 ? 1 : 10) {
        world.nowMs = midnight + minute * MINUTE
        let reserve = await world.reserve(0, { amount })
        for (; reserve.status === "reserved"; reserve = await world.reserve(0, { amount })) {
          sent++
          await settleAttempt(reserve.attempt, { ...chargeOf(503), costNanoUsd: amount.nanoUsd, tokens: 1 } as Charge)
        }
        if (reserve.status === "rejected" && calls - sent >= 2)
          expect(reserve.error.retryAfterMs).toBeLessThanOrEqual(HOUR)
      }
      // A tenth of the limit or 5 calls, then one per hour, and never the last call.
      expect(sent).toBeLessThanOrEqual(Math.min(calls - 1, Math.max(5, calls / 10) + 23))
      expect(sent).toBe({ 3: 2, 10: 9, 50: 27, 500: 62 }[calls])
    },
  )

  it("forgets the failed probes of before a success", async () => {
    const world = new CircuitWorld({ limits: [{ scope: "user", limit: { nanoUsd: 6 * BOUND }, per: "day" }] })
    for (const minutes of [0, 1, 10]) {
      world.nowMs = NOON + minutes * MINUTE
      expect(await world.call(503)).toBe("sent")
    }
    world.nowMs = NOON + HOUR
    expect(await world.call("answered")).toBe("sent")
    expect(await world.call(503)).toBe("sent")
    world.nowMs += 2 * MINUTE
    expect(await world.call(503)).toBe("sent")
  })

  it("rejects with the numbers, sends nothing and charges nothing", async () => {
    const world = new CircuitWorld()
    await world.call(503)
    world.nowMs += 18_000
    await world.call(503)
    const outcome = await world.reserve()
    expect(outcome.status).toBe("rejected")
    const error = outcome.status === "rejected" ? outcome.error : undefined
    expect(error).toBeInstanceOf(CircuitOpenError)
    expect(error).toMatchObject({
      code: "circuit-open",
      kind: "failed",
      retryable: true,
      provider: "openai",
      model: "m",
      retryAfterMs: 42_000,
      inDoubtNanoUsd: 2 * BOUND,
      limitNanoUsd: 1_000_000_000,
      message:
        'Circuit open (openai, "m"): failed calls may have cost $0.04 of a limit of $1.00. Nothing was sent. Retry in 42 s. `serviceTier` or a smaller `maxOutputTokens` lowers what a call may cost; `charge` or `unbilledStatuses` states what failures cost.',
    })
    expect(await world.totals()).toMatchObject({ spentNanoUsd: 2 * BOUND, reservedNanoUsd: 0 })
    const { entries } = await world.budget.usage.list()
    const rows = entries.map(({ status, errorCode, inDoubt, costNanoUsd }) => [status, errorCode, inDoubt, costNanoUsd])
    expect(rows.sort()).toEqual([
      ["released", "circuit-open", undefined, 0],
      ["succeeded", undefined, true, BOUND],
      ["succeeded", undefined, true, BOUND],
    ])
  })

  it("releases no reservation of another call when it rejects one with the same key", async () => {
    const world = new CircuitWorld({ processes: 2, limits: [{ scope: "user", limit: 10, per: "day" }] })
    const inFlight = await world.budget.reserve({
      subject: { userId: "ada" },
      amount: { nanoUsd: BOUND, tokens: 1_500 },
      idempotencyKey: "k",
    })
    expect(inFlight.ok).toBe(true)
    while ((await world.call(503)) === "sent");
    expect((await world.reserve(1, { idempotencyKey: "k" })).status).toBe("rejected")
    expect((await world.totals()).reservedNanoUsd).toBe(BOUND)
    // A key that no other call uses is released.
    expect((await world.reserve(1, { idempotencyKey: "own", releaseUnanswered: true })).status).toBe("rejected")
    expect((await world.totals()).reservedNanoUsd).toBe(BOUND)
  })

  it("repeats a rejection for a few seconds without reading the store", async () => {
    const world = new CircuitWorld()
    await world.call(503)
    await world.call(503)
    await world.call(503)
    world.calls.length = 0
    world.nowMs += 4_000
    const outcome = await world.reserve()
    expect(outcome).toMatchObject({ status: "rejected", error: { retryAfterMs: 56_000 } })
    expect(world.calls).toEqual([])
    world.nowMs += 1_000
    expect(await world.call(503)).toBe("rejected")
    expect(world.calls).not.toEqual([])
    // The store decides about a cheaper call, and about the calls of another user.
    for (const other of [{ amount: { nanoUsd: 1, tokens: 1 } }, { subject: { userId: "bob" } }]) {
      world.calls.length = 0
      await world.reserve(0, other)
      expect(world.calls).not.toEqual([])
    }
  })

  it("is right about the time of the next try", async () => {
    const world = new CircuitWorld()
    for (let round = 0; round < 3; round++) {
      while ((await world.call(503)) === "sent");
      world.nowMs += 6_000
      const outcome = await world.reserve()
      if (outcome.status !== "rejected") throw new Error("The circuit is closed.")
      world.nowMs += outcome.error.retryAfterMs - 1
      expect(await world.call(503)).toBe("rejected")
      world.nowMs += 6_000
      expect(await world.call(503)).toBe("sent")
    }
  })

  it("ends with the first success, for all processes", async () => {
    const world = new CircuitWorld({ processes: 3 })
    for (const process of [0, 1]) await world.call(503, process)
    for (const process of [0, 1, 2]) expect(await world.call(503, process)).toBe("rejected")
    world.nowMs += MINUTE
    expect(await world.call("answered", 0)).toBe("sent")
    for (const process of [0, 1, 2]) {
      expect(await world.call(503, process)).toBe("sent")
      expect(await world.call("answered", process)).toBe("sent")
    }
  })

  it("is cleared once by several successes", async () => {
    const world = new CircuitWorld({ processes: 2, limits: [{ scope: "user", limit: 10, per: "day" }] })
    for (let call = 0; call < 5; call++) await world.call(503, 0)
    const probes = [await world.send(0), await world.send(1)]
    await Promise.all(probes.map((probe) => world.end(probe, "answered")))
    world.nowMs += 10 * MINUTE
    let sent = 0
    while ((await world.call(503, 0)) === "sent") sent++
    expect(sent).toBe(20)
  })

  it("leaves the success as proof for new processes", async () => {
    const world = new CircuitWorld({ processes: 2 })
    await world.call("answered", 1, { model: "other" })
    await world.call(503, 0)
    await world.call("answered", 0)
    world.calls.length = 0
    await world.call("answered", 1)
    expect(world.calls).toEqual(["reserve", "read", "settle"])
  })

  it("counts a deadline, and neither a caller's abort nor what is not billed or not sent", async () => {
    for (const outcome of ["aborted", 429, "not-sent"] as const) {
      const world = new CircuitWorld()
      for (let call = 0; call < 10; call++) expect(await world.call(outcome)).toBe("sent")
    }
    const world = new CircuitWorld()
    expect([await world.call("timed-out"), await world.call("timed-out"), await world.call("timed-out")]).toEqual([
      "sent",
      "sent",
      "rejected",
    ])
  })

  it("is not over because a call that was sent before it is answered", async () => {
    const world = new CircuitWorld()
    await world.call("answered")
    const early = await Promise.all(Array.from({ length: 20 }, () => world.send()))
    for (let call = 0; call < 2; call++) await world.call(503)
    for (const attempt of early) {
      await world.end(attempt, "answered")
      expect(await world.call(503)).toBe("rejected")
    }
    expect((await world.totals()).inDoubtNanoUsd).toBe(2 * BOUND)
  })

  it("is not over because of a success of a call that was sent before the last failure", async () => {
    const world = new CircuitWorld({ processes: 2, limits: [{ scope: "user", limit: 10, per: "day" }] })
    const failUntilRejected = async () => {
      let sent = 0
      while ((await world.call(503, 0)) === "sent") sent++
      return sent
    }
    await world.call(503, 0)
    const probe = await world.send(1)
    await world.call(503, 0)
    await world.end(probe, "answered")
    // 4 % of $10 are 20 calls, and one of them is still in doubt.
    expect(await failUntilRejected()).toBe(19)
    world.nowMs += MINUTE
    expect(await world.call("answered", 0)).toBe("sent")
    expect(await failUntilRejected()).toBe(20)
  })

  it("of a proven provider takes what was in flight, and no more", async () => {
    const world = new CircuitWorld({ processes: 4 })
    for (const process of [0, 1, 2, 3]) await world.call("answered", process)
    const flying = await Promise.all([0, 1, 2, 3, 0, 1, 2, 3].map((process) => world.send(process)))
    await Promise.all(flying.map((attempt) => world.end(attempt, 503)))
    for (const process of [0, 1, 2, 3]) expect(await world.call(503, process)).toBe("rejected")
    expect((await world.totals()).inDoubtNanoUsd).toBe(8 * BOUND)
  })
})

describe("the first calls of all processes", () => {
  it("charge at most a tenth of the day to a server that always fails", async () => {
    const world = new CircuitWorld({ processes: 8 })
    const outcomes = await Promise.all(Array.from({ length: 100 }, (_, index) => world.call(503, index % 8)))
    expect(outcomes.filter((outcome) => outcome === "sent")).toHaveLength(2)
    const { spentNanoUsd, inDoubtNanoUsd, reservedNanoUsd } = await world.totals()
    expect([spentNanoUsd, inDoubtNanoUsd, reservedNanoUsd]).toEqual([2 * BOUND, 2 * BOUND, 0])
  })

  it("wait for each other, and none is rejected, if the server answers", async () => {
    const world = new CircuitWorld({ processes: 8 })
    const outcomes = await Promise.all(Array.from({ length: 48 }, (_, index) => world.call("answered", index % 8)))
    expect(new Set(outcomes)).toEqual(new Set(["sent"]))
  })

  it("are not rejected while a fifth of many overlapping calls fail", async () => {
    const world = new CircuitWorld({ processes: 2, limits: [{ scope: "user", limit: 10, per: "day" }] })
    let calls = 0
    const callInTurn = async (process: number) => {
      for (let turn = 0; turn < 15; turn++) {
        const attempt = await world.send(process)
        await new Promise((resolve) => setTimeout(resolve, 1 + (calls % 7)))
        await world.end(attempt, calls++ % 5 === 0 ? 503 : "answered")
      }
    }
    await Promise.all(Array.from({ length: 20 }, (_, index) => callInTurn(index % 2)))
    expect((await world.totals()).inDoubtNanoUsd).toBe(60 * BOUND)
  })

  it("wait for the end of a call in this process, and are sent when it proves the provider", async () => {
    const world = new CircuitWorld()
    const first = [await world.send(), await world.send()]
    const third = world.send()
    expect(await Promise.race([third, new Promise((resolve) => setTimeout(resolve, 200, "waiting"))])).toBe("waiting")
    await world.end(first[0]!, "answered")
    await world.end(await third, "answered")
    await world.end(first[1]!, "answered")
    expect((await world.totals()).reservedNanoUsd).toBe(0)
  })

  it("stop waiting when the signal fires, and reserve nothing", async () => {
    const world = new CircuitWorld()
    const first = [await world.send(), await world.send()]
    const controller = new AbortController()
    const waiting = world.reserve(0, { signal: controller.signal })
    setTimeout(() => controller.abort(), 100)
    await expect(waiting).rejects.toSatisfy(AbortedError.isInstance)
    expect((await world.totals()).reservedNanoUsd).toBe(2 * BOUND)
    for (const attempt of first) await world.end(attempt, "answered")
  })

  it("are rejected when the wait is over", async () => {
    const world = new CircuitWorld()
    let waitedMs = 0
    world.processes[0] = new Circuits(world.store, () => waitedMs)
    const first = [await world.send(), await world.send()]
    const third = world.reserve()
    await new Promise((resolve) => setTimeout(resolve, 20))
    waitedMs += 300_000
    expect(await third).toMatchObject({ status: "rejected", error: { retryAfterMs: 1_000 } })
    for (const attempt of first) await world.end(attempt, "answered")
  })
})

describe("the limits", () => {
  it("are all guarded: many users cannot empty the total", async () => {
    const limits = [
      { scope: "user", limit: 1, per: "day" },
      { scope: "total", limit: 10, per: "month" },
    ] as const
    const world = new CircuitWorld({ limits })
    let sent = 0
    for (let user = 0; user < 100; user++)
      while ((await world.call(503, 0, { subject: { userId: `${user}` } })) === "sent") sent++
    // 4 % of $10.
    expect(sent).toBe(20)
  })

  it("that are endless close their circuit again", async () => {
    const world = new CircuitWorld({ limits: [{ scope: "total", limit: 1 }] })
    for (let day = 0; day < 40; day++) {
      for (let call = 0; call < 10; call++) await world.call(503)
      world.nowMs += 24 * HOUR
    }
    const { spentNanoUsd } = await world.totals().then(async () => {
      const [status] = await world.budget.status()
      return { spentNanoUsd: status!.spentNanoUsd! }
    })
    // 5 calls on the first day, then one per day; the last call that the limit allows is never made.
    expect(spentNanoUsd).toBeGreaterThan(500_000_000)
    expect(spentNanoUsd).toBeLessThanOrEqual(1_000_000_000 - BOUND)
    expect(await world.call("answered")).toBe("sent")
  })

  it("of an hour are probed every ten minutes at least", async () => {
    const world = new CircuitWorld({ limits: [{ scope: "user", limit: 1, per: "hour" }] })
    const sent: number[] = []
    for (let second = 0; second < 3_600; second += 20) {
      world.nowMs = NOON + second * 1_000
      if ((await world.call(503)) === "sent") sent.push(second)
    }
    expect(sent).toEqual([0, 20, 60, 600, 1_200, 1_800, 2_400, 3_000])
  })

  it("of one child budget are guarded, and its sibling is not affected", async () => {
    const world = new CircuitWorld({ limits: [] })
    const [first, second] = [world.budget.child({ limit: 1 }), world.budget.child({ limit: 1 })]
    expect(await world.call(503, 0, { budget: first })).toBe("sent")
    expect(await world.call(503, 0, { budget: first })).toBe("sent")
    expect(await world.call(503, 0, { budget: first })).toBe("rejected")
    expect(await world.call(503, 0, { budget: second })).toBe("sent")
  })

  it.each([
    ["no limit", []],
    ["a limit in tokens", [{ scope: "user", limit: { tokens: 1_000_000 } }]],
    ["a limit that only counts", [{ scope: "user", limit: null }]],
    ["the limit of one request", [{ scope: "request", limit: 1 }]],
  ] as const)("need no circuit breaker: %s", async (_name, limits) => {
    const world = new CircuitWorld({ limits })
    for (let call = 0; call < 10; call++)
      expect(await world.call(503, 0, { subject: { userId: "ada", requestId: "r" } })).toBe("sent")
    expect(world.calls).toEqual(Array.from({ length: 10 }, () => ["reserve", "settle"]).flat())
  })

  it("do not guard a call that costs nothing", async () => {
    const world = new CircuitWorld()
    const reserve = await world.reserve(0, { amount: { nanoUsd: 0 } })
    expect(reserve.status).toBe("reserved")
    expect(world.calls).toEqual(["reserve"])
  })

  it("that are small allow a second try, and keep their last call after that", async () => {
    for (const [calls, sent] of [
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 3],
      [6, 5],
      [10, 9],
      [20, 15],
    ] as const) {
      const limits = [{ scope: "user", limit: { nanoUsd: calls * BOUND }, per: "day" }] as const
      const world = new CircuitWorld({ limits })
      for (const second of HALF_DAY) {
        world.nowMs = NOON + second * 1_000
        await world.call(503)
      }
      expect([calls, (await world.totals()).spentNanoUsd / BOUND]).toEqual([calls, sent])
    }
  })

  it("may have unusual scopes, values and windows", async () => {
    const limits = [
      { scope: { tag: '["tag"]' }, limit: 1, per: "90m" },
      { scope: "client", limit: 1, per: "week", timeZone: "Europe/Paris" },
      { scope: "model", limit: 1, per: "30s" },
      { scope: "user", limit: 1, per: "3d" },
    ] as const
    const world = new CircuitWorld({ limits })
    const subject = {
      userId: "[]".repeat(1_000),
      clientId: "c|=:\u0000",
      model: "m",
      tags: { '["tag"]': "v", partition: "p" },
    }
    for (let call = 0; call < 4; call++) await world.call(503, 0, { subject })
    expect(await world.call(503, 0, { subject })).toBe("rejected")
    expect(await world.call(503, 0, { subject: { ...subject, userId: "b", clientId: "b" } })).toBe("rejected")
  })
})

describe("the message of an open circuit", () => {
  it.each([
    [1, "1 s"],
    [60_000, "60 s"],
    [120_000, "2 minutes"],
    [3_599_999, "60 minutes"],
    [48_132_951, "14 hours"],
  ])("states %i ms as %s", (retryAfterMs, wait) => {
    const error = new CircuitOpenError({ provider: "p", model: "m", retryAfterMs, inDoubtNanoUsd: 1, limitNanoUsd: 2 })
    expect(error.message).toContain(`Retry in ${wait}. `)
  })
})

describe("the store of the circuit breaker", () => {
  it("fails closed, and nothing stays reserved", async () => {
    const store = memoryStore()
    const failing = new Proxy(store, {
      get: (target, name, receiver) => {
        const member: unknown = Reflect.get(target, name, receiver)
        if (typeof member !== "function") return member
        return (request: { partition: string } | undefined) =>
          request?.partition?.startsWith("circuits.")
            ? Promise.reject(new StoreError("Down.", { code: "store-unavailable", applied: "no" }))
            : member.call(target, request)
      },
    })
    const budget = createBudget({ store: failing, limits: [{ scope: "total", limit: 1 }], onWarning: () => {} })
    const request = { budget, provider: "openai", model: "m", amount: { nanoUsd: BOUND } }
    await expect(reserveAttempt(request)).rejects.toSatisfy(StoreError.isInstance)
    expect((await budget.status())[0]).toMatchObject({ reserved: 0, spent: 0 })
  })

  it("keeps its counters out of the user's ledger", async () => {
    const world = new CircuitWorld()
    for (const outcome of [503, "answered", "answered"] as const) await world.call(outcome)
    const [totals] = await world.budget.usage.totals()
    expect(totals).toMatchObject({ attempts: 3, costNanoUsd: BOUND + 2_000, inDoubt: 1 })
  })
})

describe("a request budget of one upper bound", () => {
  it("pays for a 200 after a 529 that is not billed", async () => {
    const budget = createBudget({
      store: memoryStore(),
      limits: [{ scope: "request", limit: { nanoUsd: RESERVED.nanoUsd } }],
    })
    const request = { budget, provider: "anthropic", model: "claude", amount: { nanoUsd: RESERVED.nanoUsd } }
    const overloaded = evidence({ provider: "anthropic", httpStatus: 529, reading: errorReading("overloaded_error") })
    const attempt = async (unbilledStatuses: number[], requestId: string) => {
      const outcome = await reserveAttempt({ ...request, subject: { requestId } })
      if (outcome.status !== "reserved") return outcome
      await settleAttempt(outcome.attempt, decideCharge(overloaded, RESERVED, { unbilledStatuses }))
      return outcome
    }
    await attempt([529], "r1")
    expect(await attempt([529], "r1")).toMatchObject({ status: "reserved" })
    await attempt([], "r2")
    const denied = await attempt([], "r2")
    expect(denied.status === "denied" && BudgetExceededError.isInstance(denied.error)).toBe(true)
  })
})
