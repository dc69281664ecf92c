import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { findRedisServer } from "../fetch.mjs"
import { freePort } from "./free-port"
import { createMovableClock, type MovableClock } from "./movable-clock"
import { redisCommand } from "./redis-command"
import { watch } from "./watchdog"

const HOST = "127.0.0.1"
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 5_000

export interface StartRedisOptions {
  /** Further arguments of redis-server, such as `["--appendonly", "yes"]`; they override the defaults. */
  args?: readonly string[] | undefined
  /** Working folder, which stays. @defaultValue a temporary one, removed at `stop` */
  dir?: string | undefined
  /** Starts a node of a cluster. @defaultValue false */
  cluster?: boolean | undefined
  /** Starts the server with a clock that `moveClock` moves. Rejects without a C compiler. @defaultValue false */
  movableClock?: boolean | undefined
  /** Stops the server when it fires. */
  signal?: AbortSignal | undefined
}

/** A redis-server on a free port of 127.0.0.1. It stops with this process, even if this process is killed. */
export interface RedisServer {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly dir: string
  /** Changes at `restart`. */
  readonly pid: number
  readonly process: ChildProcess
  /** Shuts the server down and removes the temporary folder. May be called twice. */
  stop(): Promise<void>
  /** Kills the server (SIGKILL). The folder stays for `restart`. */
  kill(): Promise<void>
  /** Pauses the server (SIGSTOP): connections stay open and no command gets a reply. */
  pause(): void
  resume(): void
  /** With `movableClock`: sets how far the server's clock is ahead of the system's; negative: behind. */
  moveClock(offsetMs: number): void
  /** Shuts the server down unless it has ended, and starts it again on the same port and folder. */
  restart(args?: readonly string[]): Promise<void>
}

/** Starts a redis-server, and fetches one if none is found. Rejects if that is impossible. */
export async function startRedis(options: StartRedisOptions = {}): Promise<RedisServer> {
  const program = await findRedisServer({ fetch: true })
  if (program === undefined) {
    throw new Error(
      "No redis-server: put one on the PATH, or its path in P2_REDIS_SERVER. It could not be fetched with apt.",
    )
  }
  options.signal?.throwIfAborted()
  const server = new Server(program, options)
  await server.startSomewhere()
  options.signal?.addEventListener("abort", () => void server.stop(), { once: true })
  return server
}

class Server implements RedisServer {
  readonly host = HOST
  readonly dir: string
  port = 0
  process!: ChildProcess
  #watchdog: { cancel(): void } | undefined
  #args: readonly string[]
  readonly #program: string
  readonly #cluster: boolean
  readonly #ownDir: boolean
  readonly #clock: MovableClock | undefined

  constructor(program: string, options: StartRedisOptions) {
    this.#program = program
    this.#args = options.args ?? []
    this.#cluster = options.cluster ?? false
    this.#ownDir = options.dir === undefined
    this.dir = options.dir ?? mkdtempSync(join(tmpdir(), "p2-redis-"))
    if (options.movableClock === true) {
      this.#clock = createMovableClock(this.dir)
      if (this.#clock === undefined) {
        this.#removeDir()
        throw new Error("No movable clock: it needs Linux and a C compiler (cc, gcc, clang or tcc).")
      }
    }
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`
  }

  get pid(): number {
    return this.process.pid!
  }

  /** Another process may take the port before the server does; in that case, tries another port. */
  async startSomewhere(): Promise<void> {
    for (let tries = 0; ; tries++) {
      this.port = await freePort({ bus: this.#cluster })
      try {
        return await this.#start()
      } catch (error) {
        if (tries >= 4 || !String(error).includes("Address already in use")) {
          this.#removeDir()
          throw error
        }
      }
    }
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM")
    this.#removeDir()
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL")
  }

  pause(): void {
    this.process.kill("SIGSTOP")
  }

  resume(): void {
    this.process.kill("SIGCONT")
  }

  moveClock(offsetMs: number): void {
    if (this.#clock === undefined) throw new Error("Start the server with `movableClock: true` to move its clock.")
    this.#clock.move(offsetMs)
  }

  async restart(args: readonly string[] = this.#args): Promise<void> {
    await this.#end("SIGTERM")
    this.#args = args
    await this.#start()
  }

  async #start(): Promise<void> {
    const own = ["--port", String(this.port), "--bind", HOST, "--dir", this.dir, "--daemonize", "no"]
    const defaults = ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
    const cluster = this.#cluster ? ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"] : []
    const child = spawn(this.#program, [...own, ...defaults, ...cluster, ...this.#args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...this.#clock?.env },
    })
    this.process = child
    let log = ""
    const keep = (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4_000)
    }
    child.stdout.on("data", keep)
    child.stderr.on("data", keep)
    child.unref()
    await Promise.race([once(child, "spawn"), once(child, "error").then(([error]) => Promise.reject(error))])
    this.#watchdog = watch(this.pid, this.#ownDir ? this.dir : "")
    const ended = new Promise<never>((_, reject) =>
      child.once("exit", () => reject(new Error(`redis-server ended before it answered:\n${log}`))),
    )
    ended.catch(() => {})
    try {
      await Promise.race([this.#answers(), ended])
    } catch (error) {
      await this.#end("SIGKILL")
      throw error
    }
  }

  /** A server that is loading its append-only file does not answer yet. */
  async #answers(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS
    for (;;) {
      try {
        await redisCommand({ host: HOST, port: this.port, timeoutMs: 500 }, "PING")
        return
      } catch (error) {
        if (/NOAUTH/.test(String(error))) return
        if (Date.now() > deadline || this.process.exitCode !== null) throw error
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#watchdog?.cancel()
    this.#watchdog = undefined
    const child = this.process
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, "exit")
    child.kill("SIGCONT")
    child.kill(signal)
    const hard = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS)
    await exited
    clearTimeout(hard)
  }

  #removeDir(): void {
    if (this.#ownDir) rmSync(this.dir, { recursive: true, force: true })
  }
}
