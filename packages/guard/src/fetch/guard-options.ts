import type { Budget, LimitStatus, Subject, WaitOptions } from "@p2/budget"
import type { CostSource, NanoUsd } from "@p2/core"
import { checkOptions, InvalidArgumentError, LruMap, usd } from "@p2/core"
import { createPriceTable, type PriceTable } from "@p2/pricing"
import type { ChargeOptions } from "../charge/charge"
import { createInputBounds } from "../input-bound/create-input-bounds"
import type { InputBoundMode, InputBounds } from "../input-bound/input-bounds"
import type { Rejection } from "../protocols/protocol"
import type { FileBound } from "../protocols/variants/batch-price"
import { sendCounted } from "../transport/counted-call"
import { checkProvider } from "./check-provider"
import { SUBJECT_NAMES } from "./scope/scope"

/** Options of `guardFetch`. */
export interface GuardOptions {
  /** The budget whose limits every call must fit. `withBudget` replaces it for the calls inside. */
  budget: Budget
  /** Whose calls these are. `withBudget` and the headers `x-p2-user`, `x-p2-client`, `x-p2-request` and `x-p2-tags` override its fields. */
  subject?: Subject | undefined
  /** Output limit, in tokens, of calls that set none. @defaultValue none: such a call is bounded by the model's maximum */
  maxOutputTokens?: number | undefined
  /**
   * Lowers the output limit of a call: `"maxOutputTokens"` to that option; `"budget"` also to what the denying limits can
   * still pay. Never below a thinking budget. @defaultValue a limit that the call sets is kept
   */
  clampTo?: "maxOutputTokens" | "budget" | undefined
  /**
   * How the input of a call is bounded: by rules that hold for every text, by the provider's free count with a margin, or by what it
   * reported for similar calls, which a call can exceed. See docs/input-bounds.md. @defaultValue "hard"
   */
  inputBound?: InputBoundMode | undefined
  /**
   * Waits until the call fits the limits instead of denying immediately. A slow start of the circuit breaker can wait
   * without it too: see docs/charges.md. @defaultValue no wait
   */
  wait?: Pick<WaitOptions, "timeoutMs"> | undefined
  /** What to charge when the cost is in doubt. @defaultValue the provider's documented rule, else the upper bound */
  charge?: ChargeOptions | undefined
  /**
   * Whether a call that no protocol describes is rejected, or sent without a limit and reported as `passed`. A path that is
   * understood is rejected in either case if the host is unknown: set `provider`. @defaultValue "reject"
   */
  unknownEndpoints?: "reject" | "pass" | undefined
  /** Azure: the model behind each deployment name. */
  deployments?: Readonly<Record<string, string>> | undefined
  /**
   * The provider's name, for a host that is not in the table of providers: one with listed prices, such as `"openai"`, or
   * any name with `prices` of your own.
   */
  provider?: string | undefined
  /** `max_tool_calls` for Responses with hosted tools and no maximum. @defaultValue none: such a call is rejected */
  maxToolCalls?: number | undefined
  /**
   * Sent to OpenAI if a call states no service tier, such as `"default"`. Without one, a setting of the provider's project
   * decides, and the bound is that of the most expensive tier. @defaultValue none is sent
   */
  serviceTier?: string | undefined
  /**
   * Maximum output tokens of one generated image, without partial images, for models and qualities whose tokens OpenAI
   * does not list, such as `gpt-image-2.5-flare`. A call can exceed it; then its whole cost is charged. @defaultValue
   * none: such a call is rejected
   */
  maxImageTokens?: number | undefined
  /**
   * Maximum seconds of an audio file that is not uncompressed WAV, for models that are billed by the second, such as
   * `whisper-1`. A call can exceed it; then its whole cost is charged. @defaultValue none: such a call is rejected
   */
  maxAudioSeconds?: number | undefined
  /**
   * Maximum output tokens of speech, for models that are billed by them, such as `gpt-4o-mini-tts`. A call can exceed
   * it; then its whole cost is charged, if it is reported (`stream_format: "sse"`). @defaultValue none: such a call is
   * rejected
   */
  maxSpeechTokens?: number | undefined
  /**
   * Maximum cost of one batch, in dollars, for batches whose file this guard did not upload or cannot bound. A batch
   * can exceed it; then its whole cost is charged. Limits in tokens count such a batch only when it ends. @defaultValue
   * none: such a batch is rejected
   */
  batchUpperBound?: number | string | undefined
  /** @defaultValue the published prices of `@p2/pricing` */
  prices?: PriceTable | undefined
  /**
   * Sends the calls; must not retry, and must not be guarded. @defaultValue the global `fetch` when `guardFetch` is
   * called
   */
  fetch?: typeof fetch | undefined
  /** Ends a response that nobody reads for this long, in milliseconds. @defaultValue 120,000 */
  bodyIdleMs?: number | undefined
  /** Called after each attempt that was reserved or denied, or passed without a limit. An exception that it throws is ignored. */
  onAttempt?: ((attempt: GuardAttempt) => void) | undefined
  /** Receives a warning when a model first costs more than was reserved. @defaultValue console.warn */
  onWarning?: ((message: string) => void) | undefined
}

