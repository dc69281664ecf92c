import { createPriceTable } from "@p2/pricing"
import { describe, expect, it } from "vitest"
import { Draw } from "../../fuzz/draw"
import { kindOf } from "../../src/input-bound/calibrated/kind-of-call"
import { MIN_REPORTS, RatioClasses } from "../../src/input-bound/calibrated/ratio-classes"
import { describeCall, type ProviderCall } from "../../src/protocols"
import { balance, guardOver, json } from "../fetch/guarded-server"

const RISK = 1 / 200
const prices = createPriceTable({}, { extends: "published" })

describe("a class of calls", () => {
  it("has no bound below 200 reports, then the largest ratio, 10 % and 16 tokens", () => {
    const classes = new RatioClasses()
    for (let report = 1; report < MIN_REPORTS; report++) classes.add("k", report === 5 ? 1.2 : 0.9)
    expect(classes.bound("k", 1_000)).toBeUndefined()
    classes.add("k", 0.9)
    expect(classes.bound("k", 1_000)).toBe(Math.ceil(1_000 * 1.2 * 1.1) + 16)
    expect(classes.bound("other", 1_000)).toBeUndefined()
  })

  it("forgets the largest ratio after 500 others", () => {
    const classes = new RatioClasses()
    classes.add("k", 2)
    for (let report = 0; report < 499; report++) classes.add("k", 1)
    expect(classes.bound("k", 1_000)).toBe(2_216)
    classes.add("k", 1)
    expect(classes.bound("k", 1_000)).toBe(1_116)
  })

  it("starts over after a ratio above the margin, which shows that something has changed", () => {
    const classes = new RatioClasses()
    for (let report = 0; report < MIN_REPORTS; report++) classes.add("k", 1)
    classes.add("k", 1.09)
    expect(classes.bound("k", 1_000)).toBeDefined()
    classes.add("k", 1.21)
    expect(classes.bound("k", 1_000)).toBeUndefined()
    for (let report = 1; report < MIN_REPORTS; report++) classes.add("k", 1.2)
    expect(classes.bound("k", 1_000)).toBe(Math.ceil(1_000 * 1.21 * 1.1) + 16)
  })

  it.each([0, -1, Number.NaN])("ignores a ratio of %s", (ratio) => {
    const classes = new RatioClasses()
    for (let report = 1; report < MIN_REPORTS; report++) classes.add("k", 1)
    classes.add("k", ratio)
    expect(classes.bound("k", 1_000)).toBeUndefined()
  })

  it.each<[string, (draw: Draw) => number]>([
    ["uniform", (draw) => 0.5 + draw.next()],
    ["rarely ten times as large", (draw) => (draw.chance(0.003) ? 10 : 1)],
    ["without a mean", (draw) => 1 / (1 - draw.next())],
  ])("exceeds its bound in fewer than one call of 200, if ratios come in random order: %s", (name, ratioOf) => {
    const draw = new Draw(name)
    const classes = new RatioClasses()
    let bounded = 0
    let exceeded = 0
    for (let call = 0; call < 40_000; call++) {
      const ratio = ratioOf(draw)
      const bound = classes.bound("k", 1e6)
      if (bound !== undefined) bounded += 1
      if (bound !== undefined && 1e6 * ratio > bound) exceeded += 1
      classes.add("k", ratio)
    }
    expect(bounded).toBeGreaterThan(10_000)
    expect(exceeded / bounded).toBeLessThan(RISK)
  })
})

describe("the class of a call", () => {
  const kind = (body: object) => {
    const url = new URL("https://api.anthropic.com/v1/messages")
    const value = { model: "claude-sonnet-4-5", max_tokens: 100, messages: [], ...body }
    const call: ProviderCall = { method: "POST", url, headers: new Headers(), body: { kind: "json", value } }
    const described = describeCall(call, { prices: prices, deployments: {} })
    if (described.status !== "priced") throw new Error(described.status)
    return kindOf(call, described)
  }
  const user = (content: unknown) => ({ messages: [{ role: "user", content }] })
  const english = "Explain in a few sentences why the sky is blue and the sea is not. ".repeat(10)

  it("is the same for calls that differ in their words", () => {
    expect(kind(user(english))).toBe(kind(user(english.replaceAll("blue", "green"))))
  })

  it.each<[string, object]>([
    ["tools", { ...user(english), tools: [{ name: "f", input_schema: { type: "object" } }] }],
    ["a schema of the answer", { ...user(english), output_config: { format: { type: "json_schema", schema: {} } } }],
    [
      "an image",
      user([
        { type: "text", text: english },
        { type: "image", source: { type: "url", url: "https://example.com/x" } },
      ]),
    ],
    ["another model", { ...user(english), model: "claude-opus-4-5" }],
    ["a prompt ten times as long", user(english.repeat(10))],
    ["another script", user("请用几句话解释一下为什么天空是蓝色的而海水不是。".repeat(20))],
    ["text as dense as hashes", user("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".repeat(10))],
    [
      "tools that the provider runs",
      { ...user(english), tools: [{ type: "web_search_20250305", name: "web_search", max_uses: 1 }] },
    ],
  ])("is a different one with %s", (_name, body) => {
    expect(kind(body)).not.toBe(kind(user(english)))
  })
})

