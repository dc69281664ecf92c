import type { StoreCheck } from "../store/budget-store"
import { misconfigured, unavailable } from "../store/store-error"
import { type OwnConnection, ownConnection, type RedisClient } from "./client"
import { damagedRecord, storeFailure } from "./failure"
import { inspectServers } from "./server-check"

/** How many calls may wait for a reply concurrently. Limits the memory that calls use while the server hangs. */
const MAX_WAITING = 50_000
/** How often the server's settings are checked again while calls arrive. */
const CHECK_INTERVAL_MS = 10_000
/** Longer than reading the slots of a Cluster takes. */
const MOVED_RETRY_MS = 20

/** A script, and the SHA-1 under which the server caches it. */
export interface Script {
  readonly sha: string
  readonly lua: string
}

export interface RedisConnectionOptions {
  client: RedisClient
  /** How long to wait for a connection, and then for a reply. */
  deadlineMs: number
  /** A key that no script uses. The access check tries the store's commands on it. */
  probeKey: string
}

/** The store's own connection. Members reject with a `StoreError`, within the deadline. */
export class RedisConnection {
  readonly #options: RedisConnectionOptions
  #own: OwnConnection | undefined
  /** When the server last passed the check; undefined: not yet on this connection, or the last check failed. */
  #checkedAt: number | undefined
  #checking: Promise<StoreCheck> | undefined
  #lastError: unknown
  #closed = false
  /** Calls that wait for a reply. */
  #waiting = 0
  /** Calls that wait until the connection is ready. */
  readonly #waiters = new Set<() => void>()

  constructor(options: RedisConnectionOptions) {
    this.#options = options
  }

  /**
   * Runs a script by its SHA-1; by its text if the server has not cached it, or if ioredis did not find the node of its
   * slot. Rejects if the script found a damaged record.
   */
  async run(script: Script, keys: string[], args: (string | number)[]): Promise<unknown[]> {
    const own = this.#prepared() ?? (await this.#prepare())
    const deadline = performance.now() + this.#options.deadlineMs
    this.#waiting++
    try {
      return checkedReply(await own.evalsha(script.sha, keys.length, ...keys, ...args))
    } catch (error) {
      if (!isNoScript(error) && !isMoved(error)) throw storeFailure(error, true)
      const send = () => own.eval(script.lua, keys.length, ...keys, ...args)
      return await this.#retryMoved(send, deadline).then(checkedReply).catch(rejectAsFailure)
    } finally {
      this.#waiting--
    }
  }

  /** Runs a read-only command. */
  async command<T>(send: (own: OwnConnection) => Promise<T>): Promise<T> {
    const own = this.#prepared() ?? (await this.#prepare())
    return this.#retryMoved(() => send(own), performance.now() + this.#options.deadlineMs).catch(rejectAsFailure)
  }

  /**
   * Sends a command again while ioredis cannot find the node of its slot, which no node has run then. With `natMap`, ioredis
   * tries other nodes at random from a MOVED reply until it has read the slots again.
   */
  async #retryMoved<T>(send: () => Promise<T>, deadline: number): Promise<T> {
    for (;;) {
      try {
        return await send()
      } catch (error) {
        if (!isMoved(error) || this.#closed || performance.now() >= deadline) throw error
        await new Promise((resolve) => setTimeout(resolve, MOVED_RETRY_MS))
      }
    }
  }

  /** Checks the server's settings now. Wrong settings are part of the result, not an error. */
  async check(): Promise<StoreCheck> {
    return this.#check(await this.#ready())
  }

  close(): void {
    this.#closed = true
    this.#own?.disconnect()
    this.#wake()
  }

  /** The connection, if it is ready and its server has passed the check. */
  #prepared(): OwnConnection | undefined {
    const own = this.#own
    if (own?.status !== "ready" || this.#checkedAt === undefined || this.#closed) return undefined
    if (this.#waiting >= MAX_WAITING) {
      throw unavailable(`${MAX_WAITING} calls are already waiting for Redis; nothing was applied.`)
    }
    if (performance.now() - this.#checkedAt > CHECK_INTERVAL_MS) {
      // In the background: the result applies to later calls.
      this.#check(own).catch(() => {})
    }
    return own
  }

  async #prepare(): Promise<OwnConnection> {
    const own = await this.#ready()
    const { ok, warnings } = await this.#check(own)
    if (!ok) throw misconfigured(warnings[0]!)
    return own
  }

  #check(own: OwnConnection): Promise<StoreCheck> {
    this.#checking ??= inspectServers(own, this.#options.probeKey)
      .then(
        (check) => {
          this.#checkedAt = check.ok ? performance.now() : undefined
          return check
        },
        (error: unknown) => {
          throw storeFailure(error, false)
        },
      )
      .finally(() => {
        this.#checking = undefined
      })
    return this.#checking
  }

  async #ready(): Promise<OwnConnection> {
    if (this.#closed) throw closed()
    this.#own ??= this.#open()
    const own = this.#own
    if (own.status === "ready") return own
    if (own.status === "wait" || own.status === "end" || own.status === "close") own.connect().catch(() => {})
    await this.#untilReady()
    return own
  }

  #untilReady(): Promise<void> {
    const { deadlineMs } = this.#options
    return new Promise((resolve, reject) => {
      const waiter = () => {
        clearTimeout(timer)
        if (this.#closed) reject(closed())
        else resolve()
      }
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        reject(storeFailure(this.#lastError ?? new Error(`No connection within ${deadlineMs} ms.`), false))
      }, deadlineMs)
      this.#waiters.add(waiter)
    })
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter()
    this.#waiters.clear()
  }

  #open(): OwnConnection {
    const own = ownConnection(this.#options.client, this.#options.deadlineMs)
    own.on("error", (error) => {
      this.#lastError = error
    })
    own.on("ready", () => {
      this.#lastError = undefined
      this.#wake()
    })
    // The next connection may lead to another server, such as a replica after a failover.
    own.on("close", () => {
      this.#checkedAt = undefined
    })
    return own
  }
}

function closed(): Error {
  return unavailable("The store is closed; nothing was applied.")
}

function checkedReply(reply: unknown): unknown[] {
  const items = reply as unknown[]
  if (items[0] === "corrupt") throw damagedRecord(items[1] as string)
  return items
}

function isMoved(error: unknown): boolean {
  return error instanceof Error && /^Too many Cluster redirections\. Last error: .*\bMOVED\b/.test(error.message)
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT")
}

function rejectAsFailure(error: unknown): never {
  throw storeFailure(error, true)
}
