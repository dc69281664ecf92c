import { isRecord, type Usage } from "@p2/core"
import type { ReportedUsage, UsageReading } from "@p2/pricing/usage"

/** What a reading reports; undefined: nothing. */
export function reportedIn(reading: UsageReading): ReportedUsage | undefined {
  return reading.status === "none" ? undefined : { usage: reading.usage, cost: reading.cost }
}

/** Whether a usage can belong to an answer: no call with content has zero input or zero output tokens. */
export function coversContent({ inputTokens, outputTokens }: Usage, hasContent: boolean): boolean {
  return !hasContent || (inputTokens > 0 && outputTokens > 0)
}

/** The usage in a body that reports an error: next to the error, or inside it. */
export function usageInError(
  body: Readonly<Record<string, unknown>>,
  field: "usage" | "usageMetadata" = "usage",
): Readonly<Record<string, unknown>> | undefined {
  return [body, body.error].map((each) => (isRecord(each) ? each[field] : undefined)).find(isRecord)
}
