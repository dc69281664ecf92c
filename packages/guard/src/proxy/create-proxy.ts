import type { Subject } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import { guardedFetch } from "../fetch/guard-fetch"
import type { Guard, GuardAttempt } from "../fetch/guard-options"
import { takeSubject } from "../fetch/scope/call-subject"
import { mergeSubjects } from "../fetch/scope/scope"
import { calledModels } from "./called-models"
import { queryWithoutToken, readToken } from "./credentials"
import { headersToSend } from "./passed-headers"
import { type ProxyErrorCode, proxyError } from "./proxy-error"
import { checkCaller, type ProxyCaller, type ProxyOptions, type ProxySettings, readProxyOptions } from "./proxy-options"
import { responseToReturn } from "./proxy-response"
import { readRequestBody } from "./request-body"
import { formatAt, type PathFormat, type Upstream } from "./upstream"

/** Answers one request. Never rejects. */
export type ProxyHandler = (request: Request) => Promise<Response>

/**
 * Creates a proxy between programs and providers, which reserves and settles each call as `guardFetch` does. Callers send the
 * proxy's token instead of the provider's key, wherever their SDK puts it; the proxy sends the key.
 *
 * @throws InvalidArgumentError if an option is invalid
 *
 * @example
 * const proxy = createProxy({ budget, upstreams: { openai: { apiKey } }, authenticate: acceptToken(token) })
 * new OpenAI({ baseURL: `${url}/openai/v1`, apiKey: token })
 */
export function createProxy(options: ProxyOptions): ProxyHandler {
  const settings = readProxyOptions(options)
  return (request) => answer(settings, request)
}

/** Where a request goes; `upstream` is undefined below a name that the options do not have. */
interface Route {
  /** The first segment of the path. */
  name: string
  upstream: Upstream | undefined
  /** At the upstream. */
  url: URL
  format: PathFormat
}

async function answer(settings: ProxySettings, request: Request): Promise<Response> {
  const url = new URL(request.url)
  const route = findRoute(settings, url)
  const fail: Fail = (...error) => proxyError(route.format.errors, ...error)
  const rejected = checkRequest(settings, request, url, fail)
  if (rejected !== undefined) return rejected
  // Some agent programs check that their base URL answers.
  if (request.method === "HEAD" && isBaseURL(settings, url, route)) return new Response(null, { status: 200 })
  const unavailable = route.upstream?.unavailable
  if (unavailable !== undefined) return fail("upstream_unavailable", unavailable)
  const sent = readToken(request.headers, url)
  if (sent.status === "ambiguous") return fail("invalid_token", "The request has several different tokens. Send one.")
  const token = sent.status === "sent" ? sent.token : undefined
  let caller: ProxyCaller | undefined
  try {
    caller = await settings.authenticate(token, request)
    if (caller !== undefined) checkCaller(caller)
  } catch {
    // What was thrown may contain the token.
    return fail(
      "authentication_failed",
      "The proxy could not check the token. Retry, or ask the operator of the proxy: its `authenticate` failed.",
    )
  }
  if (caller === undefined) return fail("invalid_token", describeToken(token), { "www-authenticate": "Bearer" })
  const { upstream } = route
  if (upstream === undefined) return fail("unknown_upstream", describeUnknown(settings))
  return forward(settings, request, { ...route, upstream, token, caller, fail })
}

type Fail = (code: ProxyErrorCode, message: string, headers?: Record<string, string>) => Response

const OPENAI_FORMAT: PathFormat = { keyHeader: "authorization", keyPrefix: "Bearer ", errors: "openai" }

function findRoute({ upstreams, basePath }: ProxySettings, url: URL): Route {
  const path = url.pathname.startsWith(`${basePath}/`) ? url.pathname.slice(basePath.length) : ""
  const name = path.split("/", 2)[1] ?? ""
  const upstream = upstreams.get(name)
  if (upstream === undefined) return { name, upstream, url, format: OPENAI_FORMAT }
  const target = upstream.urlOf(path.slice(name.length + 1), url.search)
  return { name, upstream, url: target, format: formatAt(upstream, target) }
}

function isBaseURL({ basePath }: ProxySettings, url: URL, { name, upstream }: Route): boolean {
  const path = url.pathname.replace(/\/$/, "")
  return path === basePath || (upstream !== undefined && path === `${basePath}/${name}`)
}

/** Checks what does not depend on the caller. */
function checkRequest(settings: ProxySettings, { headers }: Request, url: URL, fail: Fail): Response | undefined {
  const { allowedHosts, allowedOrigins } = settings
  const host = (headers.get("host") ?? url.host).toLowerCase()
  if (allowedHosts !== undefined && !allowedHosts.has(host))
    return fail(
      "host_not_allowed",
      "The proxy does not answer for this host. List it in `allowedHosts` of `createProxy`, or in `hosts` of `p2 serve`.",
    )
  const origin = headers.get("origin")?.toLowerCase()
  if (allowedOrigins !== undefined && origin !== undefined && !allowedOrigins.has(origin))
    return fail(
      "origin_not_allowed",
      "The proxy does not answer pages of this origin. `allowedOrigins` of `createProxy` lists those that it answers.",
    )
  // A list may contain HTTP/2 (`h2c`), which a server may ignore; a WebSocket cannot continue as a request.
  if (/\bwebsocket\b/i.test(headers.get("upgrade") ?? ""))
    return fail("upgrade_not_supported", "The proxy does not serve WebSockets. Send requests over HTTP.", {
      upgrade: "HTTP/1.1",
    })
  return undefined
}

