import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import type { AppliedAdjustment, Report } from "./operate"

const PROCESSES = 3

/** The replies that processes reported before they were killed. */
export interface SoakJournal {
  operations: number
  kills: number
  /** Costs of confirmed settles, by idempotency key. */
  settles: Map<string, number>
  adjustments: AppliedAdjustment[]
}

/**
 * Runs processes until they have done this number of operations. Kills one with SIGKILL every few hundred operations and
 * starts another in its place. In the end all are killed.
 */
export async function runProcesses(
  script: string,
  options: { operations: number; urls?: string[]; onStart?: (child: ChildProcess) => void },
): Promise<SoakJournal> {
  const journal: SoakJournal = { operations: 0, kills: 0, settles: new Map(), adjustments: [] }
  const operationsPerLife = Math.max(200, options.operations / 100) * PROCESSES
  let names = 0
  const run = async (): Promise<void> => {
    while (journal.operations < options.operations) {
      const child = fork(script, [JSON.stringify({ name: `p${names++}`, urls: options.urls })])
      const ended = once(child, "exit")
      options.onStart?.(child)
      let done = 0
      const maxOperations = operationsPerLife * (0.5 + Math.random())
      child.on("message", (message: Report) => {
        if (message.kind !== "report") return
        journal.operations += message.operations
        done += message.operations
        for (const [key, cost] of message.settles) journal.settles.set(key, cost)
        journal.adjustments.push(...message.adjustments)
        // Immediately, while calls of its other lanes are in flight.
        if (done >= maxOperations || journal.operations >= options.operations) child.kill("SIGKILL")
      })
      const [code, signal] = (await ended) as [number | null, string | null]
      if (signal !== "SIGKILL") throw new Error(`A process ended by itself with code ${code}.`)
      journal.kills++
    }
  }
  await Promise.all(Array.from({ length: PROCESSES }, run))
  return journal
}