/** One attempt, as it was charged. */
export interface GuardAttempt {
  /**
   * `released`: proven not sent. `denied`: the budget denied it. `continued`: a background response started; the call that sees
   * its end reports it again. `passed`: sent without a limit by `unknownEndpoints: "pass"`; it may cost something, but nothing is counted.
   */
  status: "succeeded" | "failed" | "released" | "denied" | "continued" | "passed"
  provider: string
  model: string
  /** Status of the provider's response; undefined: there was none. */
  httpStatus: number | undefined
  reservedNanoUsd: NanoUsd
  /** The limits right after the call was reserved, or those that denied it. */
  limits: readonly LimitStatus[]
  costNanoUsd: NanoUsd
  /** How much the cost exceeds the reservation: the provider reported more than the upper bound. */
  overrunNanoUsd: NanoUsd
  costSource: CostSource
  /** Sent, and neither usage nor a documented rule decided the charge. */
  inDoubt: boolean
  /** The store has not confirmed the charge yet; the budget sends it again. */
  isPending: boolean
  inputTokens: number | undefined
  outputTokens: number | undefined
  durationMs: number
}

/** Validated options, with defaults. */
export interface Guard extends GuardOptions {
  prices: PriceTable
  fetch: typeof fetch
  bodyIdleMs: number
  /** Bytes of a stream that wait for a slow reader. @defaultValue 1 MiB */
  maxBytesAhead?: number | undefined
  deployments: Readonly<Record<string, string>>
  inputBounds: InputBounds
  /** The upper bounds of the batch files that were uploaded, by host and id. */
  batchFiles: LruMap<string, FileBound | Rejection>
  batchUpperBoundNanoUsd: NanoUsd | undefined
  /** The response to a call of models that the caller of a proxy may not use; undefined: the caller may. */
  rejectModels?: ((models: readonly string[]) => Response | undefined) | undefined
  /** Changes the messages of errors for the callers of a proxy, who cannot change its options. */
  messageForCallers?: ((message: string) => string) | undefined
  /** Models for which an overrun warning was sent, as `provider/model`. */
  overrunModels: Set<string>
}

/** Marks a guarded `fetch`, even of another copy of this package. */
export const GUARDED = Symbol.for("@p2/guard/guarded-fetch")

/** What the caller states where no source has a maximum. */
const MAXIMUMS = ["maxToolCalls", "maxImageTokens", "maxAudioSeconds", "maxSpeechTokens"] as const

const NAMES: ReadonlySet<string> = new Set([
  ...["budget", "subject", "maxOutputTokens", "clampTo", "wait", "charge", "unknownEndpoints", "deployments"],
  ...["provider", "serviceTier", ...MAXIMUMS, "batchUpperBound", "prices", "fetch", "bodyIdleMs"],
  ...["onAttempt", "onWarning", "inputBound"],
])
const CHARGE_NAMES: ReadonlySet<string> = new Set(["serverError", "abort", "unbilledStatuses"])
const WAIT_NAMES: ReadonlySet<string> = new Set(["timeoutMs"])

const IN_SUBJECT = "It is part of the subject: `subject: { userId, clientId, tags }`."
const ADVICE = {
  maxTokens: "Did you mean `maxOutputTokens`?",
  max_tokens: "Did you mean `maxOutputTokens`?",
  limits: "Limits belong to the budget: `createBudget({ store, limits })`.",
  limit: "Limits belong to the budget: `createBudget({ store, limits })`.",
  store: "The store belongs to the budget: `createBudget({ store, limits })`.",
  user: IN_SUBJECT,
  userId: IN_SUBJECT,
  client: IN_SUBJECT,
  clientId: IN_SUBJECT,
  tags: IN_SUBJECT,
  timeoutMs: "Did you mean `wait: { timeoutMs }`?",
  retries: "The SDK retries, not the guard: set its `maxRetries`.",
  maxRetries: "The SDK retries, not the guard: set its `maxRetries`.",
  onDenied: "Did you mean `onAttempt`? Its `status` is then `denied`.",
} as const

/** @throws InvalidArgumentError for a budget in place of the options */
export function checkUnwrapped(options: object): void {
  if (typeof (options as Partial<Budget> | undefined)?.reserve === "function")
    throw new InvalidArgumentError("options", "an object such as { budget }", options)
}

