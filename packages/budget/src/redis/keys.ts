import type { Name } from "../store/shape"

export interface RedisSettings {
  /** 0: no ledger. */
  ledgerRetentionMs: number
  /** The prefix of all keys. */
  namespace: string
  /** The first argument of scripts: empty for the server's clock. */
  clock: () => string
}

/** Names of the keys of one partition. All share the hash tag `{partition}`, so that they are on one shard. */
export function partitionKeys(namespace: string, partition: Name) {
  const base = `${namespace}:{${partition}}:`
  return {
    leases: `${base}leases`,
    damaged: `${base}damaged`,
    time: `${base}time`,
    entries: `${base}entries`,
    /** A key that never exists, for scan-counters.lua. */
    absent: `${base}absent`,
    counter: (name: Name) => `${base}c:${name}`,
    reservation: (key: Name) => `${base}r:${key}`,
    pendingEntry: (key: Name) => `${base}p:${key}`,
    entry: (key: Name) => `${base}e:${key}`,
    adjustment: (key: Name) => `${base}a:${key}`,
  }
}

export type PartitionKeys = ReturnType<typeof partitionKeys>
