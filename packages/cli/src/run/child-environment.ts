import { REMOVED_VARIABLES, secretsIn } from "./credentials"
import type { RunUpstream } from "./run-upstreams"

/** A variable that `p2 run` set for a program. */
export interface SetVariable {
  name: string
  value: string
}

export interface ChildEnvironment {
  env: NodeJS.ProcessEnv
  /** The base URLs of the providers that are available, to print. */
  baseURLs: SetVariable[]
  /** Variables that were removed although they are not listed, because they contained the secret of a listed one. */
  copies: string[]
}

export interface ChildEnvironmentOptions {
  /** The environment of `p2 run`. */
  env: NodeJS.ProcessEnv
  upstreams: readonly RunUpstream[]
  /** `http://127.0.0.1:4000` */
  url: string
  token: string
  /** Variables that the program keeps. */
  passed: ReadonlySet<string>
}

const LOOPBACK = ["127.0.0.1", "localhost"]

/**
 * The environment of a program: base URLs of the proxy in every variable that SDKs read, the token instead of the keys of the
 * available providers, and no other credentials.
 */
export function childEnvironment({ env, upstreams, url, token, passed }: ChildEnvironmentOptions): ChildEnvironment {
  const child: NodeJS.ProcessEnv = { ...env }
  for (const name of REMOVED_VARIABLES) if (!passed.has(name)) delete child[name]
  const copies = removeCopies(child, env, passed)
  const baseURLs: SetVariable[] = []
  for (const { provider, isAvailable } of upstreams) {
    for (const { variable, path } of provider.baseURLs) {
      if (passed.has(variable)) continue
      child[variable] = `${url}${path}`
      if (isAvailable && variable === provider.baseURLs[0]?.variable)
        baseURLs.push({ name: variable, value: `${url}${path}` })
    }
    if (!isAvailable) continue
    const others = (provider.otherKeys ?? []).filter((name) => env[name] !== undefined)
    for (const name of [...provider.keys, ...others]) if (!passed.has(name)) child[name] = token
  }
  for (const name of ["NO_PROXY", "no_proxy"]) child[name] = withLoopback(child[name])
  child.P2_RUN = "1"
  return { env: child, baseURLs, copies }
}

function removeCopies(child: NodeJS.ProcessEnv, env: NodeJS.ProcessEnv, passed: ReadonlySet<string>): string[] {
  const secrets = secretsIn(env, passed)
  const copies = Object.keys(child).filter(
    (name) => !passed.has(name) && secrets.some(({ value }) => child[name]?.includes(value)),
  )
  for (const name of copies) delete child[name]
  return copies
}

/** Calls to the local proxy must not go through a network proxy. */
function withLoopback(hosts = ""): string {
  const names = hosts.split(",").map((name) => name.trim())
  return [...new Set([...names.filter((name) => name !== ""), ...LOOPBACK])].join(",")
}
