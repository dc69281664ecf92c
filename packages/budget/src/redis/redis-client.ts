/**
 * The user's connection: an ioredis `Redis` or `Cluster`, version 5 or 6. The store only duplicates it, so that its own
 * settings (no queue while offline, no resending) are never the user's, and closes only the duplicate.
 */
export interface RedisClient {
  readonly status: string
  duplicate(...overrides: never[]): unknown
}

/** What the store uses of its own connection. */
export interface OwnConnection {
  readonly status: string
  readonly isCluster?: boolean
  /** The socket of a single server; a Cluster has one a node. */
  readonly stream?: { cork(): void; uncork(): void } | undefined
  connect(): Promise<unknown>
  disconnect(): void
  on(event: string, listener: (value?: unknown) => void): unknown
  evalsha(...args: (string | number)[]): Promise<unknown>
  evalshaBuffer(...args: (string | number)[]): Promise<unknown>
  eval(...args: (string | number)[]): Promise<unknown>
  evalBuffer(...args: (string | number)[]): Promise<unknown>
  info(...sections: string[]): Promise<string>
  config(...args: string[]): Promise<unknown>
  nodes?(role: "master"): OwnConnection[]
}

const RECONNECT_MS = 50
const MAX_RECONNECT_MS = 1_000

/** A connection of our own with the user's address and credentials. It connects when it is first used. */
export function ownConnection(client: RedisClient, timeoutMs: number): OwnConnection {
  const strict = {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableAutoPipelining: false,
    reconnectOnError: null,
    // A prefix would be put before the hash tag, and could hold a brace of its own.
    keyPrefix: "",
    lazyConnect: true,
    readOnly: false,
  }
  const retry = (times: number) => Math.min(RECONNECT_MS * times, MAX_RECONNECT_MS)
  const cluster = (client as { isCluster?: boolean }).isCluster === true
  const duplicate = client.duplicate as (...args: unknown[]) => OwnConnection
  if (!cluster) return duplicate.call(client, { ...strict, retryStrategy: retry })
  return duplicate.call(client, [], {
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    keyPrefix: "",
    lazyConnect: true,
    scaleReads: "master",
    clusterRetryStrategy: retry,
    // Zero: a command whose connection broke is ours to send again, not the client's.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: Math.max(timeoutMs, 1_000),
    redisOptions: {
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      reconnectOnError: null,
      keyPrefix: "",
    },
  })
}
