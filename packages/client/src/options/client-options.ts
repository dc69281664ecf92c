import type { Budget, BudgetStore } from "@p2/budget"
import type { ChargeOptions } from "@p2/guard/charge"
import type { PriceTable } from "@p2/pricing"
import type { OpenAI } from "openai"
import type { Provider } from "../providers/provider"

/** Receives one message per attempt. `console` is a valid logger. */
export interface Logger {
  debug?(message: string, fields?: Record<string, unknown>): void
  info?(message: string, fields?: Record<string, unknown>): void
  warn?(message: string, fields?: Record<string, unknown>): void
  error?(message: string, fields?: Record<string, unknown>): void
}

/** Deadlines of one attempt, in milliseconds, beside the total one (`timeoutMs` of the request). */
export interface Deadlines {
  /** Until the request is written to the connection. @defaultValue 10000 */
  connectMs?: number | undefined
  /** Streams: from sending to the first content; comments and empty chunks do not count. @defaultValue 60000 */
  firstContentMs?: number | undefined
  /** From one piece of content to the next; comments do not count. @defaultValue 30000 */
  idleMs?: number | undefined
}

/** Options of an {@link LLMClient} beside the request. */
export interface LLMClientOptions {
  /**
   * Where budgets and the usage ledger are stored: a store, or `"memory:"`, `"file:./p2.db"`, `"redis://…"`,
   * `"postgres://…"`.
   * @defaultValue one memory store per process
   */
  store?: BudgetStore | string | undefined
  /** Your own budget. Its limits are reserved together with the request's. Cannot be combined with `store`. */
  budget?: Budget | undefined
  /** Your own OpenAI instance. Its retries are not used. */
  openai?: OpenAI | undefined
  /** Base URL of the request's own provider. @defaultValue the provider's */
  baseURL?: string | undefined
  /** API key of the request's own provider. @defaultValue the provider's environment variable */
  apiKey?: string | undefined
  /** Your prices, from `createPriceTable`. @defaultValue the published table */
  prices?: PriceTable | undefined
  /** Your own providers, or changes to known ones. */
  providers?: readonly Provider[] | undefined
  /** @defaultValue none */
  logger?: Logger | undefined
  deadlines?: Deadlines | undefined
  /**
   * What is charged for attempts that were sent and whose cost neither a reported usage nor a documented rule decides.
   * @defaultValue `{ serverError: "bound", abort: "bound" }`: the whole reservation
   */
  charge?: ChargeOptions | undefined
  /** Stores prompts and answers in the usage ledger, up to 64 KiB of each. @defaultValue false */
  recordContent?: boolean | undefined
  /** For tests: replaces the clock, the waits between retries, and the jitter. */
  clock?: ClientClock | undefined
}

/** Options of one call. */
export interface CallOptions {
  /** Aborts the call, which is settled at once. */
  signal?: AbortSignal | undefined
}

/** Time and randomness, so that tests can control them. */
export interface ClientClock {
  /** Epoch milliseconds. */
  now(): number
  /** Waits; rejects with the signal's reason when it fires. */
  sleep(ms: number, signal: AbortSignal | undefined): Promise<void>
  /** In [0, 1). */
  random(): number
}

export const systemClock: ClientClock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer)
        signal?.removeEventListener("abort", end)
        if (signal?.aborted) reject(signal.reason)
        else resolve()
      }
      const timer = setTimeout(end, ms)
      signal?.addEventListener("abort", end)
      if (signal?.aborted) end()
    }),
}
