import { startRedis } from "@p2/redis-server"
import { type BillingProvider, startBillingProvider } from "./billing-provider"
import type { Definition, Surroundings } from "./candidate"
import { type EndedCall, startWorker, type WorkerProcess } from "./worker-process"
import type { Call, Workload } from "./workload"

export interface PlayOptions {
  workload: Workload
  limitTokens: number
  processes: number
  lanes: number
  /** The file that workers run. */
  program: string
}

/** What a candidate did with a workload. All amounts are tokens. */
export interface Result {
  limit: number
  billed: number
  /** Billed above the limit. */
  overspend: number
  /** Billed, and not counted by the candidate: before the crash, and after it. */
  undercharge: number
  /** Counted by the candidate, and not billed. */
  overcharge: number
  /** Billed, and no longer counted after the crash. */
  lostAfterCrash: number
  calls: number
  answered: number
  denied: number
  failed: number
  /** Denied calls that the provider would have billed within the limit. */
  falseDenials: number
}

/**
 * Plays a workload against a candidate: several concurrent processes, one of which is killed while its calls are in
 * flight.
 */
export async function play(definition: Definition, options: PlayOptions): Promise<Result> {
  const { workload, limitTokens, processes, lanes, program } = options
  const all = [...workload.before, ...workload.crash, ...workload.after]
  const provider = await startBillingProvider(all)
  const redis = await startRedis()
  const surroundings = { baseURL: provider.baseURL, redisUrl: redis.url, limitTokens, processes, lanes }
  const start = () => startWorker(program, definition.name, surroundings satisfies Surroundings)
  const workers = Array.from({ length: processes }, start)
  const ended: EndedCall[] = []
  const onEnded = (call: EndedCall) => ended.push(call)
  const playPart = (calls: readonly Call[]) =>
    Promise.all(workers.map((worker, index) => worker.play(shareOf(calls, index, processes), onEnded)))
  // Billed and not counted: below zero if the candidate has counted more than was billed.
  const gap = async () => provider.billedTokens() - (await countedTokens(definition, workers))
  try {
    await playPart(workload.before)
    const gapBefore = await gap()

    await crash(workers[0]!, provider, workload.crash, onEnded)
    workers[0] = start()
    const gapAfter = await gap()

    await playPart(workload.after)
    const gapAtEnd = await gap()

    const billed = provider.billedTokens()
    const count = (outcome: EndedCall["outcome"]) => ended.filter((call) => call.outcome === outcome).length
    return {
      limit: limitTokens,
      billed,
      overspend: Math.max(0, billed - limitTokens),
      undercharge: Math.max(0, gapBefore) + Math.max(0, gapAtEnd - gapAfter),
      overcharge: Math.max(0, -gapAtEnd),
      lostAfterCrash: Math.max(0, gapAfter - gapBefore),
      calls: all.length,
      answered: count("answered"),
      denied: count("denied"),
      failed: all.length - count("answered") - count("denied"),
      falseDenials: countFalseDenials(ended, provider, limitTokens),
    }
  } finally {
    await Promise.allSettled(workers.map((worker) => worker.stop()))
    await Promise.all([provider.close(), redis.stop()])
  }
}

/** Kills a worker when the calls that its candidate allows are in flight. */
async function crash(
  worker: WorkerProcess,
  provider: BillingProvider,
  calls: readonly Call[],
  onEnded: (call: EndedCall) => void,
): Promise<void> {
  const receivedBefore = provider.received
  let ended = 0
  const played = worker.play(calls, (call) => {
    ended++
    onEnded(call)
  })
  played.catch(() => {}) // The worker is killed.
  while (provider.received - receivedBefore + ended < calls.length)
    await new Promise((resolve) => setTimeout(resolve, 20))
  // The provider bills an attempt shortly after it has arrived.
  await new Promise((resolve) => setTimeout(resolve, 200))
  await worker.kill()
}

async function countedTokens(definition: Definition, workers: readonly WorkerProcess[]): Promise<number> {
  if (definition.isShared) return workers[0]!.countedTokens()
  const counts = await Promise.all(workers.map((worker) => worker.countedTokens()))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** The calls of one process. */
function shareOf(calls: readonly Call[], index: number, processes: number): Call[] {
  return calls.filter((_, position) => position % processes === index)
}

/**
 * Counts the denials of calls that would have fit: at that time, the attempts that had arrived, the denied calls that are
 * already counted, and this call together cost no more than the limit.
 */
function countFalseDenials(ended: readonly EndedCall[], provider: BillingProvider, limitTokens: number): number {
  let count = 0
  let tokens = 0
  const denied = ended.filter(({ outcome }) => outcome === "denied").sort((a, b) => a.at - b.at)
  for (const { callId, at } of denied) {
    if (provider.billedTokensOfAttemptsBefore(at) + tokens + provider.tokensOf(callId) > limitTokens) continue
    count++
    tokens += provider.tokensOf(callId)
  }
  return count
}
