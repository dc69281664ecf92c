import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inject } from "vitest"

/** How a process ended, and what it wrote. */
export interface CliEnd {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** A `p2` that runs. */
export interface RunningCli {
  child: ChildProcess
  pid: number
  /** What it has written so far. */
  readonly stdout: string
  readonly stderr: string
  ended: Promise<CliEnd>
  /** Resolves when stdout or stderr contains the text. Rejects if the process ends before. */
  wrote(text: string): Promise<void>
}

/** An isolated command line: a separate data folder, and no credentials of this machine. */
export interface CliWorld {
  /** P2_HOME, and a place for files. */
  folder: string
  /** The program, for scripts. */
  cliFile: string
  start(args: readonly string[], env?: Record<string, string>): RunningCli
  run(args: readonly string[], env?: Record<string, string>): Promise<CliEnd>
  close(): Promise<void>
}

export async function createCliWorld(): Promise<CliWorld> {
  const cliFile = inject("cliFile")
  const folder = mkdtempSync(join(tmpdir(), "p2-cli-"))
  const running = new Set<ChildProcess>()
  const start: CliWorld["start"] = (args, env = {}) => {
    const own = { PATH: process.env.PATH, HOME: folder, P2_HOME: join(folder, "home"), NO_COLOR: "1", ...env }
    const child = spawn(process.execPath, ["--no-warnings", cliFile, ...args], { env: own, cwd: folder })
    const output = { stdout: "", stderr: "" }
    const listeners = new Set<() => void>()
    for (const name of ["stdout", "stderr"] as const)
      child[name]!.setEncoding("utf8").on("data", (text: string) => {
        output[name] += text
        for (const listener of listeners) listener()
      })
    const ended = new Promise<CliEnd>((resolve) => {
      child.once("close", (code, signal) => {
        resolve({ code, signal, ...output })
      })
    })
    const wrote = (text: string) =>
      new Promise<void>((resolve, reject) => {
        const check = () => {
          if (output.stdout.includes(text) || output.stderr.includes(text)) resolve()
        }
        listeners.add(check)
        check()
        void ended.then(() => reject(new Error(`Ended without writing ${text}: ${output.stderr}`)))
      })
    running.add(child)
    child.once("exit", () => running.delete(child))
    return {
      ...{ child, pid: child.pid!, ended, wrote },
      get stdout() {
        return output.stdout
      },
      get stderr() {
        return output.stderr
      },
    }
  }
  return {
    folder,
    cliFile,
    start,
    run: (args, env) => start(args, env).ended,
    close: async () => {
      // A process that is still writing would make the removal of its folder fail.
      await Promise.all(
        [...running].map((child) => {
          child.kill("SIGKILL")
          return once(child, "exit")
        }),
      )
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
