import { inspect } from "node:util"
import { expect, test } from "vitest"
import { checkWorld } from "../fuzz/check-world"
import { drawWorld } from "../fuzz/draw-world"
import { codeOf, playWorld } from "../fuzz/play-world"

const WORLDS = 30

test(`${WORLDS} worlds of random requests, faults, aborts and troubled stores keep every promise`, async () => {
  const failed: string[] = []
  const codes = new Set<string>()
  for (let seed = 1; seed <= WORLDS; seed++) {
    const world = drawWorld(seed)
    const played = await playWorld(world)
    for (const outcome of played.outcomes) codes.add(codeOf(outcome))
    for (const what of await checkWorld(played))
      failed.push(`pnpm fuzz --seed ${seed}: ${what}\n${inspect(world, { depth: 9 })}`)
  }
  expect(failed).toEqual([])
  // Worlds in which nothing happens would keep every promise too.
  expect(codes.size).toBeGreaterThan(10)
})

test("a seed draws the same world every time", () => {
  expect(drawWorld(7)).toEqual(drawWorld(7))
  expect(drawWorld(7)).not.toEqual(drawWorld(8))
})

test("what a receipt, the provider or the log says otherwise is found", async () => {
  const played = await playWorld(drawWorld(1))
  expect(await checkWorld(played)).toEqual([])
  const line = played.provider.ledger.calls.find(({ nanoUsd }) => nanoUsd > 0)!
  line.nanoUsd += 1
  expect(await checkWorld(played)).toContainEqual(expect.stringContaining("billed"))
  line.nanoUsd -= 1
  line.clientRequestId = "unknown"
  expect(await checkWorld(played)).toContainEqual(expect.stringContaining("which no receipt has"))
  played.logged.push("PromptSecret")
  expect(await checkWorld(played)).toContainEqual(expect.stringContaining("logged"))
})
