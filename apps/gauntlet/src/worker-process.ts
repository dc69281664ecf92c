import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import type { Surroundings } from "./candidate"
import type { FromWorker, Outcome, ToWorker } from "./worker"
import type { Call } from "./workload"

export interface EndedCall {
  callId: number
  outcome: Outcome
  at: number
}

/** A worker, as its parent sees it. */
export interface WorkerProcess {
  /** Plays these calls. Resolves when all have ended. */
  play(calls: readonly Call[], onEnded: (call: EndedCall) => void): Promise<void>
  countedTokens(): Promise<number>
  kill(): Promise<void>
  stop(): Promise<void>
}

/** `program`: a file that calls `work` with its arguments. */
export function startWorker(program: string, name: string, surroundings: Surroundings): WorkerProcess {
  const child = fork(program, ["worker", name, JSON.stringify(surroundings)])
  const exited = once(child, "exit")
  return {
    play: (calls, onEnded) =>
      ask(child, { type: "play", calls }, (message) => {
        if (message.type === "ended") onEnded(message)
        return message.type === "played" ? { value: undefined } : undefined
      }),
    countedTokens: () =>
      ask(child, { type: "count" }, (message) => (message.type === "counted" ? { value: message.tokens } : undefined)),
    async kill() {
      child.kill("SIGKILL")
      await exited
    },
    async stop() {
      child.disconnect()
      await exited
    },
  }
}

/** Sends a message; resolves with what `read` finds in a reply. Rejects if the process ends first. */
function ask<T>(
  child: ChildProcess,
  message: ToWorker,
  read: (reply: FromWorker) => { value: T } | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => {
      child.off("message", onMessage)
      child.off("exit", onExit)
    }
    const onMessage = (reply: FromWorker) => {
      const found = read(reply)
      if (found === undefined) return
      end()
      resolve(found.value)
    }
    const onExit = (code: number | null, signal: string | null) => {
      end()
      reject(new Error(`A worker ended with ${signal ?? `status ${code}`}.`))
    }
    child.on("message", onMessage)
    child.on("exit", onExit)
    child.send(message)
  })
}
