import type { Budget } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import { createProxy, type ProxyHandler, type ProxyOptions, type UpstreamOptions } from "@p2/guard/proxy"
import { type ProxyServer, serveProxy } from "@p2/guard/proxy/node"
import type { Dashboard } from "../dashboard/dashboard"
import { readDuration } from "../duration"
import { nameStore } from "../store/name-store"
import { checkWritable, type OpenStore, openStore } from "../store/open-store"
import { alertEvent } from "./alerts/alert-event"
import { Webhook } from "./alerts/webhook"
import { isModelCall, pathNotAllowed } from "./allowed-paths"
import { authenticator } from "./authenticate"
import { configKeys } from "./config/config-keys"
import type { ServeConfig } from "./config/config-schema"
import { configError, hostnameOf, isLoopback } from "./config/read-config"
import { errorResponse } from "./error-response"
import { createHealth } from "./health"
import { attemptFields, type Log } from "./json-log"
import { KeyLookup } from "./keys/key-lookup"
import type { KeyStore } from "./keys/key-store"
import { openKeyStore } from "./keys/open-key-store"

/** How often expired leases are swept, even without calls. */
const SWEEP_MS = 30_000
/** How long queued alerts may delay the end of the process. */
const ALERTS_MS = 5_000

export interface ServerOptions {
  config: ServeConfig
  /** For messages. */
  configPath: string
  /** Of `readStoreAddress`. */
  storeAddress: string
  /** Contains the upstreams' keys and the webhooks' secrets. */
  env: NodeJS.ProcessEnv
  log: Log
}

/** A server that listens. */
export interface RunningServer {
  /** For example `http://127.0.0.1:4100`. */
  url: string
  /** Without a password. */
  storeAddress: string
  dashboard: Dashboard | undefined
  /** Stops accepting, waits for open calls, ends and settles those that are open after the grace time, and closes the store. */
  close(options: { graceMs: number }): Promise<void>
  /** Aborts and settles calls in flight now, even while `close` waits for them. */
  endCalls(): void
}

/**
 * @throws InvalidArgumentError if the configuration is invalid; a `StoreError` if the store fails; a Node error if the
 * address is in use
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, log } = options
  const webhooks = createWebhooks(options)
  const store = await openStore(options.storeAddress, {
    limits: config.limits,
    onWarning: (message) => log("warning", { message }),
    onAlert: (alert) => {
      const event = alertEvent(alert, Date.now())
      log("alert", event)
      for (const webhook of webhooks) webhook.send(event)
    },
  })
  try {
    const keys = await nameStore(options.storeAddress, () => prepare(options.storeAddress, store))
    try {
      return await listen(options, { store, keys, webhooks })
    } catch (error) {
      await keys.close()
      throw error
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Fails immediately if the store is unreachable or misconfigured. */
async function prepare(address: string, { budget, store }: OpenStore): Promise<KeyStore> {
  checkWritable(address)
  await budget.status()
  // Ends the reservations of a process that was killed.
  await budget.sweep()
  return openKeyStore(address, store)
}

interface Resources {
  store: OpenStore
  keys: KeyStore
  webhooks: readonly Webhook[]
}

async function listen(options: ServerOptions, { store, keys, webhooks }: Resources): Promise<RunningServer> {
  const { config, log } = options
  const { budget } = store
  const health = createHealth(budget, keys)
  const dashboard = await openDashboard(options, budget, () => server.url)
  const proxyOptions: ProxyOptions = {
    ...proxyOptionsOf(options, store, keys),
    onAttempt: (attempt, caller) => {
      dashboard?.onAttempt(attempt, caller)
      log("attempt", attemptFields(attempt, caller))
    },
  }
  let proxy = newProxy(proxyOptions, options)
  let isStopping = false
  const handler: ProxyHandler = async (request) => {
    const healthResponse = health.handle(request)
    if (healthResponse !== undefined) return healthResponse
    // An open connection may send further requests, which another instance must serve.
    if (isStopping) return stoppingResponse()
    if (dashboard?.owns(request)) return dashboard.handle(request)
    if (!config.accountPaths && !isModelCall(request)) return pathNotAllowed()
    return proxy(request)
  }
  const hostname = hostnameOf(config.listen)
  const server: ProxyServer = await serveProxy(handler, {
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(config.listen.slice(hostname.length + 1)),
    requestTimeoutMs: readDuration(config.requestTimeout, "requestTimeout"),
  })
  // The port is known now. No request is read before this function yields.
  proxy = newProxy({ ...proxyOptions, allowedHosts: hostsOf(config, server) }, options)
  const sweep = () =>
    budget
      .sweep()
      .catch(() => log("warning", { message: "Expired reservations could not be charged. p2 tries again." }))
  const sweeping = setInterval(sweep, SWEEP_MS).unref()
  return {
    url: server.url,
    storeAddress: store.address,
    dashboard,
    close: async ({ graceMs }) => {
      isStopping = true
      clearInterval(sweeping)
      health.stop()
      dashboard?.close()
      log("stopping", { open: server.pending })
      await server.close({ graceMs })
      const undelivered = await Promise.all(webhooks.map((webhook) => webhook.close(ALERTS_MS)))
      await keys.close()
      await store.close()
      log("stopped", { undeliveredAlerts: undelivered.reduce((sum, count) => sum + count, 0) })
    },
    endCalls: () => void server.close(),
  }
}

