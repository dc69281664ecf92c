import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { chownSync, mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort, watch } from "@p2/redis-server"
import { postgresBinaries } from "./binaries"

const HOST = "127.0.0.1"
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 20_000
/** Log messages after which another start may succeed. */
const PASSING = /Address already in use|pre-existing shared memory|lock file/
/** `nobody`, because PostgreSQL does not run as root. */
const UNPRIVILEGED_ID = 65_534

export interface StartPostgresOptions {
  /**
   * Settings of the server. They override the defaults `fsync: "off"` (the tests do not cut the power) and
   * `max_connections: "100"`.
   */
  settings?: Readonly<Record<string, string>> | undefined
}

/**
 * A separate PostgreSQL server on a free port of 127.0.0.1, with all data in a temporary folder. It stops when this
 * process ends, for any reason.
 */
export interface PostgresServer {
  /** Address of the database `postgres`, as its superuser. */
  readonly url: string
  readonly host: string
  readonly port: number
  readonly dir: string
  /** Changes at `restart`. */
  readonly pid: number
  /** Stops it (a fast shutdown) and removes the folder. May be called twice. */
  stop(): Promise<void>
  /** Kills it (SIGKILL); the folder stays, so `restart` recovers from its log. */
  kill(): Promise<void>
  /**
   * Stops it, unless it has ended already, and starts it again on the same port and folder, with these additional
   * settings.
   */
  restart(settings?: Readonly<Record<string, string>>): Promise<void>
}

/** Creates a database cluster and starts a server on it. */
export async function startPostgres(options: StartPostgresOptions = {}): Promise<PostgresServer> {
  const { initdb, postgres } = await postgresBinaries()
  const dir = mkdtempSync(join(tmpdir(), "p2-postgres-"))
  const owner = process.getuid?.() === 0 ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {}
  if (owner.uid !== undefined) chownSync(dir, owner.uid, owner.gid)
  const data = join(dir, "data")
  const args = ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
  const made = spawnSync(initdb, args, { ...owner, cwd: dir, encoding: "utf8" })
  if (made.status !== 0) {
    rmSync(dir, { recursive: true, force: true })
    throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`)
  }
  const defaults = { fsync: "off", max_connections: "100", listen_addresses: HOST, unix_socket_directories: "" }
  const server = new Server(postgres, dir, owner, { ...defaults, ...options.settings })
  try {
    await server.start()
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

class Server implements PostgresServer {
  readonly host = HOST
  readonly dir: string
  port = 0
  readonly #program: string
  readonly #owner: { uid?: number; gid?: number }
  #settings: Readonly<Record<string, string>>
  #process: ChildProcess | undefined
  #watchdog: { cancel(): void } | undefined

  constructor(program: string, dir: string, owner: { uid?: number; gid?: number }, settings: Record<string, string>) {
    this.#program = program
    this.dir = dir
    this.#owner = owner
    this.#settings = settings
  }

  get url(): string {
    return `postgres://postgres@${this.host}:${this.port}/postgres`
  }

  get pid(): number {
    return this.#process!.pid!
  }

  /**
   * Retries for a while: another program may take the free port, and the children of a killed server end slightly later
   * than the server.
   */
  async start(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS
    const isFirst = this.port === 0
    for (;;) {
      if (isFirst) this.port = await freePort()
      try {
        return await this.#startOnce(deadline)
      } catch (error) {
        await this.#end("SIGKILL")
        if (Date.now() > deadline || !PASSING.test(String(error))) throw error
        await pause(100)
      }
    }
  }

  async stop(): Promise<void> {
    await this.#end("SIGINT")
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 })
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL")
  }

  async restart(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#end("SIGINT")
    this.#settings = { ...this.#settings, ...settings }
    await this.start()
  }

  async #startOnce(deadline: number): Promise<void> {
    const settings = Object.entries(this.#settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    const args = ["-D", join(this.dir, "data"), "-p", String(this.port), ...settings]
    const child = spawn(this.#program, args, { ...this.#owner, cwd: this.dir, stdio: ["ignore", "ignore", "pipe"] })
    this.#process = child
    let log = ""
    child.stderr.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4_000)
    })
    child.unref()
    const { stderr } = child as unknown as { stderr: { unref(): void } }
    stderr.unref()
    await Promise.race([once(child, "spawn"), once(child, "error").then(([error]) => Promise.reject(error))])
    this.#watchdog = watch(this.pid, this.dir)
    while (!(await acceptsConnections(this.port))) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline)
        throw new Error(`PostgreSQL did not start:\n${log}`)
      await pause(20)
    }
  }

  async #end(signal: "SIGINT" | "SIGKILL"): Promise<void> {
    this.#watchdog?.cancel()
    this.#watchdog = undefined
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, "exit")
    child.kill(signal)
    const hard = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS)
    await exited
    clearTimeout(hard)
  }
}

/** Whether the server starts a session: it replies to a startup message with a request for authentication, `R`. */
function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST)
    const end = (accepts: boolean) => {
      socket.destroy()
      resolve(accepts)
    }
    socket.setTimeout(1_000, () => end(false))
    socket.on("error", () => end(false))
    socket.on("close", () => end(false))
    socket.on("data", (chunk) => end(chunk[0] === 0x52))
    const parameters = Buffer.from("user\0postgres\0database\0postgres\0\0")
    const header = Buffer.alloc(8)
    header.writeInt32BE(8 + parameters.length)
    header.writeInt32BE(3 << 16, 4)
    socket.write(Buffer.concat([header, parameters]))
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
