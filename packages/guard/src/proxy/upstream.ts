import { checkOptions, correctSpelling, hideString, InvalidArgumentError } from "@p2/core"
import type { PriceTable } from "@p2/pricing"
import { checkProvider } from "../fetch/check-provider"
import type { ErrorFormat } from "../fetch/errors/error-body"
import { KNOWN_PROVIDERS } from "../protocols/variants/known-providers"

/** Where calls under one prefix are sent, and with which key. */
export interface UpstreamOptions {
  /**
   * The base URL, as the provider's SDK accepts it: `https://api.openai.com/v1`, for Anthropic and Gemini with or
   * without the version, for Azure `https://name.openai.azure.com`. @defaultValue that of the provider with the name of
   * the upstream
   */
  baseURL?: string | undefined
  /** The provider's key, or a function that returns it for each call. It replaces what the caller sent. @defaultValue no key is sent */
  apiKey?: string | (() => string | Promise<string>) | undefined
  /** Answers every call with status 401 and this message, for example because the key is not set. @defaultValue the upstream is available */
  unavailable?: string | undefined
  /** Headers that are added to every call and override the caller's, such as `openai-project`. */
  headers?: Readonly<Record<string, string>> | undefined
  /** The provider whose prices apply at a host that is not in the table of providers. @defaultValue the name of the upstream */
  provider?: string | undefined
  /** Azure: the model behind each deployment name. */
  deployments?: Readonly<Record<string, string>> | undefined
}

/** How a provider accepts its key, and the form of its paths and errors. */
type Dialect = "openai" | "anthropic" | "gemini" | "azure"

export interface Upstream {
  name: string
  dialect: Dialect
  /** The name of the provider, for prices and rules. */
  provider: string
  deployments: Readonly<Record<string, string>>
  headers: Readonly<Record<string, string>>
  unavailable: string | undefined
  apiKey(): Promise<string | undefined>
  /** The URL for a path below the name of the upstream. */
  urlOf(path: string, query: string): URL
}

const NAMES: ReadonlySet<string> = new Set(["baseURL", "apiKey", "unavailable", "headers", "provider", "deployments"])
const ADVICE = { url: "Did you mean `baseURL`?", key: "Did you mean `apiKey`?", token: "Did you mean `apiKey`?" }

/** The roots of APIs whose paths begin with a version that callers may write or omit. */
const ROOTS: Readonly<Record<string, string>> = {
  anthropic: "https://api.anthropic.com",
  gemini: "https://generativelanguage.googleapis.com",
}

/** @throws InvalidArgumentError */
export function readUpstream(name: string, options: UpstreamOptions, prices: PriceTable | undefined): Upstream {
  const argument = `upstreams.${name}`
  if (!/^[\w-]{1,40}$/.test(name))
    throw new InvalidArgumentError("upstreams", "names of letters, digits, - and _", hideString(name))
  if (typeof options === "string")
    throw new InvalidArgumentError(argument, "an object such as { apiKey }", hideString(options))
  checkOptions(options, NAMES, argument, ADVICE)
  const known = KNOWN_PROVIDERS.find((each) => each.name === name)
  const { baseURL = ROOTS[name] ?? known?.baseURL, apiKey, headers = {}, provider = name, deployments = {} } = options
  const { unavailable } = options
  if (apiKey !== undefined && typeof apiKey !== "function" && !isHeaderValue(apiKey))
    throw new InvalidArgumentError(`${argument}.apiKey`, "a key, or a function that returns one", hideString(apiKey))
  if (unavailable !== undefined && (typeof unavailable !== "string" || unavailable === ""))
    throw new InvalidArgumentError(`${argument}.unavailable`, "a message", unavailable)
  if (unavailable !== undefined && apiKey !== undefined)
    throw new InvalidArgumentError(
      `${argument}.unavailable`,
      "absent, because there is an `apiKey`",
      hideString(unavailable),
    )
  for (const [header, value] of Object.entries(headers)) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(header))
      throw new InvalidArgumentError(`${argument}.headers`, "names of headers", hideString(header))
    if (!isHeaderValue(value))
      throw new InvalidArgumentError(`${argument}.headers.${header}`, "a string of ASCII characters", hideString(value))
  }
  checkProvider(options.provider, `${argument}.provider`, prices)
  const dialect = dialectOf(provider)
  if (baseURL === undefined) throw missingBase(name, argument)
  const base = readBase(baseURL, argument)
  return {
    ...{ name, dialect, provider, deployments, headers, unavailable },
    apiKey: async () => (typeof apiKey === "function" ? apiKey() : apiKey),
    urlOf: (path, query) => new URL(`${base.origin}${pathAt(dialect, base.pathname, path, known?.baseURL)}${query}`),
  }
}

