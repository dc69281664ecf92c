import { createHmac } from "node:crypto"

/** The header that has the time and the signature of a delivery. */
export const SIGNATURE_HEADER = "p2-signature"

/**
 * `t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY`. The time is part of what is signed, so that a receiver can reject a replayed
 * request. docs/serve.md shows how to verify it.
 */
export function signatureOf(body: string, secret: string, now: number): string {
  const seconds = Math.floor(now / 1_000)
  const digest = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")
  return `t=${seconds},v1=${digest}`
}
