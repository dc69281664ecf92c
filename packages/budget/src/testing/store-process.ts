import { P2Error } from "@p2/core"
import type { BudgetStore, StoreCapabilities } from "../store"
import { StoreError } from "../store-error"
import { SuiteFailure } from "./expect"
import type { StoreProcess } from "./target"

/** The end of the channel that a child process has: `process` of Node, started with `fork`. */
export interface ChildEnd {
  send?: ((message: unknown) => unknown) | undefined
  on(event: "message", listener: (message: unknown) => void): unknown
  disconnect?: (() => void) | undefined
}

/** The end of the channel that the parent has: what `fork` of `node:child_process` returns. */
export interface ParentEnd {
  send(message: object): unknown
  on(event: "message" | "exit", listener: (value: unknown) => void): unknown
  kill(signal: "SIGKILL"): unknown
}

/** What travels between the two. */
export type SuiteMessage =
  | { kind: "ready"; name: string; capabilities: StoreCapabilities; ledger: boolean }
  | { kind: "call"; call: number; part: "store" | "ledger"; member: string; argument: unknown }
  | { kind: "value"; call: number; value: unknown }
  | { kind: "error"; call: number; error: SentError }
  | { kind: "close" }

interface SentError {
  message: string
  code: string
  kind: string
  applied?: "no" | "maybe" | undefined
}

const STORE_MEMBERS = ["reserve", "settle", "extend", "read", "adjust", "sweep"] as const
const LEDGER_MEMBERS = ["record", "get", "list", "totals", "prune"] as const

/** In the child: answers the parent's calls with this store until the parent closes it. `channel` is Node's `process`. */
export function serveStore(store: BudgetStore, channel: ChildEnd): void {
  const send = (message: SuiteMessage): void => void channel.send?.(message)
  channel.on("message", async (received) => {
    const message = received as SuiteMessage
    if (message.kind === "close") {
      await store.close?.()
      channel.disconnect?.()
    }
    if (message.kind !== "call") return
    const { call, part, member, argument } = message
    try {
      const owner = (part === "store" ? store : store.ledger) as unknown as Record<
        string,
        (argument: unknown) => unknown
      >
      send({ kind: "value", call, value: await owner[member]!(argument) })
    } catch (error) {
      send({ kind: "error", call, error: sentError(error) })
    }
  })
  send({ kind: "ready", name: store.name, capabilities: store.capabilities, ledger: store.ledger !== undefined })
}

function sentError(error: unknown): SentError {
  if (!P2Error.isInstance(error)) return { message: String(error), code: "unknown", kind: "failed" }
  const { applied } = error as unknown as { applied?: "no" | "maybe" }
  return { message: error.message, code: error.code, kind: error.kind, applied }
}

/** In the parent: the store of a child that called `serveStore`. Resolves when the child is ready. */
export function connectStore(child: ParentEnd): Promise<StoreProcess> {
  return new Promise((resolve, reject) => {
    const waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>()
    let calls = 0
    let gone = false
    const exited = new Promise<void>((done) => {
      child.on("exit", () => {
        gone = true
        for (const call of waiting.values()) call.reject(lostProcess())
        waiting.clear()
        reject(new SuiteFailure("The store's process ended before it was ready."))
        done()
      })
    })
    const post = (message: SuiteMessage): void => void child.send(message)
    const caller = (part: "store" | "ledger", member: string) => (argument: unknown) =>
      new Promise((answered, failed) => {
        if (gone) return failed(lostProcess())
        const call = calls++
        waiting.set(call, { resolve: answered, reject: failed })
        post({ kind: "call", call, part, member, argument })
      })
    const members = (part: "store" | "ledger", names: readonly string[]) =>
      Object.fromEntries(names.map((name) => [name, caller(part, name)]))
    child.on("message", (received) => {
      const message = received as SuiteMessage
      if (message.kind === "ready") {
        const ledger = message.ledger ? members("ledger", LEDGER_MEMBERS) : undefined
        const { name, capabilities } = message
        resolve({
          store: { name, capabilities, ...members("store", STORE_MEMBERS), ledger } as unknown as BudgetStore,
          kill: async () => {
            child.kill("SIGKILL")
            await exited
          },
          close: async () => {
            if (!gone) post({ kind: "close" })
            await exited
          },
        })
        return
      }
      if (message.kind !== "value" && message.kind !== "error") return
      const call = waiting.get(message.call)
      waiting.delete(message.call)
      if (message.kind === "value") call?.resolve(message.value)
      else call?.reject(receivedError(message.error))
    })
  })
}

function lostProcess(): StoreError {
  return new StoreError("The store's process is gone.", { code: "unavailable", applied: "maybe" })
}

function receivedError(error: SentError): Error {
  if (error.applied !== undefined) {
    return new StoreError(error.message, { code: error.code as "unavailable", applied: error.applied })
  }
  if (error.kind !== "usage") return new SuiteFailure(`In the other process: ${error.message}`)
  return new P2Error(error.message, { code: error.code, kind: "usage" })
}
