import { epochMs } from "./billing-provider"
import type { Surroundings } from "./candidate"
import { CANDIDATES } from "./candidates"
import type { Call } from "./workload"

export type Outcome = "answered" | "denied" | "failed"

export type ToWorker = { type: "play"; calls: readonly Call[] } | { type: "count" }

export type FromWorker =
  | { type: "ended"; callId: number; outcome: Outcome; at: number }
  | { type: "played" }
  | { type: "counted"; tokens: number }

/** One process of a candidate: plays the calls that it is sent, and ends when it is disconnected. */
export async function work(name: string, surroundings: Surroundings): Promise<void> {
  const definition = CANDIDATES.find((candidate) => candidate.name === name)
  if (definition === undefined) throw new Error("There is no candidate with this name.")
  const candidate = await definition.create(surroundings)
  const send = (message: FromWorker) => process.connected && process.send!(message)

  const play = async (calls: readonly Call[]) => {
    let next = 0
    const playLane = async (lane: number) => {
      for (let call = calls[next++]; call !== undefined; call = calls[next++]) {
        await new Promise((resolve) => setTimeout(resolve, call!.pauseMs))
        const outcome = await candidate.ask(call, lane).catch((): Outcome => "failed")
        send({ type: "ended", callId: call.id, outcome, at: epochMs() })
      }
    }
    await Promise.all(Array.from({ length: surroundings.lanes }, (_, lane) => playLane(lane)))
    send({ type: "played" })
  }

  process.on("message", async (message: ToWorker) => {
    if (message.type === "play") await play(message.calls)
    else send({ type: "counted", tokens: await candidate.countedTokens() })
  })
  process.once("disconnect", async () => {
    await candidate.close()
    process.exit()
  })
}
