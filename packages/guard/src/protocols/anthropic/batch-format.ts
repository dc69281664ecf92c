import { isRecord } from "@p2/core"
import { type BatchFormat, countIn, UNKNOWN_LINE } from "../batch-format"
import { MessageMeter } from "./meter"

/** https://platform.claude.com/docs/en/build-with-claude/batch-processing: only calls that succeeded are billed. */
export const MESSAGE_BATCHES: BatchFormat = {
  hasEnded: ({ type, processing_status: status }) => type === "message_batch" && status === "ended",
  isCompleted: ({ request_counts: counts }) =>
    ["errored", "canceled", "expired"].every((name) => (countIn(counts, name) ?? 0) === 0),
  answered: ({ request_counts: counts }) => countIn(counts, "succeeded"),
  outputURL({ id }, { origin, pathname }) {
    const base = pathname.slice(0, pathname.lastIndexOf("/batches/"))
    return typeof id === "string" ? `${origin}${base}/batches/${encodeURIComponent(id)}/results` : undefined
  },
  readLine({ result }) {
    if (!isRecord(result)) return UNKNOWN_LINE
    if (result.type !== "succeeded") return { status: "unbilled", isAnswer: false }
    const { message } = result
    if (!isRecord(message) || typeof message.model !== "string") return UNKNOWN_LINE
    const meter = new MessageMeter({ model: `anthropic/${message.model}`, cacheWrites: "any" })
    return { status: "answered", body: message, meter }
  },
}
