import { parseArgs } from "node:util"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { Draw } from "../fuzz/draw"
import { CallPlayer, type PlayedCall, varyCall } from "./call-player"
import { AGENT_RUN, RECORDED } from "./recorded-bodies"
import { STATED_RISK, simulateCalibration } from "./simulate-calibration"
import { ANTHROPIC, FORMATS, type RecordedFormat } from "./wire-formats"

const MODES = ["hard", "provider", "calibrated"] as const

/** Variants of each recorded call from which the calibration learns: they fall into two or three classes. */
const VARIANTS = 500
const LIMIT = "1.00"

const { values } = parseArgs({
  options: {
    simulate: { type: "boolean", default: false },
    calls: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    variants: { type: "string", default: String(VARIANTS) },
  },
})

if (values.simulate) await simulate()
else await compare()

async function simulate(): Promise<void> {
  const { calls, calibrated, exceeded, largestExcess, ratio, hardRatio, hardExceeded } = await simulateCalibration({
    calls: Number(values.calls),
    seed: values.seed,
  })
  console.log(`seed ${values.seed}: ${calls} calls, ${calibrated} with a calibrated bound`)
  console.log(
    `above the calibrated bound: ${exceeded} of ${calibrated} (${((100 * exceeded) / calibrated).toFixed(3)} %; stated: ${100 * STATED_RISK} %)`,
  )
  console.log(
    `the largest was ${((largestExcess - 1) * 100).toFixed(1)} % above; above the hard bound: ${hardExceeded} of ${calls}`,
  )
  console.log(`bound / bill of these calls: ${ratio.toFixed(2)} calibrated, ${hardRatio.toFixed(2)} hard`)
  if (exceeded > STATED_RISK * calibrated || hardExceeded > 0) process.exitCode = 1
}

/**
 * Prints, for each wire format and recorded call, input bound / input bill and how many concurrent calls one dollar
 * covers.
 */
async function compare(): Promise<void> {
  await using server = await startLocalProvider()
  for (const format of FORMATS) {
    const players = MODES.map((mode) => new CallPlayer(server, format, mode))
    console.log(`\n### ${format.name}\n`)
    console.log(`| call | input billed | ${MODES.join(" | ")} | at once: ${MODES.join(" | ")} |`)
    console.log(`| --- | --- | ${MODES.map(() => "--- | ---").join(" | ")} |`)
    for (const recorded of RECORDED) {
      await learn(players.at(-1)!, recorded)
      const played: PlayedCall[] = []
      const atOnce: number[] = []
      for (const player of players) {
        played.push(await player.play(recorded))
        atOnce.push(await player.openAtOnce(recorded, LIMIT))
      }
      const ratios = played.map(({ inputBound, billedInput }) => (inputBound / billedInput).toFixed(2))
      console.log(`| ${recorded.name} | ${played[0]!.billedInput} | ${ratios.join(" | ")} | ${atOnce.join(" | ")} |`)
    }
    await printAgentRun(new CallPlayer(server, format, "provider"))
  }
  await printWebSearches(server)
}

/** Each pass of such a call has its own output limit. */
const SEARCH_PASSES = 10

/** A call that may search five times: most search once or twice, some never or five times. */
async function printWebSearches(server: LocalProvider): Promise<void> {
  const tools = [{ type: "web_search_20250305", name: "web_search", max_uses: 5 }]
  const format: RecordedFormat = {
    ...ANTHROPIC,
    call: (...args) => {
      const call = ANTHROPIC.call(...args)
      return { ...call, body: { ...call.body, tools } }
    },
  }
  const recorded = RECORDED.find(({ name }) => name === "chat, one question")!
  const draw = new Draw(values.seed)
  const searches = () => draw.pick([0, 1, 1, 1, 2, 2, 3, 5])
  const hard = await new CallPlayer(server, format, "hard").play(recorded)
  const player = new CallPlayer(server, format, "calibrated")
  const billed: number[] = []
  for (let index = 0; index < Number(values.variants); index++) {
    server.faults.next({ searches: searches() })
    billed.push((await player.play(varyCall(recorded, draw))).billedInput)
  }
  server.faults.next({ searches: 1 })
  const { inputBound } = await player.play(recorded)
  const output = (SEARCH_PASSES - 1) * format.maxOutputTokens
  console.log(
    `\nA web search with \`max_uses: 5\` at Anthropic: ${Math.min(...billed)} to ${Math.max(...billed)} input tokens billed; reserved ${hard.inputBound - output} hard, ${inputBound - output} calibrated.`,
  )
}

async function learn(player: CallPlayer, recorded: Parameters<typeof varyCall>[0]): Promise<void> {
  const draw = new Draw(`${values.seed} ${recorded.name}`)
  for (let index = 0; index < Number(values.variants); index++) await player.play(varyCall(recorded, draw))
}

async function printAgentRun(player: CallPlayer): Promise<void> {
  const ratios: string[] = []
  for (const step of AGENT_RUN) {
    const { inputBound, billedInput } = await player.play(step)
    ratios.push((inputBound / billedInput).toFixed(2))
  }
  console.log(
    `\nThe ${AGENT_RUN.length} steps of the agent with \`provider\`: ${ratios.join(", ")}; requests for counts: ${player.counts}.`,
  )
}
