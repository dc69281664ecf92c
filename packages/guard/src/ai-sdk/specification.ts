/** An AI SDK model: specification v3 (AI SDK 6) or v4 (AI SDK 7). */
export interface SpecifiedModel {
  readonly provider: string
  readonly modelId: string
}

/**
 * What the middleware reads of the options of a call: of `doGenerate` and `doStream` of a language or image model, or of
 * `doEmbed`. Other fields are of type `unknown`, because third-party providers write and read them.
 */
export interface SpecifiedCall {
  abortSignal?: AbortSignal | undefined
  headers?: Record<string, string | undefined> | undefined
  providerOptions?: unknown
}

/** The options of a language model call. */
export interface LanguageCall extends SpecifiedCall {
  prompt?: unknown
  maxOutputTokens?: number | undefined
  tools?: unknown
  responseFormat?: unknown
  /** Only in specification v4. */
  reasoning?: unknown
}

/** The options of an embedding model call. */
export interface EmbeddingCall extends SpecifiedCall {
  values?: unknown
}

/** The options of an image model call. */
export interface ImageCall extends SpecifiedCall {
  prompt?: unknown
  n?: unknown
  files?: unknown
  mask?: unknown
}

/** An unchecked JSON object. */
export type Fields = Readonly<Record<string, unknown>>

/** The result of `doStream`. */
export interface StreamResult<Part> {
  stream: ReadableStream<Part>
}

/** The marker by which the AI SDK recognizes its errors across copies of its packages. */
export function isSdkError(error: unknown, name: string): error is Error & Fields {
  if (typeof error !== "object" || error === null) return false
  return (error as Record<symbol, unknown>)[Symbol.for(`vercel.ai.error.${name}`)] === true
}
