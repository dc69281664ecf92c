import { checkOptions, InvalidArgumentError } from "@p2/core"
import { checkUnwrapped, type Guard, type GuardOptions, readGuardOptions } from "../fetch/guard-options"

/** Options of {@link budgetMiddleware}. */
export interface BudgetMiddlewareOptions
  extends Pick<
    GuardOptions,
    | "budget"
    | "subject"
    | "maxOutputTokens"
    | "clampTo"
    | "wait"
    | "charge"
    | "provider"
    | "prices"
    | "serviceTier"
    | "onAttempt"
    | "onWarning"
  > {
  /**
   * The id of the price of each model id that the price table does not list, such as
   * `{ "my-deployment": "azure/gpt-4o-mini" }`. @defaultValue `<provider>/<model id>`
   */
  models?: Readonly<Record<string, string>> | undefined
  /**
   * The region of the base URL, such as `"eu"`. The middleware does not see the URL, and a region may cost more.
   * @defaultValue none: the provider's global endpoint
   */
  region?: string | undefined
  /** Options of the provider that do not change the cost of a call, such as `["ollama.keepAlive"]`. @defaultValue none: an unknown option is rejected */
  freeProviderOptions?: readonly string[] | undefined
  /**
   * Maximum output tokens of one image, for image models that are billed per token. @defaultValue none: such a call is
   * rejected
   */
  maxImageTokens?: number | undefined
  /** Ends a stream that nobody reads for this long, in milliseconds. @defaultValue 120,000 */
  streamIdleMs?: number | undefined
}

/** Validated options, with defaults. */
export interface ModelGuard extends Guard {
  models: Readonly<Record<string, string>>
  region: string | undefined
  freeProviderOptions: ReadonlySet<string>
  maxImageTokens: number | undefined
}

const NAMES: ReadonlySet<string> = new Set([
  ...["budget", "subject", "maxOutputTokens", "clampTo", "wait", "charge", "provider", "prices", "serviceTier"],
  ...["onAttempt", "onWarning", "models", "region", "freeProviderOptions", "maxImageTokens", "streamIdleMs"],
])

const ADVICE = {
  fetch: "Pass `guardFetch({ budget })` as `fetch` of the provider instead of the middleware.",
  maxTokens: "Did you mean `maxOutputTokens`?",
  deployments: "Did you mean `models`?",
  bodyIdleMs: "Did you mean `streamIdleMs`?",
  limits: "Limits belong to the budget: `createBudget({ store, limits })`.",
} as const

/** @throws InvalidArgumentError */
export function readMiddlewareOptions(options: BudgetMiddlewareOptions): ModelGuard {
  checkUnwrapped(options)
  checkOptions(options, NAMES, "options", ADVICE)
  const { models = {}, region, freeProviderOptions = [], maxImageTokens, streamIdleMs, ...guardOptions } = options
  if (!isStringRecord(models)) throw new InvalidArgumentError("models", "an object of model ids", models)
  if (region !== undefined && typeof region !== "string")
    throw new InvalidArgumentError("region", "the name of a region", region)
  if (!Array.isArray(freeProviderOptions) || !freeProviderOptions.every((name) => /^[^.]+\.[^.]+$/.test(String(name))))
    throw new InvalidArgumentError("freeProviderOptions", 'names such as "ollama.keepAlive"', freeProviderOptions)
  for (const [name, value] of Object.entries({ maxImageTokens, streamIdleMs }))
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0))
      throw new InvalidArgumentError(name, "a positive integer", value)
  const guard = readGuardOptions({ ...guardOptions, bodyIdleMs: streamIdleMs })
  return { ...guard, models, region, freeProviderOptions: new Set(freeProviderOptions), maxImageTokens }
}

function isStringRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.values(value).every((each) => typeof each === "string")
}
