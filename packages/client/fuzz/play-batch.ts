import { inspect } from "node:util"
import { formatUsd, P2Error } from "@p2/core"
import type { LLMClient, MapResult, Receipt } from "../src/index"
import type { BatchPlan } from "./draw-world"

/** The results of a batch, and the problems of its second run. */
export interface PlayedBatch {
  /** The results of both runs, without resumed and skipped items. */
  results: (MapResult<unknown> & { status: "answered" | "failed" })[]
  /** What `map` threw: a usage error, or a failure of the store. */
  error: unknown
  problems: string[]
}

/** Plays the calls of a client as a batch. A named batch whose items did not fail is run again by a second client. */
export async function playBatch(
  plan: BatchPlan,
  name: string,
  prompts: readonly string[],
  clients: readonly [LLMClient<unknown>, LLMClient<unknown>],
): Promise<PlayedBatch> {
  const { concurrency, maxBudgetNanoUsd, isNamed, abortAfter } = plan
  const run = (client: LLMClient<unknown>, isFirst: boolean) => {
    const controller = new AbortController()
    return client.map(prompts, {
      concurrency,
      ...(maxBudgetNanoUsd === undefined ? {} : { maxBudget: formatUsd(maxBudgetNanoUsd) }),
      ...(isNamed ? { idempotencyKey: name } : {}),
      signal: controller.signal,
      onProgress: ({ answered }) => {
        if (isFirst && answered === abortAfter) controller.abort()
      },
    })
  }
  const played: PlayedBatch = { results: [], error: undefined, problems: [] }
  try {
    const first = await run(clients[0], true)
    played.results.push(...first.filter(isCalled))
    if (!isNamed || first.some(({ status }) => status === "failed")) return played
    const second = await run(clients[1], false)
    for (const [index, result] of second.entries()) {
      const before = first[index]!
      if (before.status !== "answered") continue
      const isSame = result.status === "resumed" && inspect(result.answer) === inspect(before.answer)
      if (!isSame && !(isPending(before) && isRejectedUnsent(result)))
        played.problems.push(`${name}, item ${index}: answered, then ${inspect(result)}`)
    }
    played.results.push(...second.filter(isCalled).filter(({ index }) => first[index]!.status === "skipped"))
  } catch (error) {
    if (!P2Error.isInstance(error)) throw error
    played.error = error
  }
  return played
}

/** Whether the settle with the answer was pending when the item ended. */
function isPending({ receipt }: { receipt: Receipt }): boolean {
  return receipt.attempts.at(-1)?.settlement === "pending"
}

/** While the settle is pending, the item fails for nothing: its key is held in the store, or reserved by this process. */
function isRejectedUnsent(result: MapResult<unknown>): boolean {
  if (result.status !== "failed") return false
  const { error, receipt } = result
  const isKeyInUse = error.code === "reservation-held" || (error.code === "store-unavailable" && error.applied === "no")
  return isKeyInUse && receipt.costNanoUsd === 0 && receipt.attempts.every(({ status }) => status === "released")
}

function isCalled(result: MapResult<unknown>): result is PlayedBatch["results"][number] {
  return result.status === "answered" || result.status === "failed"
}
