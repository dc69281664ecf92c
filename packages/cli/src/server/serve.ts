import { rmSync, writeFileSync } from "node:fs"
import { InvalidArgumentError, P2Error } from "@p2/core"
import { readDuration } from "../duration"
import { readStoreAddress } from "../store/store-address"
import { readConfig } from "./config/read-config"
import { refuseInsideRun } from "./inside-run"
import { createLog } from "./json-log"
import { type RunningServer, startServer } from "./start-server"

export interface ServeArguments {
  config: string
  store?: string
  dashboardLink?: string
}

/** `p2 serve`: resolves when the server has ended. */
export async function serve(given: ServeArguments, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  refuseInsideRun("serve", env)
  const config = await readConfig(given.config)
  const storeAddress = readStoreAddress(given.store ?? config.store, env)
  const log = createLog(process.stdout)
  const started = startServer({ config, configPath: given.config, storeAddress, env, log })
  const server = await started.catch((error: unknown) => {
    throw addressError(error, config.listen)
  })
  const showLink = () => showDashboardLink(server, given.dashboardLink)
  try {
    showLink()
  } catch (error) {
    await server.close({ graceMs: 0 })
    const { code } = error as NodeJS.ErrnoException
    const problem = `${given.dashboardLink}: The file cannot be written (${code}). Choose another --dashboard-link.`
    throw new InvalidArgumentError("--dashboard-link", "a file", undefined, problem)
  }
  log("listening", { url: server.url, store: server.storeAddress })
  const showAgain = () => {
    try {
      showLink()
    } catch {
      log("warning", { message: "The link to the dashboard could not be written." })
    }
  }
  // A link works once, within 15 minutes: the signal requests another.
  if (process.platform !== "win32") process.on("SIGUSR2", showAgain)
  await untilStopped(server, readDuration(config.grace, "grace"))
  process.off("SIGUSR2", showAgain)
}

/** Stops the server at the first signal. The second one immediately aborts and settles the calls in flight. */
function untilStopped(server: RunningServer, graceMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let signals = 0
    const stop = () => {
      signals++
      if (signals === 1) server.close({ graceMs }).then(resolve, reject)
      else server.endCalls()
    }
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop)
  })
}

/** The link signs a browser in once: it goes to a terminal or a private file, never into the log. */
function showDashboardLink({ dashboard }: RunningServer, file: string | undefined): void {
  if (dashboard === undefined) return
  if (file !== undefined) {
    rmSync(file, { force: true })
    writeFileSync(file, `${dashboard.createLink()}\n`, { mode: 0o600, flag: "wx" })
  } else if (process.stderr.isTTY) process.stderr.write(`p2: dashboard: ${dashboard.createLink()}\n`)
}

function addressError(error: unknown, listen: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === "EADDRINUSE")
    return new P2Error(`The address ${listen} is in use. Stop the other program, or change \`listen\`.`, {
      code: "address-in-use",
      kind: "failed",
    })
  if (code === "EACCES" || code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return new P2Error(`The server cannot listen on ${listen} (${code}). Change \`listen\`.`, {
      code: "address-unavailable",
      kind: "failed",
    })
  return error
}
