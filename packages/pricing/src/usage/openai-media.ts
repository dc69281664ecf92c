import { InvalidArgumentError, type Usage } from "@p2/core"
import { readForMeter, readStrictly, type UsageReading } from "./read-usage"
import type { UsageFields, UsageReadOptions } from "./usage-fields"
import { usageOf } from "./usage-parts"

/**
 * Reads `usage` of OpenAI's image generation. Output counts as images, except for text tokens in the details, and so does input,
 * because text costs less. For models that are billed by the image (DALL·E), pass `{ inputTokens: 0, outputTokens: 0, outputImages: n }` to `costOf`.
 *
 * @throws InvalidArgumentError, UnknownUsageError
 * @see https://platform.openai.com/docs/api-reference/images/object
 */
export function usageFromOpenAIImages(usage: unknown, options: UsageReadOptions = {}): Usage {
  return readStrictly(usage, options, readImages)
}

/** Reads `usage` of OpenAI's image generation for a meter. */
export function readOpenAIImagesUsage(usage: unknown): UsageReading {
  return readForMeter(usage, undefined, readImages)
}

function readImages(fields: UsageFields): Usage {
  const input = fields.inner("input_tokens_details")
  const output = fields.inner("output_tokens_details")
  const cacheRead = input.count("cached_tokens")
  input.inner("cached_tokens_details").ignore("text_tokens", "image_tokens")
  const outputTokens = outputOf(fields)
  const textOutput = output.count("text_tokens")
  const imageOutput = output.optional("image_tokens") ?? outputTokens - Math.min(textOutput, outputTokens)
  const reasoning = output.count("reasoning_tokens")
  const inputTokens = fields.required("input_tokens")
  const textInput = Math.min(input.count("text_tokens"), inputTokens)
  return usageOf(inputTokens, Math.max(outputTokens, imageOutput + reasoning), {
    cacheReadTokens: cacheRead,
    imageInputTokens: input.optional("image_tokens") ?? inputTokens - textInput,
    reasoningTokens: reasoning,
    imageOutputTokens: imageOutput,
  })
}

/**
 * Reads `usage` of OpenAI's transcription: tokens (`gpt-4o-transcribe`), or seconds (`whisper-1`), which are rounded up.
 * Input without details counts as audio.
 *
 * @throws InvalidArgumentError, UnknownUsageError
 * @see https://platform.openai.com/docs/api-reference/audio/json-object
 */
export function usageFromOpenAITranscription(usage: unknown, options: UsageReadOptions = {}): Usage {
  return readStrictly(usage, options, readTranscription)
}

/** Reads `usage` of OpenAI's transcription for a meter. */
export function readOpenAITranscriptionUsage(usage: unknown): UsageReading {
  return readForMeter(usage, undefined, readTranscription)
}

function readTranscription(fields: UsageFields): Usage {
  const seconds = fields.optionalNumber("seconds")
  // Kept if it is 0: `costOf` requires it for a model that is billed by the second.
  if (seconds !== undefined) {
    fields.ignore("total_tokens")
    return { inputTokens: 0, outputTokens: 0, audioSeconds: Math.ceil(seconds) }
  }
  if (fields.string("type") === "duration") {
    if (!fields.has("seconds"))
      fields.problems.push(new InvalidArgumentError("usage.seconds", "a number of at least 0", undefined))
    return usageOf(0, 0, {})
  }
  const details = fields.inner("input_token_details")
  const inputTokens = fields.required("input_tokens")
  const text = Math.min(details.count("text_tokens"), inputTokens)
  const audio = details.optional("audio_tokens") ?? inputTokens - text
  fields.inner("output_token_details").ignore("text_tokens")
  return usageOf(Math.max(inputTokens, audio), outputOf(fields), { audioInputTokens: audio })
}

/**
 * Reads `usage` of OpenAI's speech, which the event `speech.audio.done` has. For models that are billed per character
 * (`tts-1`), pass `{ inputTokens: 0, outputTokens: 0, inputCharacters: text.length }` to `costOf`.
 *
 * @throws InvalidArgumentError, UnknownUsageError
 * @see https://platform.openai.com/docs/api-reference/audio/speech-audio-done-event
 */
export function usageFromOpenAISpeech(usage: unknown, options: UsageReadOptions = {}): Usage {
  return readStrictly(usage, options, readSpeech)
}

/** Reads `usage` of OpenAI's speech for a meter. */
export function readOpenAISpeechUsage(usage: unknown): UsageReading {
  return readForMeter(usage, undefined, readSpeech)
}

function readSpeech(fields: UsageFields): Usage {
  return usageOf(fields.required("input_tokens"), outputOf(fields), {})
}

/**
 * Reads `usage` of embeddings: OpenAI's and Mistral's `prompt_tokens`, or Voyage's `total_tokens` alone.
 *
 * @throws InvalidArgumentError, UnknownUsageError
 * @see https://platform.openai.com/docs/api-reference/embeddings/create
 */
export function usageFromOpenAIEmbeddings(usage: unknown, options: UsageReadOptions = {}): Usage {
  return readStrictly(usage, options, readEmbeddings)
}

/** Reads `usage` of embeddings for a meter. */
export function readOpenAIEmbeddingsUsage(usage: unknown): UsageReading {
  return readForMeter(usage, undefined, readEmbeddings)
}

function readEmbeddings(fields: UsageFields): Usage {
  const total = fields.optional("total_tokens") ?? 0
  const inputTokens = Math.max(fields.optional("prompt_tokens") ?? fields.required("total_tokens"), total)
  const outputTokens = fields.count("completion_tokens")
  const details = fields.inner("prompt_tokens_details").ignore("text_tokens")
  return usageOf(Math.max(inputTokens - outputTokens, 0), outputTokens, {
    cacheReadTokens: details.count("cached_tokens"),
    audioInputTokens: details.count("audio_tokens"),
    imageInputTokens: details.count("image_tokens"),
  })
}

/**
 * Reads `usage` of a `response.done` event of OpenAI's Realtime API. Cached, audio and image tokens are parts of the totals.
 *
 * @throws InvalidArgumentError, UnknownUsageError
 * @see https://platform.openai.com/docs/api-reference/realtime-server-events/response/done
 */
export function usageFromOpenAIRealtime(usage: unknown, options: UsageReadOptions = {}): Usage {
  return readStrictly(usage, options, readRealtime)
}

function readRealtime(fields: UsageFields): Usage {
  const input = fields.inner("input_token_details").ignore("text_tokens")
  const output = fields.inner("output_token_details").ignore("text_tokens")
  input.inner("cached_tokens_details").ignore("text_tokens", "audio_tokens", "image_tokens")
  return usageOf(fields.required("input_tokens"), outputOf(fields), {
    cacheReadTokens: input.count("cached_tokens"),
    audioInputTokens: input.count("audio_tokens"),
    imageInputTokens: input.count("image_tokens"),
    reasoningTokens: output.count("reasoning_tokens"),
    audioOutputTokens: output.count("audio_tokens"),
    imageOutputTokens: output.count("image_tokens"),
  })
}

/** The output, with the tokens that only the total contains. */
function outputOf(fields: UsageFields): number {
  const output = fields.required("output_tokens")
  return Math.max(output, (fields.optional("total_tokens") ?? 0) - fields.count("input_tokens"))
}
