import { createHash, randomBytes } from "node:crypto"
import type { Limit, Subject } from "@p2/budget"

/** A virtual key as it is stored: whose calls it authorizes, and what they may spend. The key itself is not stored. */
export interface KeyRecord {
  /** Names the key in commands, logs and the ledger (tag `key`). Not secret. */
  id: string
  /** SHA-256 of the key, in hex. */
  hash: string
  name?: string | undefined
  userId?: string | undefined
  clientId?: string | undefined
  tags?: Readonly<Record<string, string>> | undefined
  /** The models that calls may name. @defaultValue every model that the configuration allows */
  models?: readonly string[] | undefined
  /** Limits of this key alone, in addition to those of the configuration. */
  limits?: readonly KeyLimit[] | undefined
  /** Epoch milliseconds; 0: unknown. */
  createdAt: number
  /** Epoch milliseconds; null: the key does not expire. */
  expiresAt: number | null
  /** Epoch milliseconds; null: the key is not revoked. */
  revokedAt: number | null
}

/** A limit of one key. Its scope is the tag `key`. */
export type KeyLimit = Omit<Limit, "scope" | "optional">

/** The tag that names the key of a call in the ledger and in limits. */
export const KEY_TAG = "key"

const FORM = /^p2k_[A-Za-z0-9_-]{43}$/

/** A new key: 256 random bits. Shown once. */
export function createKey(): string {
  return `p2k_${randomBytes(32).toString("base64url")}`
}

/** A new key id: 60 random bits. */
export function createKeyId(): string {
  return `k${randomBytes(8).toString("hex").slice(0, 15)}`
}

/** Whether a token has the form of a virtual key. Other tokens need no look-up. */
export function isKeyForm(token: string): boolean {
  return FORM.test(token)
}

/**
 * The hash under which a key is stored and found. One round of SHA-256 without a salt is right here, unlike for a password: 256
 * random bits cannot be guessed, and a slow hash would delay every call. The timing of an index lookup reveals at most
 * part of a hash, from which no key can be computed.
 */
export function hashKey(key: string): string {
  return createHash("sha256").update(key).digest("hex")
}

/** The limits of a key, as the budget accepts them. */
export function limitsOf({ limits = [] }: KeyRecord): Limit[] {
  return limits.map((limit) => ({ ...limit, scope: { tag: KEY_TAG } }))
}

/** The subject of a key's calls. */
export function subjectOf({ id, userId, clientId, tags }: KeyRecord): Subject {
  return { userId, clientId, tags: { ...tags, [KEY_TAG]: id } }
}

/** Whether a key authorizes calls now. */
export function keyState(record: KeyRecord, now: number): "active" | "revoked" | "expired" {
  if (record.revokedAt !== null) return "revoked"
  return record.expiresAt !== null && record.expiresAt <= now ? "expired" : "active"
}
