import { type ChildProcess, spawn } from "node:child_process"
import { setTimeout as startTimer } from "node:timers"
import { setTimeout } from "node:timers/promises"
import { isatty } from "node:tty"

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
  /** How long the program may take to end after a signal that ends it, before it is killed. */
  graceMs: number
}

const POLL_MS = 50
/** A second Ctrl-C within this time kills. A first one may only interrupt a prompt. */
const SECOND_INTERRUPT_MS = 2_000
const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]
/** Signals that a terminal sends to every process in its foreground group. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"]

/** Where signals for a program go. */
interface Target {
  /**
   * `group`: the program leads its own process group, to which signals are passed. `process`: it shares the terminal
   * and the group of this process, so that its job control and `/dev/tty` work; the terminal itself sends Ctrl-C and
   * the like to it.
   */
  kind: "group" | "process"
  /** Whether the target exists. Signal 0 only checks. */
  send(signal: NodeJS.Signals | 0): boolean
}

/**
 * Runs a program with the stdio of this process, without a shell, and passes signals on. A second signal that ends it, or the end of
 * the grace time, kills it, with its children if it has its own group.
 */
export function runChild({ command, arguments: words, env, graceMs }: ChildOptions): Promise<ChildEnd> {
  const hasTerminal = isatty(0)
  const detached = !hasTerminal && process.platform !== "win32"
  const child = spawn(command, [...words], { env, stdio: "inherit", detached, windowsHide: true })
  const target = targetOf(child, detached)
  const passing = passSignals(target, graceMs)
  return new Promise((resolve) => {
    child.once("error", (error) => {
      if (child.pid !== undefined) return
      passing.stop()
      resolve(notStarted(command, error))
    })
    child.once("exit", async (code, signal) => {
      if (passing.isEnding && target.kind === "group") await endRest(target, graceMs)
      passing.stop()
      resolve(signal === null ? { status: "exited", code: code ?? 0 } : { status: "killed", signal })
    })
  })
}

function targetOf(child: ChildProcess, detached: boolean): Target {
  if (!detached) return { kind: "process", send: (signal) => child.kill(signal) }
  const send: Target["send"] = (signal) => {
    try {
      return child.pid !== undefined && process.kill(-child.pid, signal)
    } catch {
      return false
    }
  }
  return { kind: "group", send }
}

function notStarted(command: string, error: NodeJS.ErrnoException): ChildEnd {
  if (error.code === "ENOENT") return { status: "not-started", code: 127, reason: `${command}: command not found` }
  return { status: "not-started", code: 126, reason: `${command}: cannot be run (${error.code ?? "unknown error"})` }
}

/** Waits for the processes of a group that was sent a signal to exit, and kills those that remain after the grace time. */
async function endRest(group: Target, graceMs: number): Promise<void> {
  const deadline = performance.now() + graceMs
  while (group.send(0) && performance.now() < deadline) await setTimeout(POLL_MS)
  group.send("SIGKILL")
}

interface SignalPassing {
  /** Whether the program was sent a signal to exit. */
  readonly isEnding: boolean
  /** From now on signals that end a process are ignored, until {@link endAs}: calls are being settled. */
  stop(): void
}

function passSignals(target: Target, graceMs: number): SignalPassing {
  const passed: NodeJS.Signals[] = ["SIGUSR1", "SIGUSR2"]
  if (target.kind === "group") passed.push("SIGWINCH", "SIGCONT")
  let last: number | undefined
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const end = (signal: NodeJS.Signals) => {
    if (isOver) return
    const isFromTerminal = target.kind === "process" && FROM_TERMINAL.includes(signal)
    const isSecond = last !== undefined && (!isFromTerminal || performance.now() - last < SECOND_INTERRUPT_MS)
    last = performance.now()
    if (isSecond) target.send("SIGKILL")
    else if (!isFromTerminal) {
      target.send(signal)
      timer ??= startTimer(() => target.send("SIGKILL"), graceMs)
    }
  }
  const pass = (signal: NodeJS.Signals) => void target.send(signal)
  const suspend = () => {
    // SIGTSTP does not stop a group that has no shell.
    target.send("SIGSTOP")
    process.kill(process.pid, "SIGSTOP")
  }
  for (const signal of ENDING) process.on(signal, end)
  for (const signal of passed) process.on(signal, pass)
  if (target.kind === "group") process.on("SIGTSTP", suspend)
  return {
    get isEnding() {
      return last !== undefined
    },
    stop: () => {
      clearTimeout(timer)
      isOver = true
      for (const signal of passed) process.off(signal, pass)
      process.off("SIGTSTP", suspend)
    },
  }
}

/** Ends this process as the program ended: with its code, or by its signal. */
export function endAs(end: ChildEnd): void {
  for (const signal of ENDING) process.removeAllListeners(signal)
  if (end.status === "killed") process.kill(process.pid, end.signal)
  else process.exitCode = end.code
}
