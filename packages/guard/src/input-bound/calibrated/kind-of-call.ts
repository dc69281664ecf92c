import { isRecord } from "@p2/core"
import { camelKeys } from "../../protocols/gemini/camel-keys"
import type { PricedCall, ProviderCall } from "../../protocols/protocol"
import { words } from "../../protocols/variants/body-fields"

/**
 * The class of a call, by what is known before it is sent: the model, the parts of the body, its size, the density of
 * its text, and its script. A call of a new class is bounded by the hard rules, so that a change of what an application
 * sends does not go unnoticed.
 */
export function kindOf({ body }: ProviderCall, { priceKey, input, boundOptions }: PricedCall): string {
  const value = body.kind === "json" ? body.value : {}
  const { estimate, upperBound, prompt } = input
  const hasTools = Array.isArray(value.tools) && value.tools.length > 0
  return [
    priceKey,
    hasTools && "tools",
    hasFormat(value) && "format",
    hasMedia(value) && "media",
    prompt !== undefined && prompt.passes > 1 && `passes ${prompt.passes} searches ${boundOptions.webSearches ?? 0}`,
    // Factors of 4 in size and of 2 in density.
    `size ${Math.floor(Math.log2(Math.max(1, estimate)) / 2)}`,
    `density ${Math.round(Math.log2(upperBound / Math.max(1, estimate)))}`,
    `script ${bytesPerUnit(JSON.stringify(value))}`,
  ]
    .filter((part) => part !== false)
    .join(", ")
}

function hasFormat({ response_format, output_format, output_config, text, generationConfig }: Record<string, unknown>) {
  const config = isRecord(generationConfig) ? camelKeys(generationConfig) : {}
  const formats = [response_format, output_format, isRecord(output_config) && output_config.format]
  return [...formats, isRecord(text) && text.format, config.responseSchema, config.responseJsonSchema].some(isRecord)
}

const MEDIA = words("image image_url input_image input_audio input_file document file inlineData inline_data")

/** Whether a part of a message is not text. Schemas and results of tools are not searched. */
function hasMedia({ messages, input, contents }: Record<string, unknown>): boolean {
  return [messages, input, contents].some((turns) => Array.isArray(turns) && turns.some((turn) => hasMediaPart(turn)))
}

function hasMediaPart(turn: unknown): boolean {
  if (!isRecord(turn)) return false
  const parts = [turn.content, turn.parts, turn.output].find(Array.isArray) ?? []
  return parts.some(
    (part) =>
      isRecord(part) &&
      (MEDIA.has(String(part.type)) || Object.keys(part).some((name) => MEDIA.has(name)) || hasMediaPart(part)),
  )
}

/** 1 for Latin text, up to 3 for Chinese: UTF-8 bytes for each UTF-16 unit, to the nearest half. */
function bytesPerUnit(text: string): number {
  return Math.round((2 * new TextEncoder().encode(text).length) / text.length) / 2
}
