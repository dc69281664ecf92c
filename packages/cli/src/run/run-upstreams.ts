import { hideString, InvalidArgumentError } from "@p2/core"
import type { UpstreamOptions } from "@p2/guard/proxy"
import { keyVariablesOf, PROVIDERS, type Provider, providerNamed } from "./providers"

/** A provider that the proxy of a run serves. */
export interface RunUpstream {
  provider: Provider
  /** Whether calls can be sent: there is a key, or an address that may not need one. */
  isAvailable: boolean
  options: UpstreamOptions
}

/**
 * The upstreams of a run: every provider of the table, with the keys and the base URLs in the environment.
 *
 * @param given `openai=http://127.0.0.1:8000/v1` of `--upstream`; they replace the base URLs of the environment
 * @throws InvalidArgumentError
 */
export function readUpstreams(given: readonly string[], env: NodeJS.ProcessEnv): RunUpstream[] {
  const addresses = readAddresses(given)
  const extra = [...addresses.keys()].filter((name) => !PROVIDERS.some((provider) => provider.name === name))
  return [...PROVIDERS, ...extra.map(providerNamed)].flatMap((provider) => {
    const baseURL = addresses.get(provider.name) ?? baseURLIn(env, provider)
    return provider.needsBaseURL === true && baseURL === undefined ? [] : [readUpstream(provider, baseURL, env)]
  })
}

function readUpstream(provider: Provider, baseURL: string | undefined, env: NodeJS.ProcessEnv): RunUpstream {
  const address = baseURL === undefined ? {} : { baseURL }
  const apiKey = settingOf(
    env,
    keyVariablesOf(provider).filter((name) => name !== provider.bearer),
  )
  const bearer = provider.bearer === undefined ? undefined : settingOf(env, [provider.bearer])
  const headers = headersOf(provider, env)
  if (apiKey !== undefined) return { provider, isAvailable: true, options: { ...address, headers, apiKey } }
  if (bearer !== undefined)
    return { provider, isAvailable: true, options: { ...address, headers: { authorization: `Bearer ${bearer}` } } }
  if (baseURL !== undefined) return { provider, isAvailable: true, options: { ...address, headers } }
  const message = `${provider.keys[0]} is not set. Set it before \`p2 run\`, which keeps it and gives the program a token.`
  return { provider, isAvailable: false, options: { unavailable: message } }
}

function headersOf({ headers = {} }: Provider, env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([variable, header]) => {
      const value = settingOf(env, [variable])
      return value === undefined ? [] : [[header, value]]
    }),
  )
}

/** The first of these variables that is set. @throws InvalidArgumentError if it cannot be sent in a header; the value is not shown */
function settingOf(env: NodeJS.ProcessEnv, names: readonly string[]): string | undefined {
  const name = names.find((each) => (env[each]?.trim() ?? "") !== "")
  if (name === undefined) return undefined
  const value = env[name]!.trim()
  if (/^[\x20-\x7e]+$/.test(value)) return value
  throw new InvalidArgumentError(name, "one line of ASCII characters", hideString(value))
}

/** The address that the environment sets, for example of a gateway. */
function baseURLIn(env: NodeJS.ProcessEnv, { baseURLs }: Provider): string | undefined {
  for (const { variable } of baseURLs) {
    const value = settingOf(env, [variable])
    if (value === undefined) continue
    checkAddress(value, variable)
    return value
  }
  return undefined
}

function readAddresses(given: readonly string[]): Map<string, string> {
  const addresses = new Map<string, string>()
  for (const pair of given) {
    const [, name, url] = /^([a-z][\w-]{0,39})=(.+)$/.exec(pair) ?? []
    if (name === undefined || url === undefined)
      throw new InvalidArgumentError("--upstream", "NAME=URL such as openai=http://127.0.0.1:8000/v1", hideString(pair))
    checkAddress(url, `--upstream ${name}`)
    addresses.set(name, url)
  }
  return addresses
}

function checkAddress(value: string, name: string): void {
  const url = URL.canParse(value) ? new URL(value) : undefined
  const isPlain = url !== undefined && url.username + url.password + url.search + url.hash === ""
  if (!isPlain || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError(
      name,
      "an http or https URL without credentials, query or fragment",
      hideString(value),
    )
}
