import type { Fault } from "@p2/local-provider"
import fc from "fast-check"

/** One call of a provider's own wire format, and what the provider does. Plain data, which a failure prints. */
export interface NativeCall {
  provider: "anthropic" | "gemini"
  /** Below the base URL of the provider. */
  path: string
  headers: Record<string, string>
  body: Record<string, unknown>
  fault: Fault
}

/** What the provider does: it may bill as much as the request allows, and answers may break. */
export const fault: fc.Arbitrary<Fault> = fc
  .record(
    {
      fillOutput: fc.constant(true),
      densestTokens: fc.constant(true),
      searches: fc.nat(12),
      reasoningTokens: fc.nat(3000),
      empty: fc.constant(true),
      noUsage: fc.constant(true),
      cut: fc.constantFrom("stream" as const, "body" as const),
      afterChunks: fc.nat(6),
      status: fc.constantFrom(500, 529),
      billed: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .map(({ noUsage, cut, status, ...usual }) => ({
    ...usual,
    // Faults of the answer are rarer than complete answers.
    ...(noUsage === true && usual.afterChunks === 0 ? { noUsage } : {}),
    ...(cut !== undefined && (usual.afterChunks ?? 9) < 3 ? { cut } : {}),
    ...(status !== undefined && usual.billed === true ? { status } : {}),
  }))
