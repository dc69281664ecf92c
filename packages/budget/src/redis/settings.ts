export interface RedisSettings {
  retentionMs: number
  /** 0: no ledger. */
  ledgerRetentionMs: number
  timeoutMs: number
  /** The prefix of all keys. */
  namespace: string
  /** The first argument of scripts: empty for the server's clock. */
  clock: () => string
}
