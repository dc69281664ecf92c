import { type ChildProcess, spawn } from "node:child_process"

/**
 * Kills the process `pid` and removes `folder` when this process ends, for any reason: the shell's `read` returns
 * when the pipe to it closes, and the system closes a killed process's pipe.
 */
export function watch(pid: number, folder: string): { cancel(): void } {
  const script = 'read -r _; kill -9 "$1" 2>/dev/null; if [ -n "$2" ]; then rm -rf -- "$2"; fi'
  const shell: ChildProcess = spawn("/bin/sh", ["-c", script, "watch", String(pid), folder], {
    stdio: ["pipe", "ignore", "ignore"],
    // In its own process group, so that Ctrl-C ends the watched process and not the watchdog.
    detached: true,
  })
  shell.unref()
  // The pipe must not keep this process alive, and a broken pipe must not crash it.
  const pipe = shell.stdin as (NodeJS.WritableStream & { unref?(): void }) | null
  pipe?.unref?.()
  pipe?.on("error", () => {})
  shell.on("error", () => {})
  return { cancel: () => void shell.kill("SIGKILL") }
}
