import type { Budget, Subject } from "@p2/budget"
import { checkOptions, hideString, InvalidArgumentError } from "@p2/core"
import {
  checkUnwrapped,
  type Guard,
  type GuardAttempt,
  type GuardOptions,
  readGuardOptions,
} from "../fetch/guard-options"
import { SUBJECT_NAMES } from "../fetch/scope/scope"
import { type OtherRemedies, REMEDY_NAMES, withRemedies } from "./remedies"
import { readUpstream, type Upstream, type UpstreamOptions } from "./upstream"

/** The options that a proxy shares with `guardFetch`. */
type SharedOptions = Pick<
  GuardOptions,
  | "maxOutputTokens"
  | "clampTo"
  | "inputBound"
  | "wait"
  | "charge"
  | "unknownEndpoints"
  | "onWarning"
  | "maxToolCalls"
  | "maxImageTokens"
  | "maxAudioSeconds"
  | "maxSpeechTokens"
  | "batchUpperBound"
  | "serviceTier"
  | "prices"
  | "fetch"
  | "bodyIdleMs"
>

/** Options of `createProxy`. */
export interface ProxyOptions extends SharedOptions {
  /** The budget whose limits every call must fit, unless `authenticate` returns another budget. */
  budget: Budget
  /**
   * The providers, by the first segment of the path: `{ openai: { apiKey } }` serves `/openai/v1`. A provider of the table in
   * docs/proxy.md needs no `baseURL`.
   */
  upstreams: Readonly<Record<string, UpstreamOptions>>
  authenticate: Authenticate
  /** The path before the name of the upstream, such as `/llm`. @defaultValue none */
  basePath?: string | undefined
  /** Rejects requests with another `Host` (403): a page that rebinds its DNS name cannot call a local proxy. @defaultValue every host */
  allowedHosts?: readonly string[] | undefined
  /** Rejects requests with another `Origin` (403); `[]` rejects all that browsers send to other origins. @defaultValue every origin */
  allowedOrigins?: readonly string[] | undefined
  /** The largest request body, in bytes; at most the default. @defaultValue 32 MiB */
  maxBodyBytes?: number | undefined
  /**
   * What the callers can do when the message of a denial or rejection recommends a change of the budget or of an option of this
   * proxy: a sentence that replaces the recommendation. @defaultValue the recommendation itself
   */
  hints?: OtherRemedies | undefined
  /** Called after each attempt that was reserved or denied, with its caller. An exception that it throws is ignored. */
  onAttempt?: ((attempt: GuardAttempt, caller: ProxyCaller) => void) | undefined
}

/**
 * Identifies the caller. Undefined: unknown, so the call gets status 401. If it throws, the call gets status 503.
 *
 * @param token what the caller sent instead of the provider's key; undefined: nothing
 */
export type Authenticate = (
  token: string | undefined,
  request: Request,
) => ProxyCaller | undefined | Promise<ProxyCaller | undefined>

/** Who calls, and what the calls may spend. */
export interface ProxyCaller {
  subject?: Subject | undefined
  /** @defaultValue the budget of the proxy */
  budget?: Budget | undefined
  /** The models that the caller may use, as calls name them. @defaultValue every model */
  models?: readonly string[] | undefined
  /**
   * Reads the headers `x-p2-user`, `x-p2-client`, `x-p2-request` and `x-p2-tags`, which complete `subject` and cannot override
   * its fields. @defaultValue false: they are removed, because a caller that names itself escapes its limits
   */
  subjectHeaders?: boolean | undefined
}

/** Validated options, with defaults. */
export interface ProxySettings {
  guard: Guard
  upstreams: ReadonlyMap<string, Upstream>
  authenticate: Authenticate
  basePath: string
  allowedHosts: ReadonlySet<string> | undefined
  allowedOrigins: ReadonlySet<string> | undefined
  maxBodyBytes: number
  onAttempt: ProxyOptions["onAttempt"]
}

const MAX_BODY_BYTES = 32 * 1024 * 1024

/** Bytes of one stream that wait for a slow reader: 64 KiB, because a proxy has many streams. */
const MAX_BYTES_AHEAD = 64 * 1024

const GUARD_NAMES = [
  ...(["maxOutputTokens", "clampTo", "inputBound", "wait", "charge", "unknownEndpoints"] as const),
  ...(["maxToolCalls", "maxImageTokens", "maxAudioSeconds", "maxSpeechTokens", "batchUpperBound"] as const),
  ...(["serviceTier", "prices", "fetch", "bodyIdleMs", "onWarning"] as const),
]
const NAMES: ReadonlySet<string> = new Set([
  ...["budget", "upstreams", "authenticate", "basePath", "allowedHosts", "allowedOrigins", "maxBodyBytes", "hints"],
  "onAttempt",
  ...GUARD_NAMES,
])
const USER = "Did you mean `subject: { userId }`?"
const CALLER_ADVICE = { userId: USER, user: USER } as const
const CALLER_NAMES: ReadonlySet<string> = new Set(["subject", "budget", "models", "subjectHeaders"])

