import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import type { Report } from "./operate"

const PROCESSES = 3

export interface SoakResult {
  operations: number
  kills: number
  /** What each attempt was answered to cost, by id. */
  commits: Map<string, number>
}

/**
 * Runs processes until they have done so many operations, killing one every few hundred with SIGKILL and starting
 * another in its place. In the end all are killed.
 */
export async function runProcesses(
  script: string,
  options: { operations: number; url?: string; started?: (child: ChildProcess) => void },
): Promise<SoakResult> {
  const result: SoakResult = { operations: 0, kills: 0, commits: new Map() }
  const everyOperations = Math.max(200, options.operations / 100)
  let names = 0
  const run = async (): Promise<void> => {
    while (result.operations < options.operations) {
      const child = fork(script, [JSON.stringify({ name: `p${names++}`, url: options.url })])
      const ended = once(child, "exit")
      options.started?.(child)
      let done = 0
      const upTo = everyOperations * (0.5 + Math.random()) * PROCESSES
      child.on("message", (message: Report) => {
        if (message.kind !== "report") return
        result.operations += message.operations
        done += message.operations
        for (const [id, cost] of message.commits) result.commits.set(id, cost)
        // At once, while calls of its other lanes are on their way.
        if (done >= upTo || result.operations >= options.operations) child.kill("SIGKILL")
      })
      const [code, signal] = (await ended) as [number | null, string | null]
      if (signal !== "SIGKILL") throw new Error(`A process ended by itself, with ${code}.`)
      result.kills++
    }
  }
  await Promise.all(Array.from({ length: PROCESSES }, run))
  return result
}
