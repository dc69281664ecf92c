import type { Fault, LocalProvider } from "@p2/local-provider"
import fc from "fast-check"
import type { FuzzedProtocol } from "../fuzz-ledger"
import { optional } from "./draw-text"

/** The path and the body of a call, and what the provider does. */
export interface NativeCall {
  path: string
  body: Record<string, unknown>
  fault: Fault
}

/** A wire format whose calls fast-check draws. */
export function nativeProtocol(
  name: string,
  calls: fc.Arbitrary<NativeCall>,
  options: { host: string; localBaseURL: (provider: LocalProvider) => string; headers: Record<string, string> },
): FuzzedProtocol {
  const { host, localBaseURL, headers } = options
  return {
    name,
    draw(draw, provider) {
      const { path, body, fault } = fc.sample(calls, { seed: draw.between(0, 0x7fff_ffff), numRuns: 1 })[0]!
      return { url: host + path, sentTo: localBaseURL(provider) + path, headers, body, fault }
    },
  }
}

/** What the provider does: it may bill as much as the request allows, and answers may break. */
export const fault: fc.Arbitrary<Fault> = fc
  .record({
    fillOutput: fc.boolean(),
    densestTokens: fc.boolean(),
    searches: fc.nat(12),
    reasoningTokens: optional(fc.nat(3000)),
    empty: rarely({ empty: true }),
    usage: rarely({ noUsage: true }),
    cut: rarely({ cut: "stream" }, { cut: "body", afterChunks: 3 }),
    status: rarely({ status: 500, billed: true }, { status: 529, billed: true }),
  })
  .map(({ empty, usage, cut, status, ...usual }) => ({ ...usual, ...empty, ...usage, ...cut, ...status }))

/** One of the faults, in a tenth of the calls. */
function rarely(...faults: Fault[]): fc.Arbitrary<Fault> {
  return fc.oneof({ weight: 9, arbitrary: fc.constant({}) }, fc.constantFrom(...faults))
}