const PER_UPSTREAM = "It belongs to an upstream: `upstreams: { openai: { apiKey } }`."
const IN_SERVE = "It is an option of `serveProxy(proxy, { hostname, port })`."
const ADVICE = {
  apiKey: PER_UPSTREAM,
  baseURL: PER_UPSTREAM,
  provider: PER_UPSTREAM,
  deployments: "It belongs to an upstream: `upstreams: { azure: { baseURL, apiKey, deployments } }`.",
  subject: "`authenticate` returns it: `authenticate: (token) => ({ subject })`.",
  token: "Did you mean `authenticate: acceptToken(token)`?",
  limits: "Limits belong to the budget: `createBudget({ store, limits })`.",
  port: IN_SERVE,
  hostname: IN_SERVE,
} as const

/** @throws InvalidArgumentError */
export function readProxyOptions(options: ProxyOptions): ProxySettings {
  checkUnwrapped(options)
  checkOptions(options, NAMES, "options", ADVICE)
  const { budget, upstreams, authenticate, basePath = "", maxBodyBytes = MAX_BODY_BYTES, onAttempt } = options
  const shared = Object.fromEntries(GUARD_NAMES.flatMap((name) => (name in options ? [[name, options[name]]] : [])))
  const guard = readGuardOptions({ ...shared, budget })
  if (typeof authenticate !== "function")
    throw new InvalidArgumentError("authenticate", "a function such as `acceptToken(token)`", hideString(authenticate))
  if (
    typeof upstreams !== "object" ||
    upstreams === null ||
    Array.isArray(upstreams) ||
    Object.keys(upstreams).length === 0
  )
    throw new InvalidArgumentError(
      "upstreams",
      "at least one provider, such as `{ openai: { apiKey } }`",
      hideString(upstreams),
    )
  if (!/^(\/[\w.~-]+)*$/.test(basePath))
    throw new InvalidArgumentError("basePath", 'a path such as "/llm", without a slash at its end', basePath)
  if (!(Number.isSafeInteger(maxBodyBytes) && maxBodyBytes > 0 && maxBodyBytes <= MAX_BODY_BYTES))
    throw new InvalidArgumentError("maxBodyBytes", `an integer from 1 to ${MAX_BODY_BYTES}`, maxBodyBytes)
  if (onAttempt !== undefined && typeof onAttempt !== "function")
    throw new InvalidArgumentError("onAttempt", "a function", onAttempt)
  return {
    guard: { ...guard, maxBytesAhead: MAX_BYTES_AHEAD, messageForCallers: readHints(options.hints) },
    upstreams: new Map(
      Object.entries(upstreams).map(([name, value]) => [name, readUpstream(name, value, options.prices)]),
    ),
    authenticate,
    basePath,
    allowedHosts: namesOf(options.allowedHosts, "allowedHosts"),
    allowedOrigins: namesOf(options.allowedOrigins, "allowedOrigins"),
    maxBodyBytes,
    onAttempt,
  }
}

/** Callers of a proxy with hints cannot do anything else. */
function readHints(hints: ProxyOptions["hints"]): Guard["messageForCallers"] {
  if (hints === undefined) return undefined
  checkOptions(hints, new Set(REMEDY_NAMES), "hints")
  for (const [name, hint] of Object.entries(hints))
    if (hint !== undefined && typeof hint !== "string")
      throw new InvalidArgumentError(`hints.${name}`, "a string", hint)
  const others = Object.fromEntries(REMEDY_NAMES.map((name) => [name, hints[name]]))
  return (message) => withRemedies(message, others)
}

function namesOf(values: readonly string[] | undefined, name: string): ReadonlySet<string> | undefined {
  if (values === undefined) return undefined
  if (!Array.isArray(values) || !values.every((value) => typeof value === "string"))
    throw new InvalidArgumentError(name, "an array of strings", values)
  return new Set(values.map((value) => value.toLowerCase()))
}

/** Checks what `authenticate` returned: a misspelled field must not lift a limit. @throws InvalidArgumentError */
export function checkCaller(caller: ProxyCaller): void {
  checkOptions(caller, CALLER_NAMES, "caller", CALLER_ADVICE)
  const { subject, budget, models } = caller
  if (subject !== undefined) checkOptions(subject, SUBJECT_NAMES, "caller.subject")
  if (budget !== undefined && typeof budget?.reserve !== "function")
    throw new InvalidArgumentError("caller.budget", "a budget from `createBudget`", hideString(budget))
  if (models !== undefined && !(Array.isArray(models) && models.every((model) => typeof model === "string")))
    throw new InvalidArgumentError("caller.models", "an array of strings", models)
}
