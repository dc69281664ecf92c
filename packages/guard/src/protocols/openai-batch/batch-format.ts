import { isRecord } from "@p2/core"
import { type BatchFormat, countIn, UNKNOWN_LINE } from "../batch-format"
import type { Meter } from "../meter"
import { ChatCompletion } from "../openai-chat/chat-completion"
import { EmbeddingsMeter } from "../openai-embeddings/embeddings-meter"
import { ResponseMeter } from "../openai-responses/response-meter"

const ENDED: ReadonlySet<unknown> = /* @__PURE__ */ new Set(["completed", "expired", "cancelled", "failed"])

/** https://platform.openai.com/docs/api-reference/batch */
export const OPENAI_BATCHES: BatchFormat = {
  hasEnded: ({ object, status }) => object === "batch" && ENDED.has(status),
  isCompleted: ({ status }) => status === "completed",
  // A file that is invalid fails before any of its calls runs.
  answered: ({ request_counts: counts, status }) =>
    countIn(counts, "completed") ?? (status === "failed" ? 0 : undefined),
  outputURL({ output_file_id: fileId }, { href }) {
    const base = href.slice(0, href.lastIndexOf("/batches/"))
    return typeof fileId === "string" ? `${base}/files/${encodeURIComponent(fileId)}/content` : undefined
  },
  readLine({ response, error }, { endpoint }) {
    if (!isRecord(response)) return isRecord(error) ? { status: "unbilled", isAnswer: false } : UNKNOWN_LINE
    if (typeof response.status_code === "number" && response.status_code >= 400)
      return { status: "unbilled", isAnswer: false }
    if (endpoint === "/v1/moderations") return { status: "unbilled", isAnswer: true }
    const meter = meterOf(endpoint)
    return meter === undefined || !isRecord(response.body)
      ? UNKNOWN_LINE
      : { status: "answered", body: response.body, meter }
  },
}

/** The reader for the answers of an OpenAI endpoint. */
function meterOf(endpoint: unknown): Meter | undefined {
  switch (endpoint) {
    case "/v1/chat/completions":
      return new ChatCompletion({ provider: "openai" })
    case "/v1/responses":
      return new ResponseMeter({ provider: "openai" })
    case "/v1/embeddings":
      return new EmbeddingsMeter()
    default:
      return undefined
  }
}