function dialectOf(provider: string): Dialect {
  return provider === "anthropic" || provider === "gemini" || provider === "azure" ? provider : "openai"
}

/** The error for an upstream that is not a known provider, probably because its name is misspelled. */
function missingBase(name: string, argument: string): InvalidArgumentError {
  const names = new Set(KNOWN_PROVIDERS.map((known) => known.name))
  const nearest = names.has(name) ? undefined : correctSpelling(name, names)
  const hint = nearest === undefined ? "" : ` Did you mean \`upstreams.${nearest}\`?`
  const message = `Invalid \`${argument}.baseURL\`: expected ${BASE_URL}, got undefined.${hint}`
  return new InvalidArgumentError(`${argument}.baseURL`, BASE_URL, undefined, message)
}

const BASE_URL = 'an http or https URL without credentials, query and fragment, such as "https://api.openai.com/v1"'

function readBase(baseURL: string, argument: string): { origin: string; pathname: string } {
  const url = typeof baseURL === "string" && URL.canParse(baseURL) ? new URL(baseURL) : undefined
  const isPlain = url !== undefined && url.username + url.password + url.search + url.hash === ""
  if (!isPlain || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError(`${argument}.baseURL`, BASE_URL, hideString(baseURL))
  return { origin: url.origin, pathname: url.pathname.replace(/\/+$/, "") }
}

/** The path at the upstream. Callers may write the version of the API or omit it, as their SDKs do. */
function pathAt(dialect: Dialect, basePath: string, path: string, knownBaseURL = ""): string {
  switch (dialect) {
    case "azure":
      return `${basePath.replace(/\/openai(\/v1)?$/, "")}${path}`
    case "gemini": {
      const root = basePath.replace(/\/v1(beta|alpha)?\d*(\/openai)?$/, "")
      return /^\/(upload\/)?v\d/.test(path) ? `${root}${path}` : `${root}/v1beta${path}`
    }
    case "anthropic":
      return `${basePath.replace(/\/v1$/, "")}/v1${withoutPrefix(path, "/v1")}`
    case "openai": {
      const prefixes = [basePath, new URL(knownBaseURL || "http://unknown").pathname, "/v1"]
      const prefix = basePath === "" ? undefined : prefixes.find((each) => withoutPrefix(path, each) !== path)
      return `${basePath}${prefix === undefined ? path : withoutPrefix(path, prefix)}`
    }
  }
}

function withoutPrefix(path: string, prefix: string): string {
  return path === prefix || path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path
}

/** Whether a value can be sent in a header: printable ASCII on one line. */
function isHeaderValue(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value)
}

/** How an upstream accepts its key at a path, and formats its errors. */
export interface PathFormat {
  keyHeader: string
  /** Before the key. */
  keyPrefix: string
  errors: ErrorFormat
}

const BEARER: PathFormat = { keyHeader: "authorization", keyPrefix: "Bearer ", errors: "openai" }

/** Anthropic and Gemini also have paths in OpenAI's format. */
export function formatAt({ dialect }: Upstream, { pathname }: URL): PathFormat {
  switch (dialect) {
    case "azure":
      return { keyHeader: "api-key", keyPrefix: "", errors: "openai" }
    case "anthropic":
      return pathname.endsWith("/chat/completions")
        ? BEARER
        : { keyHeader: "x-api-key", keyPrefix: "", errors: "anthropic" }
    case "gemini":
      return /\/openai(\/|$)/.test(pathname) ? BEARER : { keyHeader: "x-goog-api-key", keyPrefix: "", errors: "google" }
    case "openai":
      return BEARER
  }
}
