import type { Budget, BudgetStore } from "@p2/budget"
import type { PriceTable } from "@p2/pricing"
import type { OpenAI } from "openai"
import type { Provider } from "./provider"

/** Where the client writes what it does, one line per event. `console` fits. */
export interface Logger {
  debug?(message: string, fields?: Record<string, unknown>): void
  info?(message: string, fields?: Record<string, unknown>): void
  warn?(message: string, fields?: Record<string, unknown>): void
  error?(message: string, fields?: Record<string, unknown>): void
}

/** Deadlines beside the total one (`timeoutMs` of the request), in milliseconds. */
export interface Deadlines {
  /** Until the request is on the wire. @defaultValue 10000 */
  connectMs?: number | undefined
  /** Streams: from sending until the first content; comments and empty chunks do not count. @defaultValue 60000 */
  firstContentMs?: number | undefined
  /** From one piece of content to the next; comments do not count. @defaultValue 30000 */
  idleMs?: number | undefined
}

/** What an {@link LLMClient} is made of, beside the request. */
export interface LLMClientOptions {
  /**
   * Where budgets and the usage ledger live: a store, or `"memory:"`, `"file:./p2.db"`, `"redis://…"`.
   * @defaultValue one memory store per process
   */
  store?: BudgetStore | string | undefined
  /** A budget of your own, with its limits. Its scopes are reserved together with the request's. Not with `store`. */
  budget?: Budget | undefined
  /** Your own OpenAI instance. Its retries are not used. */
  openai?: OpenAI | undefined
  /** Replaces the provider's base URL for the request's own model. */
  baseURL?: string | undefined
  /** Replaces the provider's key variable for the request's own model. */
  apiKey?: string | undefined
  /** Your prices, from `createPriceTable`. @defaultValue the published table */
  prices?: PriceTable | undefined
  /** Providers of your own, or changes to known ones. */
  providers?: readonly Provider[] | undefined
  /** @defaultValue none */
  logger?: Logger | undefined
  deadlines?: Deadlines | undefined
  /** Keeps prompts and answers in the usage ledger, 64 KiB of each. @defaultValue false */
  recordContent?: boolean | undefined
  /** For tests: replaces the clock, the waiting between retries and the jitter. */
  clock?: ClientClock | undefined
}

/** Time and chance, as a test may set them. */
export interface ClientClock {
  /** Epoch milliseconds. */
  now(): number
  /** Waits; rejects with the signal's reason when it fires. */
  sleep(ms: number, signal: AbortSignal | undefined): Promise<void>
  /** In [0, 1). */
  random(): number
}
