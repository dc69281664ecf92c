import type { UsageEntry } from "@p2/budget"
import { type Message, USAGE_COUNTS, type Usage } from "@p2/core"
import type { MeterReading } from "@p2/guard/protocols"
import type { AttemptPlan, GenerateCall } from "../generate/generate-call"
import type { Verdict } from "../generate/judge-answer"
import type { AttemptReceipt } from "../receipt"

/** The fields of a usage entry that are known before the attempt is sent. The budget adds those of the subject. */
export function reservedEntry({
  attempt,
  provider,
  mode,
  streamed,
}: Pick<AttemptReceipt, "attempt" | "provider" | "mode" | "streamed">): Partial<UsageEntry> {
  return { attempt, provider, mode: streamed ? `${mode}+stream` : mode }
}

/** The other fields, for an attempt with a reservation. The budget adds the charge. */
export function settledEntry(
  call: GenerateCall,
  plan: AttemptPlan,
  { model, usage, generationId }: MeterReading,
  verdict: Verdict,
  { status, durationMs }: { status: AttemptReceipt["status"]; durationMs: number },
): Partial<UsageEntry> {
  const content = contentOf(call, plan, verdict)
  return {
    status,
    modelUsed: model,
    errorCode: verdict.status === "failed" ? verdict.error.code : undefined,
    tokens: tokensOf(usage?.usage),
    durationMs: Math.round(durationMs),
    generationId,
    prompt: content?.prompt,
    answer: content?.answer,
  }
}

/** The counts of a usage. */
function tokensOf(usage: Usage | undefined): Record<string, number> {
  const counts: Record<string, number> = {}
  if (usage === undefined) return counts
  for (const name of USAGE_COUNTS) {
    const count = usage[name]
    if (count !== undefined) counts[name] = count
  }
  return counts
}

/** The answer of a resumable request is recorded whole, or not at all. */
function contentOf(
  { recordContent, isResumable }: GenerateCall,
  { messages }: AttemptPlan,
  verdict: Verdict,
): Partial<UsageEntry> | undefined {
  const content = recordContent || isResumable ? cutContent(messages, verdict.text) : undefined
  if (content === undefined || !isResumable) return content
  const isWhole = verdict.status === "answered" && content.answer === verdict.text
  return { prompt: recordContent ? content.prompt : undefined, answer: isWhole ? content.answer : undefined }
}

/** The largest prompt or answer in the ledger, in UTF-8 bytes. */
const MAX_CONTENT_BYTES = 65_536

function cutContent(prompt: readonly Message[], answer: string): Partial<UsageEntry> {
  return { prompt: cutToBytes(JSON.stringify(prompt)), answer: cutToBytes(answer) }
}

function cutToBytes(text: string): string {
  const bytes = new TextEncoder().encode(text)
  if (bytes.byteLength <= MAX_CONTENT_BYTES) return text
  // With `stream` the decoder drops a code point that was cut in two.
  return new TextDecoder().decode(bytes.subarray(0, MAX_CONTENT_BYTES), { stream: true })
}
