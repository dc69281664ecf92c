import { sha256 } from "@noble/hashes/sha2"
import { InvalidArgumentError } from "@p2/core"
import { isName, type Name } from "../store/shape"

/** Longest value that is hashed, in UTF-16 units. It limits the time that hashing takes. */
export const MAX_VALUE_LENGTH = 1_048_576
const HASH_PREFIX = "sha256:"
const encoder = new TextEncoder()
const HASHED_NAME = /^sha256:[A-Za-z0-9_-]{43}$/

/** SHA-256 of a string in base64url, 43 characters. */
export function hashText(text: string): string {
  return toBase64Url(hashBytes(text))
}

/** 132 bits of the hash of a string, 22 characters. Collisions do not occur by chance. */
export function shortHash(text: string): string {
  return toBase64Url(hashBytes(text).subarray(0, 17)).slice(0, 22)
}

function hashBytes(text: string): Uint8Array {
  // UTF-8 maps all lone surrogates to one character; JSON escapes them, so that different strings have different hashes.
  return sha256(encoder.encode(JSON.stringify(text)))
}

function toBase64Url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes))
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")
}

/**
 * Converts a caller's string to a partition or an idempotency key. A string that is a {@link Name} stays; any other is hashed.
 * @throws InvalidArgumentError
 */
export function toName(text: unknown, argument: string): Name {
  checkValue(text, argument)
  return isName(text) && !text.startsWith(HASH_PREFIX) ? text : HASH_PREFIX + hashText(text)
}

/** Like {@link toName}, for a request id that may come from an entry and already be hashed. */
export function toRequestName(requestId: unknown, argument: string): Name {
  return typeof requestId === "string" && HASHED_NAME.test(requestId) ? requestId : toName(requestId, argument)
}

/** @throws InvalidArgumentError */
export function checkValue(value: unknown, argument: string): asserts value is string {
  if (typeof value !== "string" || value === "" || value.length > MAX_VALUE_LENGTH)
    throw new InvalidArgumentError(argument, `a string of 1 to ${MAX_VALUE_LENGTH} characters`, value)
}
