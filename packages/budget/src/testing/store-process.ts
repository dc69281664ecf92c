import { P2Error } from "@p2/core"
import type { BudgetStore, StoreCapabilities } from "../store/budget-store"
import { StoreError, type StoreErrorCode } from "../store/store-error"
import { LEDGER_MEMBERS, STORE_MEMBERS } from "./check-suite"
import { SuiteFailure } from "./expect"
import type { StoreProcess } from "./target"

/** The child's end of the channel: Node's `process`, in a process that was started with `fork`. */
export interface ChildEnd {
  send?: ((message: unknown, ...rest: never[]) => unknown) | undefined
  on(event: "message", listener: (message: unknown) => void): unknown
  on(event: "disconnect", listener: () => void): unknown
  disconnect?: (() => void) | undefined
}

/** The parent's end of the channel: what `fork` of `node:child_process` returns. */
export interface ParentEnd {
  send(message: object, sent: (error: Error | null) => void): unknown
  on(event: "message" | "exit" | "error", listener: (value: unknown) => void): unknown
  kill(signal: "SIGKILL"): unknown
}

/** Messages between the two. */
export type SuiteMessage =
  | { kind: "ready"; name: string; capabilities: StoreCapabilities; ledger: boolean }
  | { kind: "call"; call: number; part: "store" | "ledger"; member: string; request: unknown }
  | { kind: "reply"; call: number; value: unknown }
  | { kind: "error"; call: number; error: SentError }
  | { kind: "close" }

interface SentError {
  message: string
  /** Messages of its causes, outermost first. */
  causes: string[]
  code: string | undefined
  applied: "no" | "maybe" | undefined
}

/**
 * In the child: serves the parent's calls with this store until the parent closes it or ends. `channel` is Node's
 * `process`.
 */
export function serveStore(store: BudgetStore, channel: ChildEnd): void {
  const send = (message: SuiteMessage): void => {
    try {
      channel.send?.(message)
    } catch {
      // The parent has ended; "disconnect" follows.
    }
  }
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= Promise.resolve(store.close?.())
    return closing
  }
  channel.on("disconnect", close)
  channel.on("message", async (received) => {
    const message = received as SuiteMessage
    if (message.kind === "close") {
      await close().catch(() => {})
      channel.disconnect?.()
    }
    if (message.kind !== "call") return
    const { call, part, member, request } = message
    try {
      const owner = (part === "store" ? store : store.ledger) as unknown as Record<
        string,
        (request: unknown) => unknown
      >
      send({ kind: "reply", call, value: await owner[member]!(request) })
    } catch (error) {
      send({ kind: "error", call, error: sentError(error) })
    }
  })
  send({ kind: "ready", name: store.name, capabilities: store.capabilities, ledger: store.ledger !== undefined })
}

