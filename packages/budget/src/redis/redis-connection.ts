import { createHash } from "node:crypto"
import { StoreError } from "../store-error"
import { Deadlines, type PendingCall } from "./deadlines"
import type { PackedReply } from "./packed-reply"
import { type OwnConnection, ownConnection, type RedisClient } from "./redis-client"
import { storeFailure, timedOut } from "./redis-failure"
import type { Script } from "./scripts/script"

/** Most calls that may wait for an answer at once; more are refused, so that a server that hangs cannot fill the memory. */
const MAX_WAITING = 50_000

/** Most calls that leave in one write. */
const MAX_GATHERED = 8

/** A script with the name under which the server caches it. */
export interface LoadedScript extends Script {
  readonly sha: string
}

export function loadedScript(script: Script): LoadedScript {
  return { ...script, sha: createHash("sha1").update(script.lua).digest("hex") }
}

/** What a script answers: numbers, with a code first. */
export type ScriptReply = [code: number, ...rest: unknown[]]

/** The store's own connection: sends scripts, and turns whatever goes wrong into a `StoreError` in time. */
export class RedisConnection {
  readonly timeoutMs: number
  readonly #client: RedisClient
  readonly #deadlines = new Deadlines()
  /** Called before the first script of every connection. */
  readonly #prepare: (connection: OwnConnection) => Promise<void>
  #own: OwnConnection | undefined
  #prepared = false
  #preparing: Promise<void> | undefined
  #lastError: unknown
  #closed = false
  /** Calls of this tick that share a write with others. */
  #gathered = 0
  /** Calls that came before the connection was ready. */
  readonly #waiters = new Set<() => void>()

  constructor(options: {
    client: RedisClient
    timeoutMs: number
    prepare: (connection: OwnConnection) => Promise<void>
  }) {
    this.#client = options.client
    this.timeoutMs = options.timeoutMs
    this.#prepare = options.prepare
  }

  /** Runs a script: `args` are its number of keys, its keys and its arguments. */
  run(script: LoadedScript, args: (string | number)[]): Promise<ScriptReply> {
    const own = this.#own
    if (own === undefined || !this.#prepared || own.status !== "ready") return this.#runWhenReady(script, args)
    return this.#send(own, script, args, performance.now() + this.timeoutMs)
  }

  /** {@link run} for a script that answers in bytes. */
  runPacked(script: LoadedScript, args: (string | number)[]): Promise<PackedReply> {
    return this.run(script, args) as Promise<unknown> as Promise<PackedReply>
  }

  /** The connection once it is ready, for commands that are no scripts. */
  async connected(): Promise<OwnConnection> {
    return this.#ready(performance.now() + this.timeoutMs)
  }

  /** Rejects with a `StoreError` when `work` does not end in time. */
  async inTime<T>(work: Promise<T>, deadline = performance.now() + this.timeoutMs): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(timedOut(this.timeoutMs, false)), Math.max(0, deadline - performance.now()))
    })
    try {
      return await Promise.race([work, late])
    } catch (error) {
      if (error instanceof StoreError) throw error
      throw storeFailure(error, false)
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#closed = true
    this.#own?.disconnect()
  }

  async #runWhenReady(script: LoadedScript, args: (string | number)[]): Promise<ScriptReply> {
    const deadline = performance.now() + this.timeoutMs
    const own = await this.#ready(deadline)
    if (!this.#prepared) {
      this.#preparing ??= this.#prepare(own)
        .then(() => {
          this.#prepared = true
        })
        .finally(() => {
          this.#preparing = undefined
        })
      await this.inTime(this.#preparing, deadline)
    }
    return this.#send(own, script, args, deadline)
  }

  #send(own: OwnConnection, script: LoadedScript, args: (string | number)[], deadline: number): Promise<ScriptReply> {
    if (this.#deadlines.waiting >= MAX_WAITING && own.status === "ready") {
      return Promise.reject(
        new StoreError(`${MAX_WAITING} calls wait for Redis already; nothing was applied.`, {
          code: "unavailable",
          applied: "no",
        }),
      )
    }
    return new Promise((resolve, reject) => {
      const pending: PendingCall = {
        deadline,
        done: false,
        expire: () => reject(timedOut(this.timeoutMs, true)),
      }
      if (this.#deadlines.waiting > 0) this.#gather(own)
      this.#deadlines.add(pending)
      const answered = (reply: unknown) => {
        pending.done = true
        resolve(reply as ScriptReply)
      }
      const failed = (error: unknown) => {
        pending.done = true
        reject(storeFailure(error, true))
      }
      const sent = script.packed ? own.evalshaBuffer(script.sha, ...args) : own.evalsha(script.sha, ...args)
      sent.then(answered, (error: unknown) => {
        if (pending.done || !(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) return failed(error)
        const again = script.packed ? own.evalBuffer(script.lua, ...args) : own.eval(script.lua, ...args)
        again.then(answered, failed)
      })
    })
  }

  /**
   * Calls of one tick leave a few to a write, since each write is a call of the system that costs more than a script does.
   * No more than a few, so that the server is at work while the next are made. What a connection that breaks had not sent
   * yet counts as sent: "maybe applied" is never too little.
   */
  #gather(own: OwnConnection): void {
    const { stream } = own
    if (stream === undefined) return
    if (this.#gathered > 0) {
      if (this.#gathered++ % MAX_GATHERED === 0) {
        stream.uncork()
        stream.cork()
      }
      return
    }
    this.#gathered = 1
    stream.cork()
    process.nextTick(() => {
      this.#gathered = 0
      stream.uncork()
    })
  }

  async #ready(deadline: number): Promise<OwnConnection> {
    if (this.#closed) {
      throw new StoreError("The store was closed.", { code: "unavailable", applied: "no" })
    }
    this.#own ??= this.#open()
    const own = this.#own
    if (own.status === "ready") return own
    if (own.status === "wait" || own.status === "end" || own.status === "close") own.connect().catch(() => {})
    await new Promise<void>((resolve, reject) => {
      const waiter = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(
        () => {
          this.#waiters.delete(waiter)
          reject(storeFailure(this.#lastError ?? timedOut(this.timeoutMs, false), false))
        },
        Math.max(0, deadline - performance.now()),
      )
      this.#waiters.add(waiter)
    })
    return own
  }

  #open(): OwnConnection {
    const own = ownConnection(this.#client, this.timeoutMs)
    own.on("error", (error) => {
      this.#lastError = error
    })
    own.on("ready", () => {
      this.#lastError = undefined
      for (const waiter of this.#waiters) waiter()
      this.#waiters.clear()
    })
    // Behind a new connection there may be another server, such as a replica after a failover.
    own.on("close", () => {
      this.#prepared = false
    })
    return own
  }
}
