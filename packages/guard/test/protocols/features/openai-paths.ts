import { describeCall } from "../../../src/protocols"
import { callTo, context } from "./feature"

/** Calls that run no model. */
export interface PathRow {
  feature: string
  /** Examples: method and path after the base URL. */
  examples: readonly string[]
  /** @defaultValue OpenAI's base URL */
  baseURL?: string
  /** The page that says so; absent: the calls are rejected. */
  free?: string
}

const PRICING = "[pricing](https://developers.openai.com/api/docs/pricing) lists no charge for them"

export const PATHS: readonly PathRow[] = [
  {
    feature: "listing models, deleting a fine-tuned model",
    examples: ["GET /models", "GET /models/gpt-4o-mini", "DELETE /models/ft:gpt-4o-mini:org::id"],
    free: PRICING,
  },
  {
    feature: "moderations",
    examples: ["POST /moderations"],
    free: "[moderation](https://platform.openai.com/docs/guides/moderation): free to use",
  },
  {
    feature: "counting of input tokens",
    examples: ["POST /responses/input_tokens"],
    free: `[token counting](https://platform.openai.com/docs/api-reference/responses/input-tokens); ${PRICING}`,
  },
  {
    feature: "files and uploads. Only the storage of vector stores is billed",
    examples: [
      "GET /files",
      "GET /files/file-1",
      "GET /files/file-1/content",
      "DELETE /files/file-1",
      "POST /files",
      "POST /uploads",
      "POST /uploads/upload_1/parts",
      "POST /uploads/upload_1/complete",
    ],
    free: PRICING,
  },
  {
    feature: "stored responses, completions and conversations",
    examples: [
      "DELETE /responses/resp_1",
      "GET /responses/resp_1/input_items",
      "GET /chat/completions",
      "GET /chat/completions/chatcmpl-1/messages",
      "POST /chat/completions/chatcmpl-1",
      "DELETE /chat/completions/chatcmpl-1",
      "POST /conversations",
      "GET /conversations/conv_1/items",
      "POST /conversations/conv_1/items",
      "DELETE /conversations/conv_1",
    ],
    free: "[conversation state](https://platform.openai.com/docs/guides/conversation-state): tokens are billed when a response reads them",
  },
  {
    feature: "reading and deleting vector stores and containers",
    examples: [
      "GET /vector_stores",
      "GET /vector_stores/vs_1/files",
      "GET /vector_stores/vs_1/files/file-1/content",
      "DELETE /vector_stores/vs_1",
      "DELETE /vector_stores/vs_1/files/file-1",
      "GET /containers/cntr_1/files/cfile_1/content",
      "DELETE /containers/cntr_1",
    ],
    free: PRICING,
  },
  {
    feature: "listing batches; reading and canceling fine-tuning jobs",
    examples: ["GET /batches", "GET /fine_tuning/jobs/ftjob-1/events", "POST /fine_tuning/jobs/ftjob-1/cancel"],
    free: "[batches](https://platform.openai.com/docs/guides/batch): what had run before is billed to the batch",
  },
  {
    feature: "OpenRouter: generations, credits, keys, endpoints",
    baseURL: "https://openrouter.ai/api/v1",
    examples: [
      "GET /generation?id=gen-1",
      "GET /credits",
      "GET /key",
      "GET /providers",
      "GET /models/openai/gpt-4o/endpoints",
    ],
    free: "[API reference](https://openrouter.ai/docs/api/reference/overview)",
  },
  {
    feature: "`HEAD` and `OPTIONS` of any path",
    examples: ["HEAD /", "OPTIONS /responses"],
    free: "[RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2): there is no content that could be generated",
  },
  {
    feature: "`data:` URLs, which are not sent",
    baseURL: "data:",
    examples: ["GET ,"],
    free: "[RFC 2397](https://www.rfc-editor.org/rfc/rfc2397)",
  },
  {
    feature: "creating, filling and searching vector stores",
    examples: [
      "POST /vector_stores",
      "POST /vector_stores/vs_1/files",
      "POST /vector_stores/vs_1/file_batches",
      "POST /vector_stores/vs_1/search",
    ],
  },
  { feature: "creating containers", examples: ["POST /containers"] },
  { feature: "batches of other providers", baseURL: "https://api.groq.com/openai/v1", examples: ["POST /batches"] },
  { feature: "fine-tuning", examples: ["POST /fine_tuning/jobs"] },
  {
    feature: "videos, realtime, assistants, evals",
    examples: ["POST /videos", "POST /realtime/client_secrets", "POST /threads/runs", "POST /evals"],
  },
  {
    feature: "moderations of other providers, which may be billed",
    baseURL: "https://api.mistral.ai/v1",
    examples: ["POST /moderations"],
  },
  { feature: "compaction of a conversation", examples: ["POST /responses/compact"] },
  { feature: "unknown paths", examples: ["POST /surprises", "PUT /files/file-1", "GET /surprises"] },
]

export function describePathRow({ baseURL = "https://api.openai.com/v1" }: PathRow, example: string) {
  const [method, path] = example.split(" ") as [string, string]
  return describeCall(callTo(`${baseURL}${path}`, method === "POST" ? {} : undefined, method), context)
}

export function pathsMarkdown(): string {
  const free = PATHS.flatMap((row) =>
    row.free === undefined
      ? []
      : [`| ${row.feature} | ${row.examples.map((each) => `\`${each}\``).join(", ")} | ${row.free} |`],
  )
  const rejected = PATHS.flatMap((row) => {
    const description = describePathRow(row, row.examples[0]!)
    return row.free === undefined && description.status === "rejected"
      ? [`| ${row.feature} | ${description.message} |`]
      : []
  })
  return [
    "| free | examples | source |",
    "| --- | --- | --- |",
    ...free,
    "",
    "| calls | rejected with |",
    "| --- | --- |",
    ...rejected,
  ].join("\n")
}
