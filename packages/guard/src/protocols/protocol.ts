import type { NanoUsd } from "@p2/core"
import type { BoundOptions, PriceTable } from "@p2/pricing"
import type { BatchFormat } from "./batch-format"
import type { Meter } from "./meter"

/** One HTTP call of an SDK, before it is sent. Body, URL and headers together decide what it can cost. */
export interface ProviderCall {
  method: string
  url: URL
  headers: Headers
  /** The parsed body. `form`: a multipart form, whose files are {@link FormFile}s. `none`: the call has no body. `opaque`: any other body, such as a file. */
  body:
    | { kind: "json"; value: Readonly<Record<string, unknown>> }
    | { kind: "form"; fields: Readonly<Record<string, unknown>> }
    | { kind: "none" }
    | { kind: "opaque"; contentType: string }
}

/** A file of a form. */
export interface FormFile {
  name: string
  type: string
  /** In bytes. */
  size: number
  /** The first bytes, at most 64. */
  head: Uint8Array
}

/** What a protocol needs in addition to the call. */
export interface ProtocolContext {
  prices: PriceTable
  /** Azure: the model behind each deployment name. */
  deployments: Readonly<Record<string, string>>
  /** The provider at hosts that are not in the table of providers; undefined: such a host is rejected, unless the model has a price of the caller's own. */
  provider?: string | undefined
  /** `max_tool_calls` of OpenAI's Responses, sent if a call has hosted tools and no maximum; undefined: such a call is rejected. */
  maxToolCalls?: number | undefined
  /**
   * The service tier that is sent to OpenAI if a call states none. Without it a setting of the project decides, and the bound
   * assumes the most expensive tier; undefined: none is sent.
   */
  serviceTier?: string | undefined
  /**
   * Maximum output tokens of one generated image, for models and qualities whose tokens no source lists; undefined:
   * such a call is rejected.
   */
  maxImageTokens?: number | undefined
  /**
   * Maximum seconds of an audio file whose length its bytes do not prove; undefined: such a call is rejected if it is
   * billed by the second.
   */
  maxAudioSeconds?: number | undefined
  /** Maximum output tokens of speech, for models that are billed by them; undefined: such a call is rejected. */
  maxSpeechTokens?: number | undefined
}

/** Why a call is not sent. Every reason has a remedy in its message. */
export type RejectionReason =
  /** The path, or a field or tool in the body, is not understood, so its cost is unknown. */
  | "unknown-endpoint"
  /** The path is understood, but it is unknown whose prices apply at this host. */
  | "unknown-provider"
  | "unknown-field"
  /** The cost has no upper bound: a hosted tool without a maximum, a stored prompt, a tier without a listed price. */
  | "unbounded-cost"
  | "unknown-model"
  | "invalid-body"

/** What a call can cost. */
export type CallDescription =
  /** Never billed: lists of models, files, token counting, moderations. */
  { status: "free" } | Rejection | PricedCall | ResumedCall | BatchUpload | BatchStart | BatchPoll

export interface Rejection {
  status: "rejected"
  reason: RejectionReason
  message: string
}

/** Input tokens of a call, hidden inputs included (tools, schemas, system, images, files, earlier turns that the provider stores). */
export interface CallInput {
  estimate: number
  upperBound: number
  /** Undefined: the provider adds input that it counts nowhere before the call. */
  prompt?: Prompt | undefined
}

/** How the input is computed. */
export interface Prompt {
  /** The call shows the whole prompt. False: it has files, or earlier turns that the provider stores. */
  isShown: boolean
  /** Maximum number of model passes, each of which reads the prompt: more than 1 if the provider runs tools. */
  passes: number
}

/** What decides the upper bound of a call: its provider, price, input and limits. */
export interface CallTerms {
  /** As in the usage entry: `openai`, `azure`, `anthropic`, `gemini`, `openrouter`, … */
  provider: string
  /** The model as the caller named it, and the id of its price. */
  model: string
  priceKey: string
  input: CallInput
  /** The output limit that the call sets, for each choice; undefined: none. */
  maxOutputTokens: number | undefined
  /** The lowest output limit that may be set instead: above a thinking budget. */
  minOutputTokens: number
  /** Everything else that decides the bound. */
  boundOptions: Omit<BoundOptions, "inputTokens" | "maxOutputTokens" | "at" | "deadline">
  /** What the provider bills for a call that it rejects: the least upper bound. @defaultValue 0 */
  rejectedNanoUsd?: NanoUsd | undefined
  /** The upper bound of a batch: the sum of those of its calls. @defaultValue computed from the fields above */
  fixedBound?: { nanoUsd: NanoUsd; tokens: number } | undefined
}

/** A call that is billed: its terms, and how it is sent and read. */
export interface PricedCall extends CallTerms {
  status: "priced"
  /** The models of the calls of a batch. @defaultValue the model of the call */
  models?: readonly string[]
  /** The answer is requested as server-sent events. */
  streamed: boolean
  /** The answer is a file, such as audio: its bytes say nothing about its usage. @defaultValue false */
  answersWithFile?: boolean
  /**
   * The JSON body to send: with the output limit, with usage requested in a stream, with OpenRouter's maximum prices. A
   * form is sent unchanged.
   */
  bodyToSend(changes: {
    maxOutputTokens?: number | undefined
    maxPrice?: { prompt: number; completion: number; request?: number } | undefined
  }): Record<string, unknown>
  /** Creates the reader of the response's usage. */
  createMeter(): Meter
}

/** The poll of a background response. It costs nothing; its answer settles the reservation of the call that started the response. */
export interface ResumedCall {
  status: "resumed"
  provider: string
  /** The key of that reservation, derived from the response id: the same in every process. */
  idempotencyKey: string
  /** The id of the price of the model that the answer names. @throws UnknownModelError */
  priceKeyOf(model: string): string
  /** The region of the URL, for the cost. */
  region: string | undefined
  createMeter(): Meter
}

/** The upload of a file with the calls of a batch. It costs nothing; the calls are bounded while it is sent. */
export interface BatchUpload {
  status: "batch-upload"
}

/** The start of a batch. Its upper bound is the sum of those of the calls in its file. */
export interface BatchStart {
  status: "batch-start"
  provider: string
  fileId: string
  /** The path of every call in the file, such as `/v1/chat/completions`. */
  endpoint: string
  /** How long the batch stays reserved: its completion window and an hour. */
  leaseMs: number
}

/** The poll of a batch. If the batch has ended, its output settles the reservation. */
export interface BatchPoll {
  status: "batch-poll"
  provider: string
  idempotencyKey: string
  /** Reads the batch and its output. */
  format: BatchFormat
}

/** One wire format. Pure: the same call always gives the same description. */
export interface Protocol {
  /** For example `openai-responses`. */
  name: string
  /** Undefined: the call is not of this wire format. */
  describe(call: ProviderCall, context: ProtocolContext): CallDescription | undefined
}
