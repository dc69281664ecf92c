import { createBudget, memoryStore } from "@p2/budget"
import { boundOfFile } from "../../../src/fetch/batch/batch-file"
import { readGuardOptions } from "../../../src/fetch/guard-options"
import type { Rejection, RejectionReason } from "../../../src/protocols"
import { callTo } from "./feature"

/** A line of a batch file. */
interface BatchLine {
  url?: string
  method?: string
  body?: Record<string, unknown>
}

export type BatchRow = { feature: string; line: BatchLine } & (
  | { bounded: string; source: string; bound: "equal" | "higher" | "lower" }
  | { rejected: RejectionReason }
)

const BATCH = "[batch](https://platform.openai.com/docs/guides/batch)"
const PRICES = "[pricing](https://developers.openai.com/api/docs/pricing)"

const PLAIN: Required<BatchLine> = {
  url: "/v1/chat/completions",
  method: "POST",
  body: { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_completion_tokens: 100 },
}

export const BATCHES: readonly BatchRow[] = [
  {
    feature: "chat completions",
    line: {},
    bounded: "as each call by itself, at the batch price",
    source: `${BATCH}, ${PRICES}`,
    bound: "equal",
  },
  {
    feature: "Responses, embeddings",
    line: { url: "/v1/embeddings", body: { model: "text-embedding-3-small", input: "Hi" } },
    bounded: "as each call by itself, at the batch price",
    source: `${BATCH}, ${PRICES}`,
    bound: "lower",
  },
  {
    feature: "moderations",
    line: { url: "/v1/moderations", body: { input: "Hi" } },
    bounded: "free",
    source: "[moderation](https://platform.openai.com/docs/guides/moderation)",
    bound: "lower",
  },
  {
    feature: "calls without an output limit",
    line: { body: { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }] } },
    bounded: "the maximum of the model: `maxOutputTokens` of the guard cannot change a file",
    source: BATCH,
    bound: "higher",
  },
  {
    feature: "images, which list no price for batches",
    line: {
      url: "/v1/images/generations",
      body: { model: "gpt-image-2", prompt: "Hi", size: "1024x1024", quality: "low" },
    },
    rejected: "unbounded-cost",
  },
  {
    feature: "`service_tier`",
    line: { body: { ...PLAIN.body, service_tier: "priority" } },
    rejected: "unbounded-cost",
  },
  {
    feature: "hosted tools without `max_tool_calls`",
    line: { url: "/v1/responses", body: { model: "gpt-5-mini", input: "Hi", tools: [{ type: "web_search" }] } },
    rejected: "unbounded-cost",
  },
  {
    feature: "calls that the guard rejects",
    line: { body: { ...PLAIN.body, surprise: true } },
    rejected: "unknown-field",
  },
  {
    feature: "calls that run no model, except moderations",
    line: { url: "/v1/chat/completions/chatcmpl_1" },
    rejected: "unknown-endpoint",
  },
  {
    feature: "unknown fields next to `body`",
    line: { Body: { model: "gpt-4o" } } as BatchLine,
    rejected: "unknown-field",
  },
  { feature: "other endpoints", line: { url: "/v1/completions" }, rejected: "unknown-endpoint" },
  { feature: "other lines", line: { method: "GET" }, rejected: "invalid-body" },
]

/** The bound of a file with a row's line. */
export function boundOfLine({ line }: BatchRow) {
  const guard = readGuardOptions({ budget: createBudget({ store: memoryStore(), limits: [] }), maxToolCalls: 3 })
  const file = new Blob([`${JSON.stringify({ ...PLAIN, ...line })}\n`])
  return boundOfFile(guard, file, callTo("https://api.openai.com/v1/files"))
}

export async function batchMarkdown(): Promise<string> {
  const rejections = await Promise.all(
    BATCHES.flatMap((row) =>
      "rejected" in row
        ? [boundOfLine(row).then((bound) => `| ${row.feature} | ${(bound as Rejection).message} |`)]
        : [],
    ),
  )
  const bounded = BATCHES.flatMap((row) =>
    "bounded" in row ? [`| ${row.feature} | ${row.bounded} | ${row.source} |`] : [],
  )
  const rejectedWith = ["", "| calls in the file | rejected with |", "| --- | --- |", ...rejections]
  return ["| calls in the file | bounded how | source |", "| --- | --- | --- |", ...bounded, ...rejectedWith].join("\n")
}
