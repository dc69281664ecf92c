import { describe, expect, it } from "vitest"
import { Draw } from "../../fuzz/draw"
import { CallPlayer, varyCall } from "../../input-bound/call-player"
import { AGENT_RUN, RECORDED } from "../../input-bound/recorded-bodies"
import { ANTHROPIC, FORMATS } from "../../input-bound/wire-formats"
import { MIN_REPORTS } from "../../src/input-bound/calibrated/ratio-classes"
import { withMargin } from "../../src/input-bound/provider/provider-bounds"
import { localServer } from "../local-server"

const server = await localServer()

describe.each(FORMATS)("$name", (format) => {
  it.each(RECORDED)("bounds the bill: $name", async (recorded) => {
    const hard = await new CallPlayer(server, format, "hard").play(recorded)
    expect(hard.inputBound).toBeGreaterThanOrEqual(hard.billedInput)
    expect(hard.reservedNanoUsd).toBeGreaterThanOrEqual(hard.billedNanoUsd)

    const player = new CallPlayer(server, format, "provider")
    const { inputBound, billedInput, reservedNanoUsd, billedNanoUsd } = await player.play(recorded)
    expect(inputBound).toBeGreaterThanOrEqual(billedInput)
    expect(inputBound).toBe(player.counts === 0 ? hard.inputBound : Math.min(hard.inputBound, withMargin(billedInput)))
    expect(reservedNanoUsd).toBeGreaterThanOrEqual(billedNanoUsd)
  })

  it("bounds the bill although the provider counts 4 % less than it bills", async () => {
    const fewer = async (input: Parameters<typeof fetch>[0], init?: RequestInit) => {
      const response = await fetch(input, init)
      if (!format.countPath.test(new URL(String(input)).pathname)) return response
      const counted = (await response.json()) as Record<string, number>
      return Response.json(
        Object.fromEntries(Object.entries(counted).map(([name, count]) => [name, Math.floor(count * 0.96)])),
      )
    }
    for (const recorded of RECORDED) {
      const { inputBound, billedInput } = await new CallPlayer(server, format, "provider", fewer).play(recorded)
      expect(inputBound).toBeGreaterThanOrEqual(billedInput)
    }
  })

  it("bounds each step of an agent, and counts no more than the steps with long results", async () => {
    const player = new CallPlayer(server, format, "provider")
    for (const step of AGENT_RUN) {
      const { inputBound, billedInput } = await player.play(step)
      expect(inputBound).toBeGreaterThanOrEqual(billedInput)
      expect(inputBound).toBeLessThan(1.5 * billedInput)
    }
    expect(player.counts).toBeLessThan(AGENT_RUN.length - 1)
  })
})

describe("calibrated bounds", () => {
  const recorded = RECORDED.find(({ name }) => name === "chat, one question")!

  it("are hard until a class has 200 reports, then close to the bill", async () => {
    const draw = new Draw("calibrated")
    const player = new CallPlayer(server, ANTHROPIC, "calibrated")
    const hard = await new CallPlayer(server, ANTHROPIC, "hard").play(recorded)
    for (let reports = 0; reports < MIN_REPORTS; reports++) {
      const { inputBound, billedInput } = await player.play(varyCall(recorded, draw))
      expect(inputBound).toBeGreaterThanOrEqual(3 * billedInput)
    }
    // Variants fall into a few classes.
    for (let reports = 0; reports < 2 * MIN_REPORTS; reports++) await player.play(varyCall(recorded, draw))
    const { inputBound, billedInput } = await player.play(recorded)
    expect(inputBound).toBeGreaterThanOrEqual(billedInput)
    expect(inputBound).toBeLessThan(1.3 * billedInput)
    expect(inputBound).toBeLessThan(hard.inputBound / 2)
  })

  it("say nothing about a call of another kind", async () => {
    const player = new CallPlayer(server, ANTHROPIC, "calibrated")
    for (let reports = 0; reports < MIN_REPORTS; reports++) await player.play(recorded)
    const others = RECORDED.filter(({ name }) => name === "Chinese" || name.startsWith("agent"))
    for (const other of others) {
      const hard = await new CallPlayer(server, ANTHROPIC, "hard").play(other)
      expect((await player.play(other)).inputBound).toBe(hard.inputBound)
    }
  })
})

it("lets more calls run concurrently on one budget", async () => {
  const [agent] = AGENT_RUN
  const hardPlayer = new CallPlayer(server, ANTHROPIC, "hard")
  await hardPlayer.play(agent!)
  const hard = await hardPlayer.openAtOnce(agent!, "1.00")
  const player = new CallPlayer(server, ANTHROPIC, "provider")
  const { reservedNanoUsd } = await player.play(agent!)
  const atOnce = await player.openAtOnce(agent!, "1.00")
  expect(atOnce).toBe(Math.floor(1e9 / reservedNanoUsd))
  expect(atOnce).toBeGreaterThan(2 * hard)
})
