import { isRecord } from "@p2/core"
import { shownName } from "../identifier"
import type { Rejection } from "../protocol"
import { invalidBody, unbounded } from "../rejection"
import { type BodyFields, checkFields, words } from "../variants/body-fields"
import { camelKeys } from "./camel-keys"

/** The fields of a call of `generateContent`. Sources and examples: docs/gemini.md. */
export const REQUEST_FIELDS: BodyFields = {
  free: words("safetySettings labels toolConfig store"),
  read: words("model contents systemInstruction tools generationConfig cachedContent serviceTier"),
  rejected: {
    modelArmorConfig: {
      because: "another service is billed for it",
      remedy: "Call that service in your code.",
    },
  },
}

export const CONFIG_FIELDS: BodyFields = {
  free: words(
    "temperature topP topK seed stopSequences presencePenalty frequencyPenalty responseLogprobs logprobs responseMimeType audioTimestamp mediaResolution enableEnhancedCivicAnswers speechConfig imageConfig",
  ),
  read: words(
    "maxOutputTokens candidateCount thinkingConfig responseSchema responseJsonSchema responseFormat responseModalities",
  ),
  rejected: {
    routingConfig: { because: "the provider chooses the model", remedy: "Omit it and name the model." },
    modelSelectionConfig: { because: "the provider chooses the model", remedy: "Omit it and name the model." },
  },
}

const THINKING_FIELDS: BodyFields = { free: words("includeThoughts thinkingBudget thinkingLevel") }

/** Reads `generationConfig`, under the names in camel case. */
export function readConfig(value: unknown): { status: "read"; config: Readonly<Record<string, unknown>> } | Rejection {
  if (value === undefined || value === null) return { status: "read", config: {} }
  if (!isRecord(value)) return invalidBody("generationConfig", "an object")
  const config = camelKeys(value)
  const thinking = isRecord(config.thinkingConfig) ? camelKeys(config.thinkingConfig) : {}
  const wrong =
    checkFields(config, [CONFIG_FIELDS], "generationConfig.") ??
    checkFields(thinking, [THINKING_FIELDS], "generationConfig.thinkingConfig.")
  return wrong ?? { status: "read", config }
}

const MODALITIES = { TEXT: "text", IMAGE: "image", AUDIO: "audio" } as const

/** Reads `responseModalities`; undefined: every modality for which the model has a rate. */
export function readModalities(
  value: unknown,
): { status: "read"; modalities: ("text" | "image" | "audio")[] | undefined } | Rejection {
  if (value === undefined || value === null) return { status: "read", modalities: undefined }
  const names = Array.isArray(value) ? value.map((name) => String(name).toUpperCase()) : []
  const unknown = names.find((name) => !Object.hasOwn(MODALITIES, name))
  if (names.length === 0) return { status: "read", modalities: undefined }
  if (unknown !== undefined)
    return unbounded(
      `the modality ${shownName(unknown)}`,
      "no price is known for it",
      "Omit it from `responseModalities`.",
    )
  return { status: "read", modalities: names.map((name) => MODALITIES[name as keyof typeof MODALITIES]) }
}
