import { spawn } from "@lydell/node-pty"

/** A program on a terminal of 24 rows and 80 columns. */
export interface Terminal {
  write(keys: string): void
  /** Resolves when the output after the last call contains the text. */
  shows(text: string): Promise<void>
  readonly output: string
  ended: Promise<{ code: number; signal: number }>
  kill(): void
}

export function openTerminal(command: string, args: readonly string[], env: Record<string, string>): Terminal {
  const pty = spawn(command, [...args], { cols: 80, rows: 24, env })
  let output = ""
  let seen = 0
  let isEnded = false
  const listeners = new Set<() => void>()
  pty.onData((text) => {
    output += text
    for (const listener of listeners) listener()
  })
  const ended = new Promise<{ code: number; signal: number }>((resolve) => {
    pty.onExit(({ exitCode, signal = 0 }) => {
      isEnded = true
      resolve({ code: exitCode, signal })
    })
  })
  return {
    write: (keys) => pty.write(keys),
    shows: (text) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const at = output.indexOf(text, seen)
          if (at < 0) return
          seen = at + text.length
          listeners.delete(check)
          resolve()
        }
        listeners.add(check)
        check()
        void ended.then(() => reject(new Error(`Ended without showing ${text}: ${output}`)))
      }),
    get output() {
      return output
    },
    ended,
    kill: () => {
      if (!isEnded) pty.kill("SIGKILL")
    },
  }
}