function stoppingResponse(): Response {
  const error = { code: "stopping", type: "api_error", message: "The server is stopping. Retry the call." }
  return errorResponse(503, error, { connection: "close", "x-should-retry": "true" })
}

async function openDashboard(
  { config, log }: ServerOptions,
  budget: Budget,
  url: () => string,
): Promise<Dashboard | undefined> {
  if (config.dashboard === false) return undefined
  const { createDashboard } = await import("../dashboard/create-dashboard")
  return createDashboard({
    budget,
    origin: config.dashboard === true ? url : config.dashboard.origin,
    title: "p2 serve",
    onWarning: (message) => log("warning", { message }),
  })
}

/** What the operator of the server can do: callers cannot change the budget or the configuration. */
const HINTS = {
  budget: "Ask the operator of the server to top up or raise the limit.",
  prices: "`p2 models` lists the models and prices that p2 knows.",
  provider: "Ask the operator of the server to set `provider` of the upstream.",
  deployments: "Ask the operator of the server to add the deployment to `deployments` of the upstream.",
  maxToolCalls: "Or ask the operator of the server to set `maxToolCalls`.",
}

function proxyOptionsOf(options: ServerOptions, { budget }: OpenStore, keys: KeyStore): ProxyOptions {
  const { config, log } = options
  const { maxOutputTokens, clampTo, maxToolCalls, serviceTier, inputBound, wait, charge } = config
  return {
    budget,
    ...{ maxOutputTokens, clampTo, maxToolCalls, serviceTier, inputBound, charge },
    wait: wait === undefined ? undefined : { timeoutMs: readDuration(wait, "wait") },
    upstreams: upstreamsOf(options),
    authenticate: authenticator(config, budget, new KeyLookup(keys, configKeys(config))),
    allowedOrigins: [],
    hints: HINTS,
    onWarning: (message) => log("warning", { message }),
  }
}

/** Adds the place in the file to the proxy's errors. */
function newProxy(proxyOptions: ProxyOptions, { configPath }: ServerOptions): ProxyHandler {
  try {
    return createProxy(proxyOptions)
  } catch (error) {
    if (!InvalidArgumentError.isInstance(error)) throw error
    throw configError(configPath, error.message)
  }
}

function upstreamsOf({ config, configPath, env }: ServerOptions): Record<string, UpstreamOptions> {
  return Object.fromEntries(
    Object.entries(config.upstreams).map(([name, { keyFrom, ...upstream }]) => {
      if (keyFrom === undefined) return [name, upstream]
      return [name, { ...upstream, apiKey: variable(env, keyFrom, configPath, `upstreams.${name}.keyFrom`) }]
    }),
  )
}

function createWebhooks({ config, configPath, env, log }: ServerOptions): Webhook[] {
  return config.alerts.map(({ url, urlFrom, secretFrom }, index) => {
    const place = `alerts[${index}]`
    const options = {
      url: url ?? variable(env, urlFrom!, configPath, `${place}.urlFrom`),
      secret: variable(env, secretFrom, configPath, `${place}.secretFrom`),
      onFailure: (message: string) => log("warning", { message, webhook: index }),
    }
    try {
      return new Webhook(options)
    } catch (error) {
      if (!InvalidArgumentError.isInstance(error)) throw error
      const field = error.argument === "url" ? (url === undefined ? "urlFrom" : "url") : "secretFrom"
      throw configError(configPath, `Invalid \`${place}.${field}\`: ${error.message}`)
    }
  })
}

/** @throws InvalidArgumentError if the variable is not set */
function variable(env: NodeJS.ProcessEnv, name: string, configPath: string, place: string): string {
  const value = env[name]?.trim()
  if (value !== undefined && value !== "") return value
  throw configError(configPath, `\`${place}\`: the variable ${name} is not set. Export it before \`p2 serve\`.`)
}

/** The values of `Host` that are accepted. */
function hostsOf({ listen, hosts = [] }: ServeConfig, server: ProxyServer): string[] {
  const port = server.host.slice(server.host.lastIndexOf(":"))
  const named = hosts.flatMap((host) => (/:\d+$/.test(host) ? [host] : [host, `${host}${port}`]))
  const local = isLoopback(hostnameOf(listen)) ? [`127.0.0.1${port}`, `localhost${port}`, `[::1]${port}`] : []
  return [server.host, ...local, ...named]
}
