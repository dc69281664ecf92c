import { isRecord } from "@p2/core"
import { MessageMeter } from "../../protocols/anthropic/meter"
import type { Meter } from "../../protocols/meter"
import { ChatCompletion } from "../../protocols/openai-chat/chat-completion"
import { EmbeddingsMeter } from "../../protocols/openai-embeddings/embeddings-meter"
import { ResponseMeter } from "../../protocols/openai-responses/response-meter"

type Fields = Readonly<Record<string, unknown>>

/** What one line of the output of a batch says. */
export type BatchLine =
  /** The call was answered: the meter reads the usage of the answer. */
  | { status: "answered"; body: Fields; meter: Meter }
  /** The call is not billed: it failed, or it is free. `isAnswer`: it counts as completed. */
  | { status: "unbilled"; isAnswer: boolean }
  | { status: "unknown" }

/** The batches of one provider. */
export interface BatchFormat {
  hasEnded(batch: Fields): boolean
  /** The end was not a cancellation or an expiry. */
  isCompleted(batch: Fields): boolean
  /** The number of calls that were answered; undefined: the provider does not say. */
  answered(batch: Fields): number | undefined
  /** The URL of the output, from that of the poll; undefined: there is none. */
  outputURL(batch: Fields, pollURL: URL): string | undefined
  readLine(line: Fields, batch: Fields): BatchLine
}

const ENDED: ReadonlySet<unknown> = new Set(["completed", "expired", "cancelled", "failed"])

/** https://platform.openai.com/docs/api-reference/batch */
const OPENAI: BatchFormat = {
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
    if (!isRecord(response)) return isRecord(error) ? { status: "unbilled", isAnswer: false } : UNKNOWN
    if (typeof response.status_code === "number" && response.status_code >= 400)
      return { status: "unbilled", isAnswer: false }
    if (endpoint === "/v1/moderations") return { status: "unbilled", isAnswer: true }
    const meter = meterOf(endpoint)
    return meter === undefined || !isRecord(response.body)
      ? UNKNOWN
      : { status: "answered", body: response.body, meter }
  },
}

/** https://platform.claude.com/docs/en/build-with-claude/batch-processing: only calls that succeeded are billed. */
const ANTHROPIC: BatchFormat = {
  hasEnded: ({ type, processing_status: status }) => type === "message_batch" && status === "ended",
  isCompleted: ({ request_counts: counts }) =>
    ["errored", "canceled", "expired"].every((name) => (countIn(counts, name) ?? 0) === 0),
  answered: ({ request_counts: counts }) => countIn(counts, "succeeded"),
  outputURL({ id }, { origin, pathname }) {
    const base = pathname.slice(0, pathname.lastIndexOf("/batches/"))
    return typeof id === "string" ? `${origin}${base}/batches/${encodeURIComponent(id)}/results` : undefined
  },
  readLine({ result }) {
    if (!isRecord(result)) return UNKNOWN
    if (result.type !== "succeeded") return { status: "unbilled", isAnswer: false }
    const { message } = result
    if (!isRecord(message) || typeof message.model !== "string") return UNKNOWN
    const meter = new MessageMeter({ model: `anthropic/${message.model}`, cacheWrites: "any" })
    return { status: "answered", body: message, meter }
  },
}

const UNKNOWN = { status: "unknown" } as const

export function batchFormatOf(provider: string): BatchFormat {
  return provider === "anthropic" ? ANTHROPIC : OPENAI
}

function countIn(counts: unknown, name: string): number | undefined {
  const count = isRecord(counts) ? counts[name] : undefined
  return typeof count === "number" ? count : undefined
}

/** The reader of the answers of an endpoint of OpenAI. */
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