function describeToken(token: string | undefined): string {
  return token === undefined
    ? "No token. Set the API key of your SDK to the token of the proxy."
    : "Unknown or revoked token. Set the API key of your SDK to a token of the proxy."
}

function describeUnknown({ upstreams, basePath }: ProxySettings): string {
  const prefixes = [...upstreams.keys()].map((name) => `${basePath}/${name}`).join(", ")
  return `Unknown path. The proxy serves paths below ${prefixes}.`
}

/** A request whose caller and upstream are known. */
interface AcceptedRoute extends Route {
  upstream: Upstream
  token: string | undefined
  caller: ProxyCaller
  fail: Fail
}

async function forward(settings: ProxySettings, request: Request, route: AcceptedRoute): Promise<Response> {
  const { upstream, token, caller, url, format, fail } = route
  const { signal, method } = request
  try {
    const body = await readRequestBody(request, settings.maxBodyBytes)
    if (body.status === "too-large")
      return fail(
        "body_too_large",
        `The request body exceeds ${settings.maxBodyBytes} bytes, which is the most that the proxy accepts.`,
      )
    const failModel = () => fail("model_not_allowed", `This token may use: ${caller.models?.join(", ")}.`)
    if (!mayCall(caller, settings, method, calledModelsOf(caller, url, body.bytes))) return failModel()
    url.search = queryWithoutToken(url, token)
    const { subject, headers } = subjectOf(caller, request.headers)
    const key = await upstream.apiKey()
    const sent = headersToSend(headers, token)
    for (const [name, value] of Object.entries(upstream.headers)) sent.set(name, value)
    if (key !== undefined) sent.set(format.keyHeader, `${format.keyPrefix}${key}`)
    const call = { method, headers: sent, body: body.bytes ?? null, signal, redirect: "manual" as const }
    let attempt: GuardAttempt | undefined
    const guarded = guardOf(settings, upstream, caller, subject, (ended) => {
      attempt = ended
    })
    const { models: allowed } = caller
    // The models of a form or of a batch, which are not a field of the body.
    const rejectModels = (models: readonly string[]) =>
      allowed === undefined || models.every((model) => allowed.includes(model)) ? undefined : failModel()
    const guard = { ...guarded, rejectModels }
    const response = await guardedFetch(guard, url.href, call)
    if (isRedirect(response.status)) {
      response.body?.cancel().catch(() => {})
      return fail(
        "upstream_redirected",
        `The upstream "${upstream.name}" redirected the call, which the proxy does not follow. Ask the operator of the proxy to correct its \`baseURL\`.`,
      )
    }
    return await responseToReturn(response, { attempt, key })
  } catch (error) {
    if (signal.aborted) return fail("client_closed", "The caller closed the connection.")
    if (InvalidArgumentError.isInstance(error)) return fail("invalid_request", error.message)
    return fail("upstream_failed", describeFailure(upstream, error))
  }
}

function guardOf(
  { guard, onAttempt }: ProxySettings,
  { provider, deployments }: Upstream,
  caller: ProxyCaller,
  subject: Subject | undefined,
  onEnd: (attempt: GuardAttempt) => void,
): Guard {
  return {
    ...guard,
    provider,
    deployments,
    subject,
    budget: caller.budget ?? guard.budget,
    onAttempt: (attempt) => {
      onEnd(attempt)
      return onAttempt?.(attempt, caller)
    },
  }
}

/** The body is parsed once more only for callers with a list of models. */
function calledModelsOf({ models }: ProxyCaller, url: URL, bytes: Uint8Array | undefined): string[] {
  return models === undefined ? [] : calledModels(url, bytes)
}

/** A call that names no model runs one only at an endpoint that the guard does not know. */
function mayCall({ models }: ProxyCaller, { guard }: ProxySettings, method: string, called: string[]): boolean {
  if (models === undefined) return true
  if (called.length === 0) return method === "GET" || method === "HEAD" || guard.unknownEndpoints !== "pass"
  return called.every((model) => models.includes(model))
}

/** @throws InvalidArgumentError for a header that is invalid */
function subjectOf(caller: ProxyCaller, headers: Headers): { subject: Subject | undefined; headers: Headers } {
  if (caller.subjectHeaders === true) {
    const named = takeSubject(headers)
    return { subject: mergeSubjects(named.subject, caller.subject), headers: named.headers }
  }
  const names = [...headers.keys()].filter((name) => name.startsWith("x-p2-"))
  if (names.length === 0) return { subject: caller.subject, headers }
  const remaining = new Headers(headers)
  for (const name of names) remaining.delete(name)
  return { subject: caller.subject, headers: remaining }
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status)
}

/** Shows only the code of the failure, because its message may contain the address or the key. */
function describeFailure({ name }: Upstream, error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } }
  const shown = [cause?.code, code].find((each) => typeof each === "string" && /^[A-Za-z][\w-]{1,40}$/.test(each))
  return `The call to the upstream "${name}" failed${shown === undefined ? "" : ` (${shown})`}.`
}
