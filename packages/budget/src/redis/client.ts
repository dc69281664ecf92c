import { InvalidArgumentError } from "@p2/core"

/**
 * The user's connection: an ioredis `Redis` or `Cluster`, version 5 or 6. The store works on a duplicate with its own
 * settings, because some of the user's could change replies, and closes only the duplicate.
 */
export interface RedisClient {
  readonly status: string
  readonly options: { readonly keyPrefix?: unknown }
  duplicate(...overrides: never[]): unknown
}

/** The part of its own connection that the store uses. */
export interface OwnConnection {
  readonly status: string
  readonly isCluster?: boolean
  connect(): Promise<unknown>
  disconnect(): void
  on(event: string, listener: (value?: unknown) => void): unknown
  evalsha(sha: string, keyCount: number, ...keysAndArguments: (string | number)[]): Promise<unknown>
  eval(lua: string, keyCount: number, ...keysAndArguments: (string | number)[]): Promise<unknown>
  hkeys(key: string): Promise<string[]>
  mget(...keys: string[]): Promise<(string | null)[]>
  zscore(key: string, member: string): Promise<unknown>
  info(): Promise<string>
  config(command: "GET", setting: string): Promise<unknown>
  nodes?(role: "master"): OwnConnection[]
}

const RECONNECT_MS = 50
/** Short, so that a call that waits for a connection gets one within its timeout. */
const MAX_RECONNECT_MS = 200

const PREFIX = /^[A-Za-z0-9_.:-]*$/

/** @throws InvalidArgumentError if the client is not from ioredis, for example from the package `redis` */
export function checkClient(client: unknown): asserts client is RedisClient {
  const { duplicate, status, options } = Object(client) as Partial<RedisClient>
  if (typeof duplicate === "function" && typeof status === "string" && Object(options) === options) return
  throw new InvalidArgumentError(
    "client",
    "a `Redis` or `Cluster` of the package ioredis (the package redis, also called node-redis, is another client)",
    client,
  )
}

/** The prefix of all keys: the client's `keyPrefix`, so that applications stay apart, then the store's `prefix`. */
export function namespaceOf(client: RedisClient, prefix: string): string {
  const keyPrefix = client.options.keyPrefix ?? ""
  const text = typeof keyPrefix === "string" ? keyPrefix : String(keyPrefix)
  if (!PREFIX.test(text)) {
    throw new InvalidArgumentError("client.options.keyPrefix", "letters, digits and `_ . : -` only", text)
  }
  if (prefix === "" || prefix.length > 64 || !PREFIX.test(prefix)) {
    throw new InvalidArgumentError("prefix", "1 to 64 letters, digits and `_ . : -`", prefix)
  }
  return text + prefix
}

/**
 * A separate connection with the user's address and credentials, which connects when it is first used. It does
 * not queue while offline and does not resend. `commandTimeout` is ioredis's timeout for a reply.
 */
export function ownConnection(client: RedisClient, commandTimeout: number): OwnConnection {
  const retry = (times: number) => Math.min(RECONNECT_MS * times, MAX_RECONNECT_MS)
  const strict = {
    commandTimeout,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableAutoPipelining: false,
    reconnectOnError: null,
    // `namespaceOf` adds the user's prefix. ioredis would add it to every key but not to the pattern of SCAN.
    keyPrefix: "",
    stringNumbers: false,
    replyMapping: "legacy",
    readOnly: false,
    lazyConnect: true,
  }
  const duplicate = client.duplicate as (...overrides: unknown[]) => OwnConnection
  if ((client as { isCluster?: boolean }).isCluster !== true) {
    return duplicate.call(client, { ...strict, retryStrategy: retry })
  }
  const { lazyConnect: _, ...redisOptions } = strict
  return duplicate.call(client, [], {
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    keyPrefix: "",
    lazyConnect: true,
    scaleReads: "master",
    clusterRetryStrategy: retry,
    // Zero: a command whose connection broke or whose slot is moving fails soon, and the caller may send it again.
    retryDelayOnTryAgain: 0,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: Math.max(commandTimeout, 1_000),
    redisOptions,
  })
}
