import { type ChildProcess, spawn } from "node:child_process"
import { setTimeout as startTimer } from "node:timers"
import { setTimeout } from "node:timers/promises"

/** How a program ended. */
export type ChildEnd =
  | { status: "exited"; code: number }
  | { status: "killed"; signal: NodeJS.Signals }
  /** 127: no such command; 126: not a program. The codes of a shell. */
  | { status: "not-started"; code: 126 | 127; reason: string }

export interface ChildOptions {
  command: string
  arguments: readonly string[]
  env: NodeJS.ProcessEnv
  /** How long the program may take to end after SIGTERM or SIGHUP, before its process group is killed. */
  graceMs: number
}

const POLL_MS = 50
const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]
/** Passed on, because the program is not in the terminal's own process group. */
const PASSED: readonly NodeJS.Signals[] = ["SIGWINCH", "SIGCONT", "SIGUSR1", "SIGUSR2"]
/** Of the terminal's Ctrl-C: a second one within this time kills. A first one may only interrupt a prompt. */
const SECOND_INTERRUPT_MS = 2_000

/**
 * Runs a program with the stdio of this process, without a shell, in a process group of its own, and passes signals on to the
 * group. A second signal that ends it, or the end of the grace time, kills the group.
 */
export function runChild(options: ChildOptions): Promise<ChildEnd> {
  const { command, env, graceMs } = options
  const hasGroup = process.platform !== "win32"
  const child = spawn(command, [...options.arguments], { env, stdio: "inherit", detached: hasGroup, windowsHide: true })
  const passing = passSignals((signal) => sendTo(child, signal, hasGroup), graceMs)
  return new Promise((resolve) => {
    child.once("error", (error) => {
      if (child.pid !== undefined) return
      passing.stop()
      resolve(notStarted(command, error))
    })
    child.once("exit", async (code, signal) => {
      if (passing.isEnding && hasGroup) await endGroup(child.pid!, graceMs)
      passing.stop()
      resolve(signal === null ? { status: "exited", code: code ?? 0 } : { status: "killed", signal })
    })
  })
}

/** Waits for the rest of a group that was told to end, and kills what is there after the grace time. */
async function endGroup(groupId: number, graceMs: number): Promise<void> {
  const deadline = performance.now() + graceMs
  while (isAlive(groupId) && performance.now() < deadline) await setTimeout(POLL_MS)
  signalGroup(groupId, "SIGKILL")
}

function isAlive(groupId: number): boolean {
  return signalGroup(groupId, 0)
}

/** Whether the group is there. */
function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-groupId, signal)
  } catch {
    return false
  }
}

function notStarted(command: string, error: NodeJS.ErrnoException): ChildEnd {
  if (error.code === "ENOENT") return { status: "not-started", code: 127, reason: `${command}: command not found` }
  return { status: "not-started", code: 126, reason: `${command}: cannot be run (${error.code ?? "unknown error"})` }
}

interface SignalPassing {
  /** Whether the program was told to end. */
  readonly isEnding: boolean
  stop(): void
}

function passSignals(send: (signal: NodeJS.Signals) => void, graceMs: number): SignalPassing {
  let last: number | undefined
  let timer: NodeJS.Timeout | undefined
  const end = (signal: NodeJS.Signals) => {
    const isInterrupt = signal === "SIGINT" && process.stdin.isTTY === true
    const isSecond = last !== undefined && (!isInterrupt || performance.now() - last < SECOND_INTERRUPT_MS)
    last = performance.now()
    if (isSecond) return send("SIGKILL")
    send(signal)
    // A program that a person interrupts may go on, such as a prompt.
    if (!isInterrupt) timer ??= startTimer(() => send("SIGKILL"), graceMs)
  }
  const suspend = () => {
    send("SIGTSTP")
    process.kill(process.pid, "SIGSTOP")
  }
  for (const signal of ENDING) process.on(signal, end)
  for (const signal of PASSED) process.on(signal, send)
  process.on("SIGTSTP", suspend)
  return {
    get isEnding() {
      return last !== undefined
    },
    stop: () => {
      clearTimeout(timer)
      for (const signal of ENDING) process.off(signal, end)
      for (const signal of PASSED) process.off(signal, send)
      process.off("SIGTSTP", suspend)
    },
  }
}

function sendTo(child: ChildProcess, signal: NodeJS.Signals, hasGroup: boolean): void {
  if (child.pid === undefined) return
  if (hasGroup) signalGroup(child.pid, signal)
  else child.kill(signal)
}

/** Ends this process as its program ended: with its code, or by its signal. */
export function endAs(end: ChildEnd): void {
  if (end.status === "killed") process.kill(process.pid, end.signal)
  else process.exitCode = end.code
}
