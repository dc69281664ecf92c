import type { Budget, BudgetAlert, BudgetStore } from "@p2/budget"
import type { ChargeOptions } from "@p2/guard/charge"
import { onAbort } from "@p2/guard/transport"
import type { PriceTable } from "@p2/pricing"
import type { OpenAI } from "openai"
import type { Provider } from "../providers/provider"
import type { ToolChoice, ToolSet } from "../steps/tool"

/** Receives one message per attempt and per tool call. `console` is a valid logger. */
export interface Logger {
  debug?(message: string, fields?: Record<string, unknown>): void
  info?(message: string, fields?: Record<string, unknown>): void
  warn?(message: string, fields?: Record<string, unknown>): void
  error?(message: string, fields?: Record<string, unknown>): void
}

/** Deadlines of one attempt, in milliseconds, in addition to the total deadline (`timeoutMs` of the request). */
export interface Deadlines {
  /** Until the request is written to the connection. @defaultValue 10000 */
  connectMs?: number | undefined
  /** Streams: from sending to the first content; comments and empty chunks do not count. @defaultValue 60000 */
  firstContentMs?: number | undefined
  /** From one piece of content to the next; comments do not count. @defaultValue 30000 */
  idleMs?: number | undefined
}

/** Options of an {@link LLMClient} in addition to the request. */
export interface LLMClientOptions<Tools extends ToolSet | undefined = undefined> {
  /** Functions that the model may call, by name. Create them with `tool(…)`. @defaultValue none */
  tools?: Tools | undefined
  /**
   * Which tools the model may or must call in the first step of a call. `none` applies to every step.
   * @defaultValue "auto"
   */
  toolChoice?: ToolChoice<Tools> | undefined
  /**
   * Maximum number of steps of a call, 1 to 100. In each step before the last, the tools that the model calls are run,
   * and their results are sent in the next step. The calls of the last step are returned. All steps share one
   * `maxBudget`.
   * @defaultValue 1
   */
  maxSteps?: number | undefined
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
  /** API keys by provider, for fallbacks too: `{ openrouter: "…" }`. @defaultValue the providers' environment variables */
  apiKeys?: Readonly<Record<string, string>> | undefined
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
  /**
   * How long an attempt waits for budget that other calls have reserved, in milliseconds, instead of being denied. The
   * total deadline includes the wait. A denial that waiting cannot prevent comes immediately.
   * @defaultValue no wait
   */
  wait?: { timeoutMs: number } | undefined
  /**
   * Called when the spending of a call crosses a threshold of `alertAt`, in the request's budgets or in limits of `budget`:
   * once per threshold and window, by the process that crosses it.
   */
  onAlert?: ((alert: BudgetAlert) => void) | undefined
  /** Stores prompts and answers in the usage ledger, up to 64 KiB of each. @defaultValue false */
  recordContent?: boolean | undefined
  /** For tests: replaces the clock, the waits between retries, and the jitter. */
  clock?: ClientClock | undefined
}

/** Options of one call. */
export interface CallOptions {
  /** Aborts the call and settles it immediately. */
  signal?: AbortSignal | undefined
  /** @defaultValue `wait` of the client */
  wait?: { timeoutMs: number } | undefined
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
        stopListening?.()
        if (signal?.aborted) reject(signal.reason)
        else resolve()
      }
      const timer = setTimeout(end, ms)
      const stopListening = signal && onAbort(signal, end)
      if (signal?.aborted) end()
    }),
}