/** @throws InvalidArgumentError */
export function readGuardOptions(options: GuardOptions): Guard {
  checkUnwrapped(options)
  checkOptions(options, NAMES, "options", ADVICE)
  const {
    budget,
    clampTo,
    charge = {},
    wait,
    unknownEndpoints,
    prices,
    deployments = {},
    bodyIdleMs = 120_000,
  } = options
  if (typeof budget?.reserve !== "function")
    throw new InvalidArgumentError("budget", "a budget from `createBudget`", budget)
  checkChoice(clampTo, ["maxOutputTokens", "budget"], "clampTo")
  checkChoice(unknownEndpoints, ["reject", "pass"], "unknownEndpoints")
  checkChoice(options.inputBound, ["hard", "provider", "calibrated"], "inputBound")
  if (clampTo === "maxOutputTokens" && options.maxOutputTokens === undefined)
    throw new InvalidArgumentError(
      "maxOutputTokens",
      'the limit to which `clampTo: "maxOutputTokens"` lowers',
      undefined,
    )
  if (typeof charge !== "object")
    throw new InvalidArgumentError("charge", 'an object such as { abort: "nothing" }', charge)
  checkOptions(charge, CHARGE_NAMES, "charge")
  for (const name of ["serverError", "abort"] as const)
    checkChoice(charge[name], ["bound", "input", "received", "nothing"], `charge.${name}`)
  const { unbilledStatuses = [] } = charge
  if (!Array.isArray(unbilledStatuses) || !unbilledStatuses.every((status) => status >= 400 && status <= 599))
    throw new InvalidArgumentError("charge.unbilledStatuses", "an array of statuses from 400 to 599", unbilledStatuses)
  if (options.subject !== undefined) checkOptions(options.subject, SUBJECT_NAMES, "subject")
  if (wait !== undefined && typeof wait !== "object")
    throw new InvalidArgumentError("wait", "an object such as { timeoutMs: 5000 }", wait)
  if (wait !== undefined) checkOptions(wait, WAIT_NAMES, "wait")
  if (prices !== undefined && typeof prices?.findPrice !== "function")
    throw new InvalidArgumentError("prices", "a table from `createPriceTable`", prices)
  if (typeof deployments !== "object")
    throw new InvalidArgumentError("deployments", 'an object such as { "my-deployment": "gpt-4o-mini" }', deployments)
  for (const name of ["maxOutputTokens", "bodyIdleMs", ...MAXIMUMS] as const) checkPositive(options[name], name)
  checkProvider(options.provider, "provider", prices)
  const { serviceTier } = options
  if (serviceTier !== undefined && (typeof serviceTier !== "string" || serviceTier !== serviceTier.toLowerCase()))
    throw new InvalidArgumentError("serviceTier", 'a string in lower case, such as "default"', serviceTier)
  checkFunction(options.fetch, "fetch")
  checkFunction(options.onAttempt, "onAttempt")
  checkFunction(options.onWarning, "onWarning")
  const inner = options.fetch ?? globalThis.fetch
  if (options.fetch !== undefined) checkUnguarded(options.fetch)
  // Workers and browsers reject a fetch that is called as a method of another object.
  const fetch: Guard["fetch"] = (...call) => sendCounted(() => inner(...call))
  const inputBounds = createInputBounds(options.inputBound)
  return {
    ...options,
    deployments,
    bodyIdleMs,
    prices: prices ?? publishedPrices(),
    fetch,
    inputBounds,
    batchFiles: new LruMap(1_000),
    batchUpperBoundNanoUsd: readBatchUpperBound(options.batchUpperBound),
    overrunModels: new Set(),
  }
}

function readBatchUpperBound(value: GuardOptions["batchUpperBound"]): NanoUsd | undefined {
  if (value === undefined) return undefined
  const nanoUsd = usd(value, "batchUpperBound")
  if (nanoUsd > 0) return nanoUsd
  throw new InvalidArgumentError("batchUpperBound", "a dollar amount above 0", value)
}

/** @throws InvalidArgumentError if a `fetch` is guarded: every call would be counted twice */
export function checkUnguarded(fetch: typeof globalThis.fetch): void {
  if (typeof fetch === "function" && GUARDED in fetch)
    throw new InvalidArgumentError(
      "fetch",
      "a fetch without a guard",
      undefined,
      "Invalid `fetch`: it is guarded already, so every call would be counted twice. Pass the `fetch` inside, or guard only once.",
    )
}

let published: PriceTable | undefined

function publishedPrices(): PriceTable {
  published ??= createPriceTable({}, { extends: "published" })
  return published
}

function checkChoice(value: unknown, choices: readonly string[], name: string): void {
  if (value !== undefined && !choices.includes(value as string))
    throw new InvalidArgumentError(name, `one of ${choices.map((choice) => `"${choice}"`).join(", ")}`, value)
}

function checkPositive(value: unknown, name: string): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && (value as number) > 0))
    throw new InvalidArgumentError(name, "a positive integer", value)
}

function checkFunction(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== "function") throw new InvalidArgumentError(name, "a function", value)
}