describe("guardFetch with calibrated bounds", () => {
  const message = (inputTokens: number) => ({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-sonnet-4-5",
    content: [{ type: "text", text: "Hi" }],
    stop_reason: "end_turn",
    usage: { input_tokens: inputTokens, output_tokens: 2, service_tier: "standard" },
  })
  const call = {
    model: "claude-sonnet-4-5",
    max_tokens: 100,
    messages: [{ role: "user", content: "What is the capital of France? ".repeat(100) }],
  }
  const openGuard = (billed: () => number, url = "https://api.anthropic.com/v1/messages") => {
    const guard = guardOver(() => json(message(billed())), { inputBound: "calibrated", limit: "1000" })
    const send = async (body: object = call) => {
      await guard.fetch(url, { method: "POST", body: JSON.stringify(body) })
      return guard.attempts.at(-1)!
    }
    return { ...guard, send }
  }

  it("reserves what 200 reports suggest, and charges a call that exceeds it in full", async () => {
    let billed = 800
    const { send, budget } = openGuard(() => billed)
    const hard = (await send()).reservedNanoUsd
    for (let report = 1; report < MIN_REPORTS; report++) await send()
    const { reservedNanoUsd } = await send()
    expect(reservedNanoUsd).toBe((Math.ceil(800 * 1.1) + 16) * 3_000 + 100 * 15_000)
    expect(reservedNanoUsd).toBeLessThan(hard / 2)
    const { spent } = await balance(budget)
    billed = 3_000
    expect(await send()).toMatchObject({ reservedNanoUsd, costNanoUsd: 3_000 * 3_000 + 2 * 15_000 })
    expect(await balance(budget)).toEqual({ spent: spent + 3_000 * 3_000 + 2 * 15_000, reserved: 0 })
    expect((await send()).reservedNanoUsd).toBe(hard)
  })

  it.each<[string, () => Response]>([
    ["fail", () => json(message(10), { status: 500 })],
    ["report no usage", () => json({ ...message(10), usage: undefined })],
  ])("learns nothing from calls that %s", async (_name, answer) => {
    const guard = guardOver(answer, { inputBound: "calibrated", limit: "1000" })
    const bounds = new Set<number>()
    for (let report = 0; report < MIN_REPORTS + 2; report++) {
      await guard.fetch("https://api.anthropic.com/v1/messages", { method: "POST", body: JSON.stringify(call) })
      bounds.add(guard.attempts.at(-1)!.reservedNanoUsd)
    }
    expect(bounds.size).toBe(1)
    expect(guard.attempts).toHaveLength(MIN_REPORTS + 2)
  })

  it("bounds web searches far below ten context windows", async () => {
    const draw = new Draw("searches")
    const { send } = openGuard(() => draw.between(1, 5) * 12_000)
    const body = { ...call, tools: [{ type: "web_search_20250305", name: "web_search", max_uses: 5 }] }
    const hard = await send(body)
    for (let report = 1; report < MIN_REPORTS; report++) await send(body)
    const { reservedNanoUsd } = await send(body)
    expect(hard.reservedNanoUsd).toBeGreaterThan(2_000_000 * 3_000)
    expect(reservedNanoUsd).toBeLessThan(hard.reservedNanoUsd / 20)
  })

  it("keeps the hard bound for turns that the provider stores, which grow from call to call", async () => {
    const guard = guardOver(
      () =>
        json({
          id: "resp_1",
          object: "response",
          status: "completed",
          model: "gpt-5",
          output: [],
          usage: { input_tokens: 9, output_tokens: 2, total_tokens: 11 },
        }),
      { inputBound: "calibrated", limit: "1000", serviceTier: "default" },
    )
    const body = { model: "gpt-5", input: "Go on.", previous_response_id: "resp_0", max_output_tokens: 100 }
    const bounds = new Set<number>()
    for (let report = 0; report < MIN_REPORTS + 2; report++) {
      await guard.fetch("https://api.openai.com/v1/responses", { method: "POST", body: JSON.stringify(body) })
      bounds.add(guard.attempts.at(-1)!.reservedNanoUsd)
    }
    expect(bounds.size).toBe(1)
    expect(guard.attempts.every(({ status }) => status === "succeeded")).toBe(true)
  })
})