function sentError(error: unknown): SentError {
  const causes: string[] = []
  for (let cause = (error as Error | undefined)?.cause; cause !== undefined && causes.length < 4; ) {
    causes.push(cause instanceof Error ? cause.message : String(cause))
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return {
    message: error instanceof Error ? error.message : String(error),
    causes,
    code: P2Error.isInstance(error) ? error.code : undefined,
    applied: StoreError.isInstance(error) ? error.applied : undefined,
  }
}

export interface ConnectOptions {
  /** Maximum time until the child serves its store, in milliseconds. @defaultValue 30000 */
  readyTimeoutMs?: number | undefined
  /** Maximum time until the child ends after `close`, in milliseconds; then it is killed. @defaultValue 5000 */
  closeTimeoutMs?: number | undefined
}

/**
 * In the parent: the store of a child that calls `serveStore`. Resolves when the child is ready.
 *
 * @throws SuiteFailure when the child ends, fails to start, or is not ready in time; it is killed then
 */
export function connectStore(child: ParentEnd, options: ConnectOptions = {}): Promise<StoreProcess> {
  const { readyTimeoutMs = 30_000, closeTimeoutMs = 5_000 } = options
  const connection = new Connection(child, closeTimeoutMs)
  return new Promise((resolve, reject) => {
    const fail = (message: string) => {
      clearTimeout(timer)
      child.kill("SIGKILL")
      reject(new SuiteFailure(message))
    }
    const timer = setTimeout(
      () => fail(`The store's process was not ready within ${readyTimeoutMs} ms.`),
      readyTimeoutMs,
    )
    connection.ended.then(() => fail("The store's process ended before it was ready."))
    child.on("error", (error) => fail(`The store's process failed to start: ${String(error)}`))
    connection.onReady = (ready) => {
      clearTimeout(timer)
      resolve(connection.process(ready))
    }
  })
}

type Ready = Extract<SuiteMessage, { kind: "ready" }>

/** The calls to one child that wait for their replies. */
class Connection {
  onReady: (ready: Ready) => void = () => {}
  /** Resolves when the child has ended. */
  readonly ended: Promise<void>
  readonly #child: ParentEnd
  readonly #closeTimeoutMs: number
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>()
  #calls = 0
  #hasEnded = false

  constructor(child: ParentEnd, closeTimeoutMs: number) {
    this.#child = child
    this.#closeTimeoutMs = closeTimeoutMs
    this.ended = new Promise((resolve) => {
      child.on("exit", () => {
        this.#hasEnded = true
        for (const call of this.#waiting.values()) call.reject(processHasEnded())
        this.#waiting.clear()
        resolve()
      })
    })
    // Without a listener, an EPIPE of a dead child would end this process.
    child.on("error", () => {})
    child.on("message", (message) => this.#receive(message as SuiteMessage))
  }

  process({ name, capabilities, ledger }: Ready): StoreProcess {
    const members = (part: "store" | "ledger", names: readonly string[]) =>
      Object.fromEntries(names.map((member) => [member, (request: unknown) => this.#call(part, member, request)]))
    const store = {
      name,
      capabilities,
      ...members("store", STORE_MEMBERS),
      ledger: ledger ? members("ledger", LEDGER_MEMBERS) : undefined,
    }
    return {
      store: store as unknown as BudgetStore,
      kill: async () => {
        this.#child.kill("SIGKILL")
        await this.ended
      },
      close: () => this.#close(),
    }
  }

  async #close(): Promise<void> {
    if (this.#hasEnded) return
    this.#send({ kind: "close" }, () => {})
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), this.#closeTimeoutMs)
    await this.ended
    clearTimeout(timer)
  }

  #call(part: "store" | "ledger", member: string, request: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) return reject(processHasEnded())
      const call = this.#calls++
      this.#waiting.set(call, { resolve, reject })
      this.#send({ kind: "call", call, part, member, request }, () => {
        this.#waiting.delete(call)
        reject(processHasEnded())
      })
    })
  }

  #send(message: SuiteMessage, onFailure: () => void): void {
    try {
      this.#child.send(message, (error) => error && onFailure())
    } catch {
      onFailure()
    }
  }

  #receive(message: SuiteMessage): void {
    if (message.kind === "ready") this.onReady(message)
    if (message.kind !== "reply" && message.kind !== "error") return
    const call = this.#waiting.get(message.call)
    this.#waiting.delete(message.call)
    if (message.kind === "reply") call?.resolve(message.value)
    else call?.reject(receivedError(message.error))
  }
}

function processHasEnded(): StoreError {
  return new StoreError("The store's process has ended.", { code: "store-unavailable", applied: "maybe" })
}

function receivedError({ message, causes, code, applied }: SentError): Error {
  const cause = causes.reduceRight<Error | undefined>(
    (inner, message) => new Error(message, { cause: inner }),
    undefined,
  )
  if (applied !== undefined) return new StoreError(message, { code: code as StoreErrorCode, applied, cause })
  return new Error(`In the other process: ${message}`, { cause })
}
